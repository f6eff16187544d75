"""A user's own function is shown, and runs only as the text that was confirmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import InputError, SpecError, StudioError, WorkError
from studio.plugins import plugin
from studio.plugins.metrics import ROOT, Row
from studio.scores.admission import admit
from studio.texts.errors import of_error
from studio.workspace import Workspace

custom = plugin("metrics", "custom")
STARTS = "def score(answer, reference, row):\n    return answer.startswith(reference)\n"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("STUDIO_ROOT", str(tmp_path))
    (tmp_path / "data" / "metrics").mkdir(parents=True)
    return Workspace(tmp_path)


def write(workspace: Workspace, name: str, text: str) -> Row:
    """The file, and a row that has it confirmed."""
    (workspace.data / "metrics" / f"{name}.py").write_text(text, encoding="utf-8")
    return Row(options={"custom_function": name, "custom_hash": custom.look(name, workspace).hash})


def said(row: Row, answer: str = "a") -> str:
    with pytest.raises(StudioError) as raised:
        custom.score(answer, "a", row)
    return of_error("en", raised.value)


def test_a_confirmed_function_scores(workspace: Workspace) -> None:
    row = write(workspace, "starts", STARTS)
    custom.check(row.options)
    assert custom.look("starts", workspace).text == STARTS and custom.offered(workspace) == ("starts",)
    assert custom.score("abc", "ab", row) == 1 and custom.score("", "ab", row) == 0


def test_nothing_of_it_runs_before_it_is_confirmed(workspace: Workspace, tmp_path: Path) -> None:
    write(workspace, "eager", f"open({str(tmp_path / 'ran')!r}, 'w')\n{STARTS}")
    for options in ({"custom_function": "eager"}, {"custom_function": "eager", "custom_hash": "0" * 64}):
        with pytest.raises(InputError) as raised:
            custom.check(options)
        assert custom.look("eager", workspace).hash in of_error("en", raised.value)
        with pytest.raises(InputError):
            custom.score("a", "a", Row(options=options))
    assert not (tmp_path / "ran").exists()


def test_a_changed_file_must_be_confirmed_again(workspace: Workspace) -> None:
    row = write(workspace, "changing", STARTS)
    write(workspace, "changing", STARTS.replace("startswith", "endswith"))
    with pytest.raises(InputError, match="custom_metric_unconfirmed"):
        custom.check(row.options)


def test_the_root_of_the_call_is_looked_into_and_not_that_of_the_environment(
    workspace: Workspace, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = write(workspace, "starts", STARTS)
    options = {**row.options, ROOT: str(workspace.root)}
    monkeypatch.setenv("STUDIO_ROOT", str(tmp_path_factory.mktemp("elsewhere")))
    draft = {"eval_models": ["starter"], "dataset": ["number_words_heldout"], "metrics": ["custom"], **row.options}
    assert admit(draft, workspace).metrics == ["custom"]
    assert custom.score("abc", "ab", Row(options=options)) == 1
    with pytest.raises(SpecError) as refused:
        admit(draft, Workspace.at())
    assert [problem.code for problem in refused.value.problems] == ["custom_metric_missing"]


@pytest.mark.parametrize("name", ["", "nowhere", "../outside", "a/b", "x" * 99, "a.b"])
def test_only_files_of_the_folder_are_taken(workspace: Workspace, name: str) -> None:
    (workspace.data / "outside.py").write_text(STARTS, encoding="utf-8")
    with pytest.raises(InputError):
        custom.check({"custom_function": name, "custom_hash": "0"})


def test_a_link_out_of_the_folder_is_not_followed(workspace: Workspace) -> None:
    (workspace.data / "outside.py").write_text(STARTS, encoding="utf-8")
    (workspace.data / "metrics" / "link.py").symlink_to(workspace.data / "outside.py")
    with pytest.raises(InputError, match="custom_metric_missing"):
        custom.look("link", workspace)


@pytest.mark.parametrize(("text", "sentence"), [
    ("def score(answer, reference, row):\n    return len(reference) / len(answer)\n",
    "failed in line 2: ZeroDivisionError"),
    ("def score(:\n", "failed in line 1: SyntaxError"),
    ("import nowhere_to_be_found\n", "failed in line 1: ModuleNotFoundError"),
    ("def measure(answer):\n    return 1\n", "has no function score"),
    ("def score(answer, reference, row):\n    return 'good'\n", "returned 'good'; it must return a number"),
    ("def score(answer, reference, row):\n    return float('nan')\n", "returned nan; it must return a number"),
])
def test_a_function_that_fails_says_where(workspace: Workspace, text: str, sentence: str) -> None:
    assert sentence in said(write(workspace, "failing", text), "")


def test_none_is_does_not_apply_and_true_is_one(workspace: Workspace) -> None:
    row = write(workspace, "some", "def score(answer, reference, row):\n    return True if answer else None\n")
    assert custom.score("", "a", row) is None and custom.score("b", "a", row) == 1


def test_the_failure_is_one_of_work_not_of_input(workspace: Workspace) -> None:
    with pytest.raises(WorkError):
        custom.score("a", "a", write(workspace, "broken", "raise ValueError('x')\n"))
