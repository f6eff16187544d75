"""Every handler answers with exactly as many values as it has outputs, also when there is nothing to show."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from studio.ui.page import Page
from studio.workspace import Workspace


def handlers() -> list[int]:
    """The numbers of the events; the page is small enough to count them once more here."""
    return list(range(110))


def given(fn: Any) -> list[Any]:
    """The values that the components hold when the page is opened."""
    return [component.value if not isinstance(component, gr.BrowserState) else {} for component in fn.inputs]


@pytest.mark.parametrize("number", handlers())
def test_a_handler_fills_its_outputs(page: Page, number: int) -> None:
    fn = page.blocks.fns.get(number)
    if fn is None or fn.fn is None or number not in page.blocks.fns:
        return
    values = given(fn)
    parameters = list(inspect.signature(fn.fn).parameters)
    if "event" in parameters:
        event = SimpleNamespace(_data={"run": "", "sort": "name", "undo": "", "tab": "runs"})
        values.insert(parameters.index("event"), event)
    if fn.fn == page.train.begin:
        values[1 + list(page.form.widgets).index("learning_rate")] = "abc"
        values = ["en", *[page.form.widgets[name].value if name != "learning_rate" else "abc" for name in _order(page)]]
    answer = fn.fn(*values)
    answers = answer if isinstance(answer, list | tuple) else [answer]
    assert len(answers) == len(fn.outputs), fn.fn


def _order(page: Page) -> list[str]:
    from studio.specs.train import ARGUMENTS

    return list(ARGUMENTS)


def test_no_event_is_a_public_endpoint(page: Page) -> None:
    assert {fn.api_visibility for fn in page.blocks.fns.values()} == {"private"}


def test_there_are_no_more_events_than_are_tested(page: Page) -> None:
    assert max(page.blocks.fns) < len(handlers())


def test_a_tick_without_news_is_skips(page: Page) -> None:
    first = page._beat("en", "train", "", None, "", "-created", "", "", None, "")
    seen = first[len(page.train.panel.outputs) - 1]
    again = page._beat("en", "train", "", seen, "", "-created", "", "", None, first[-2])
    assert all(update == gr.skip() for update in again)


def test_start_with_wrong_values_writes_nothing_and_says_all(page: Page, workspace: Workspace) -> None:
    held = {name: field.value for name, field in page.form.widgets.items()} | {"learning_rate": "abc", "lora_rank": "0"}
    answer = page.train.begin("zh", *[held[name] for name in _order(page)])
    assert "learning_rate" in answer[0] and "lora_rank" in answer[0] and "abc" in answer[1]
    assert answer[-1] == gr.skip()
    assert not [path for path in workspace.saves.iterdir() if not path.name.startswith(".")]


@pytest.mark.parametrize("rate", ["abc", "0", "-1", "inf", "nan", "1e999"])
def test_a_wrong_learning_rate_stands_beside_its_field(page: Page, rate: str) -> None:
    held = {name: field.value for name, field in page.form.widgets.items()} | {"learning_rate": rate}
    assert "learning_rate" in page.train.look("en", *[held[name] for name in _order(page)])[1]


def loaded(page: Page, path: Path) -> tuple[list[Any], list[Any]]:
    """What loading a recipe does to the fields, and to everything else."""
    answer = page.train.read_yaml("en", str(path))
    return answer[: len(page.form.inputs)], answer[len(page.form.inputs) :]


def test_a_yaml_with_mistakes_changes_no_field(page: Page, tmp_path: Path) -> None:
    for text in ("lora_rank: abc\n", "a: 1\na: 2\n", "x:\n\t- 1\n", "lora_rnak: 8\n", "lora_rank: [1, 2]\n", "- 1\n"):
        path = tmp_path / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        fields, others = loaded(page, path)
        assert all(update == gr.skip() for update in fields)
        assert "problem" in others[0] and others[-1] == gr.skip()


def test_a_good_yaml_fills_the_form(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("finetuning_type: lora\nlora_rank: 16\nlearning_rate: 5e-5\ndev_ratio: 0.1\n", encoding="utf-8")
    fields, others = loaded(page, path)
    values = dict(zip(_order(page), (update.get("value") for update in fields), strict=True))
    assert (values["lora_rank"], values["learning_rate"], values["val_size"]) == ("16", "5e-5", "0.1")
    assert others[-1] == {"lora_rank": 16, "learning_rate": 5e-5, "val_size": 0.1}
