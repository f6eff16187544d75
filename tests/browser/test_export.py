"""The Export tab in a real browser with the real engine: a run taken home, compared, asked, downloaded, deleted."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from studio.texts import say
from tests.browser.conftest import Studio

PATIENCE = 180_000
IDLE = "() => window.studio.idle()"
BEGIN = "#export-body .takes [type=submit].primary"


def press(page: Any, selector: str) -> None:
    """Press, and wait until the studio has answered."""
    page.click(selector)
    page.wait_for_function(IDLE)


def opened(page: Any) -> str:
    """The export in sight."""
    return str(page.evaluate("new URLSearchParams(location.search).get('run')"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("locale", "lang"), [("en-US", "en"), ("zh-CN", "zh")])
def test_a_run_is_taken_home_compared_with_itself_and_asked_in_chat(
    visit: Any, studio: Studio, finished: str, locale: str, lang: str
) -> None:
    page = visit(locale, path=f"?tab=runs&run={finished}")
    page.click("#run-export")
    page.wait_for_selector(BEGIN)
    assert page.input_value("#export-body [name=model]") == finished
    assert page.is_checked("#export-body [name=export_to][value=merged]")
    page.click("#export-body [data-key=more] summary")
    page.fill("#export-body [name=acceptance_rows]", "4")
    page.press("#export-body [name=acceptance_rows]", "Control+Enter")  # what is typed is taken along
    page.wait_for_selector("#export .phases, #export .accepted", timeout=PATIENCE)
    name = opened(page)
    assert name
    page.reload()  # nobody has to stay and watch
    page.wait_for_selector("#export .accepted.passed", timeout=PATIENCE)
    assert say(lang, "page.export.verdict.passed") in page.inner_text("#export-list")
    assert page.locator("#export .short-talk tbody tr").count() == 3
    record = json.loads((studio.root / "saves" / name / "results" / "export.json").read_text())
    assert record["acceptance"]["rows"] == 4 and record["acceptance"]["token_agreement"] > 0.95

    with page.expect_download() as caught:
        page.click("#export .ways-of a[download]")
    archive = zipfile.ZipFile(io.BytesIO(Path(caught.value.path()).read_bytes()))
    assert archive.testzip() is None and f"{name}/model.safetensors" in archive.namelist()

    page.set_viewport_size({"width": 390, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.is_visible("#export .press.back") and not page.is_visible("#export-list .shelf")
    page.set_viewport_size({"width": 1280, "height": 900})

    page.click("#export [data-do=chat]")
    page.wait_for_selector("#chat .lane-head >> nth=1")
    page.fill("#chat .composer textarea[name=text]", "12 + 30 = ?")
    page.press("#chat .composer textarea[name=text]", "Enter")
    page.wait_for_function("() => document.querySelectorAll('#chat .turn .proof, #chat .proof').length >= 2",
                           timeout=PATIENCE)
    page.get_by_role("tab", name=say(lang, "page.tabs.export")).click()
    page.wait_for_selector("#export .accepted")


@pytest.mark.timeout(200)
def test_an_export_is_stopped_goes_on_and_is_deleted_and_had_back(visit: Any, studio: Studio, finished: str) -> None:
    page = visit(path=f"?tab=export&run={finished}")
    page.wait_for_selector(BEGIN)
    page.click("#export-body [data-key=more] summary")
    page.fill("#export-body [name=acceptance_rows]", "300")
    page.press("#export-body [name=acceptance_rows]", "Tab")
    page.wait_for_function(IDLE)
    press(page, BEGIN)
    page.wait_for_selector("#export .course .press.stop", timeout=PATIENCE)
    name = opened(page)
    page.wait_for_function("() => document.querySelector('#export .phases .now')", timeout=PATIENCE)
    press(page, "#export .course .press.stop")
    page.wait_for_selector("#export .trouble [type=submit]", timeout=PATIENCE)
    assert not (studio.root / "saves" / name / "export").exists()
    press(page, "#export .trouble [type=submit]")
    page.wait_for_selector("#export .course", timeout=PATIENCE)
    press(page, "#export .course .press.stop")
    page.wait_for_selector("#export .trouble, #export .accepted", timeout=PATIENCE)
    press(page, "#export .ways-of [data-do=remove]")
    page.wait_for_selector("#export .undo")
    assert not (studio.root / "saves" / name).exists() and name in page.inner_text("#export .undo")
    press(page, "#export .undo [data-do=restore]")
    assert (studio.root / "saves" / name).is_dir() and opened(page) == name


@pytest.mark.timeout(120)
def test_the_forms_are_chosen_by_keyboard_and_a_password_is_kept_while_the_rest_is_mended(
    visit: Any, finished: str
) -> None:
    page = visit(path="?tab=export")
    page.wait_for_selector(BEGIN)
    page.focus("#export-body [name=export_to][value=merged]")
    page.keyboard.press("ArrowDown")
    page.wait_for_function(IDLE)
    chosen = "document.querySelector('#export-body [name=export_to]:checked')"
    assert page.evaluate(f"{chosen}.value") != "merged"
    assert page.evaluate(f"document.activeElement === {chosen}")
    press(page, "#export-body [name=export_to][value=hub]")
    page.fill("#export-body [name=token]", "hf_secret")
    press(page, BEGIN)
    page.wait_for_selector("#export-body [data-key=of-hub_repo] .problem")
    assert page.input_value("#export-body [name=token]") == "hf_secret"
    assert "hf_secret" not in page.content().replace('value="hf_secret"', "")
    page.fill("#export-body [name=hub_repo]", "me/sums")
    page.press("#export-body [name=hub_repo]", "Tab")
    page.wait_for_function(IDLE)
    assert not page.locator("#export-body [data-key=of-hub_repo] .problem").count()
    assert page.input_value("#export-body [name=token]") == "hf_secret"


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("locale", "scheme"), [("en-US", "light"), ("zh-CN", "dark")])
def test_the_tab_fits_and_speaks_one_language_on_every_screen(
    visit: Any, finished: str, locale: str, scheme: str
) -> None:
    page = visit(locale, path="?tab=export", width=390, color_scheme=scheme)
    page.wait_for_selector(BEGIN)
    for width in (390, 700, 900, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
    press(page, "#export-body [name=export_to][value=gguf]")
    page.click("#export-body [data-key=more] summary")
    words = page.inner_text("#export-body") + page.inner_text("#export-list")
    assert not re.search(r"\{\w+\}|page\.export|exporters\.", words)
    if locale == "en-US":
        assert not re.search(r"[\u4e00-\u9fff]", words)
    else:
        assert say("zh", "page.export.setup.begin") in words
    nameless = page.evaluate("""() => [...document.querySelectorAll('#export input, #export select, #export button')]
        .filter(e => e.offsetParent && !(e.labels?.length || e.ariaLabel || e.textContent.trim()))
        .map(e => e.outerHTML)""")
    assert nameless == []
