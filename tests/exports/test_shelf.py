"""Past exports: listed with what they are worth, taken away with their run, and taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import InputError
from studio.exports import admission, shelf
from studio.exports.place import Place, manifest
from studio.records import write_json
from studio.runs import outcome
from studio.runs.files import RunFolder
from studio.runs.state import State
from studio.runs.store import RunStore
from studio.workspace import Workspace
from tests.exports.a_run import a_run

VERDICT = {"state": "lossy", "token_agreement": 0.99, "max_logit_difference": 0.2}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "saves").mkdir()
    return Workspace(tmp_path)


def exported(workspace: Workspace, name: str, **more: object) -> RunFolder:
    """An export that has come to its end."""
    spec = admission.admit({"model_name_or_path": "tuned", **more}, workspace)
    folder = RunStore(workspace).create(spec, name)
    place = Place.of(spec, folder, workspace)
    place.begin(100)
    (place.aside / "model.safetensors").write_bytes(b"x" * 100)
    place.mark_written()
    files = manifest(place.aside, lambda: None)
    place.finish({"form": "merged", "source": "tuned/step-10", "run": "tuned", "step": 10, "path": str(place.target),
                  "files": files, "acceptance": VERDICT, "bytes": 100, "seconds": 2.5})
    write_json(folder.process, {"supervisor": None, "engine": None, "started": 1.0})
    outcome.write(folder, "finished", exit_code=0)
    return folder


def test_exports_are_listed_with_verdict_size_and_place(workspace: Workspace) -> None:
    a_run(workspace)
    folder = exported(workspace, "home")
    RunStore(workspace).create(admission.admit({"model_name_or_path": "tuned", "export_to": "adapter"}, workspace),
                               "waiting")
    found = {one.name: one for one in shelf.exports(workspace)}
    assert set(found) == {"home", "waiting"}
    one = found["home"]
    assert (one.form, one.run, one.step, one.bytes, one.verdict) == ("merged", "tuned", 10, 100, "lossy")
    assert one.path == folder.path / "export" and one.is_there and one.state is State.FINISHED
    other = found["waiting"]
    assert (other.form, other.run, other.step, other.path, other.verdict) == ("adapter", "tuned", 10, None, "")
    assert [one.name for one in shelf.of_run("tuned", workspace)] == [one.name for one in shelf.exports(workspace)]
    (folder.path / "export" / "model.safetensors").write_bytes(b"x")
    assert not shelf.find("home", workspace).is_there
    with pytest.raises(InputError, match="export_unknown"):
        shelf.find("tuned", workspace)


def test_exports_of_one_form_are_told_apart(workspace: Workspace) -> None:
    a_run(workspace)
    for name, more in (("small", {"export_to": "gguf", "gguf_type": "q8_0"}), ("whole", {"export_to": "merged"})):
        exported(workspace, name, **more)
    assert {one.name: one.variant for one in shelf.exports(workspace)} == {"small": "Q8_0", "whole": ""}


@pytest.mark.parametrize("target", [None, "out/mine"])
def test_what_is_deleted_can_be_taken_back(workspace: Workspace, target: str | None) -> None:
    a_run(workspace)
    exported(workspace, "home", **({"export_dir": target} if target else {}))
    path = shelf.find("home", workspace).path
    assert path is not None
    shelf.delete("home", workspace)
    assert not path.exists() and not shelf.exports(workspace)
    back = shelf.restore("home", workspace)
    assert back.path == path and back.is_there


def test_a_renamed_run_still_finds_its_export(workspace: Workspace) -> None:
    a_run(workspace)
    exported(workspace, "home")
    RunStore(workspace).rename("home", "house")
    found, = shelf.exports(workspace)
    assert found.path == workspace.saves / "house" / "export" and found.is_there


def test_a_folder_that_somebody_put_there_meanwhile_is_not_overwritten(workspace: Workspace) -> None:
    a_run(workspace)
    exported(workspace, "home", export_dir="out")
    shelf.delete("home", workspace)
    (workspace.root / "out").mkdir()
    (workspace.root / "out" / "theirs").touch()
    with pytest.raises(InputError, match="export_exists"):
        shelf.restore("home", workspace)
    assert (workspace.root / "out" / "theirs").exists()
