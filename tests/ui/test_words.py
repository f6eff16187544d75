"""One event relabels everything and touches no value; every word has both languages."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import gradio as gr
import pytest

from studio.specs.train import ARGUMENTS
from studio.texts import LANGUAGES, has, say
from studio.ui.first_page import FirstPage, chosen
from studio.ui.localize import preferred
from studio.ui.page import Page

UI = Path(__file__).resolve().parents[2] / "studio" / "ui"
CJK = re.compile(r"[\u4e00-\u9fff]")


def keys() -> list[str]:
    """Every whole sentence key that stands in the page's code."""
    found = set()
    for path in UI.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and re.fullmatch(r"page(\.[a-z_]*[a-z]){2,3}", node.value)
            ):
                found.add(node.value)
    return sorted(found)


@pytest.mark.parametrize("key", keys())
def test_every_sentence_exists_in_every_language(key: str) -> None:
    assert all(has(lang, key) for lang in LANGUAGES), key


def test_relabelling_touches_no_value(page: Page) -> None:
    fields = set(page.form.widgets.values())
    for component, update in zip(page.words.components, page.words.again("zh"), strict=True):
        if component in fields or isinstance(component, gr.Textbox | gr.Dropdown | gr.Checkbox | gr.Radio):
            assert "value" not in update
            assert set(update) <= {"label", "info", "placeholder", "choices", "__type__"}


def test_relabelling_keeps_the_values_of_choices(page: Page) -> None:
    for name, field in page.form.widgets.items():
        if isinstance(field, gr.Dropdown):
            said = {lang: dict(page.words.of_config(lang))[field._id].get("choices") for lang in LANGUAGES}
            values = [[value for _, value in choices] for choices in said.values()]
            assert values[0] == values[1], name


def test_every_field_has_its_words(page: Page) -> None:
    for name, field in page.form.widgets.items():
        for lang in LANGUAGES:
            said = page.words.of_config(lang)[field._id]
            assert said["label"] == say(lang, f"arguments.{name}.label")
            assert say(lang, f"arguments.{name}.tip") in said["info"]


def test_every_argument_has_a_widget(page: Page) -> None:
    assert set(page.form.widgets) == set(ARGUMENTS)


def test_the_served_configuration_holds_no_chinese_in_english_but_the_name_of_the_language(page: Page) -> None:
    said = json.dumps(page.words.of_config("en"), ensure_ascii=False, default=str)
    assert not CJK.search(said)


@pytest.mark.parametrize(
    ("cookie", "accepted", "insist", "wanted"),
    [
        ("", "zh-CN,zh;q=0.9", False, "zh"),
        ("", "de-DE,en;q=0.5", False, "en"),
        ("", "fr", False, "zh"),
        ("studio_lang=en", "zh-CN", False, "en"),
        ("studio_lang=xx", "en", False, "en"),
        ("", "en", True, "zh"),
        ("studio_lang=en", "zh", True, "en"),
        ("a=b; studio_lang=zh", "", False, "zh"),
    ],
)
def test_the_language_is_the_remembered_then_the_browsers_then_the_studios(
    cookie: str, accepted: str, insist: bool, wanted: str
) -> None:
    headers = [(b"cookie", cookie.encode()), (b"accept-language", accepted.encode())]
    assert chosen(headers, "zh", insist) == wanted


def test_the_first_of_our_languages_wins() -> None:
    assert preferred("ja,zh-TW;q=0.8,en;q=0.5", "en") == "zh"
    assert preferred("", "zh") == "zh"


def test_user_text_cannot_end_the_configurations_script(page: Page) -> None:
    before = '<html\n\tlang="en"><head></head><script>window.gradio_config = '
    config = {"components": [{"id": -1, "props": {"value": "</script><script>alert(1)</script><!--"}}], "title": ""}
    rewritten = FirstPage(None, page.words, page.lang._id, "en").rewritten(
        before + json.dumps(config) + ";</script>", "zh"
    )
    assert "</script><script>alert" not in rewritten
    assert "<!--" not in rewritten
