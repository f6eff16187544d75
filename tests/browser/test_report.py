"""The report in a real browser, without a network: opened, read in both languages, on a phone, in the dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.scores.a_report import written


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return (written(tmp_path_factory.mktemp("run") / "results") / "report.html").as_uri()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_report_opens_without_a_network_and_nothing_in_it_runs(chromium: Any, address: str, scheme: str,
                                                                   width: int) -> None:
    context = chromium.new_context(offline=True, color_scheme=scheme, viewport={"width": width, "height": 900})
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: said.append(message.text))
    page.goto(address)
    for opened in page.query_selector_all("details:not([open]) > summary"):
        opened.click()
    assert page.inner_text("h2 >> nth=0") == "Scores"
    assert "<script>alert(1)</script>" in page.inner_text(".page")
    page.click("label[for=to-zh]")
    assert page.inner_text("h2 >> nth=0") == "\u5206\u6570" and "Reference" not in page.inner_text(".page")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.scripts.length + document.images.length") == 0
    assert asked == [address] and said == []
    context.close()


def test_the_language_is_changed_by_keys_alone(chromium: Any, address: str) -> None:
    context = chromium.new_context(offline=True)
    page = context.new_page()
    page.goto(address)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("h2 >> nth=0") == "\u5206\u6570"
    context.close()


def test_an_answer_that_closes_the_page_does_not(chromium: Any, address: str) -> None:
    context = chromium.new_context(offline=True)
    page = context.new_page()
    page.goto(address)
    assert page.evaluate("getComputedStyle(document.body).display") == "block"
    assert page.is_visible("footer")
    context.close()
    assert Path(address.removeprefix("file://")).is_file()
