"""The Evaluate tab in a real browser with the real engine: a run beside its base, scored, read, reported."""

from __future__ import annotations

import re
from typing import Any

import pytest

from studio.texts import say
from tests.browser.conftest import Studio

PATIENCE = 120_000
IDLE = "() => window.studio.idle()"


def press(page: Any, selector: str) -> None:
    """Press, and wait until the studio has answered."""
    page.click(selector)
    page.wait_for_function(IDLE)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("locale", "lang"), [("en-US", "en"), ("zh-CN", "zh")])
def test_a_run_is_scored_beside_its_base_and_every_answer_can_be_read(
    visit: Any, studio: Studio, finished: str, chromium: Any, locale: str, lang: str
) -> None:
    page = visit(locale, path=f"?tab=runs&run={finished}")
    page.click("#run-evaluate")
    page.wait_for_selector("#evaluate-list .setup .primary")
    assert page.input_value("#evaluate-list [name=model] >> nth=1") == finished
    assert page.input_value("#evaluate-list [name=ask]") == f"run:{finished}"
    press(page, "#evaluate-list .setup .primary")
    page.wait_for_selector("#evaluate .course, #evaluate .scores", timeout=PATIENCE)
    assert "starter-evaluate" in page.url
    page.reload()  # nobody has to stay and watch
    page.wait_for_selector("#evaluate .scores .metric svg .mark", timeout=PATIENCE)

    figures = page.inner_text("#evaluate .metrics .metric >> nth=0 >> .dots")
    assert len(re.findall(r"\d %", figures)) == 2
    counts = [int(one.split()[0]) for one in page.locator("#evaluate .press.bucket b").all_inner_texts()]
    assert counts[0] == 16 == sum(counts[1:])
    wrong = next(place for place in range(1, 5) if counts[place])
    press(page, f"#evaluate .press.bucket >> nth={wrong}")
    assert page.locator("#evaluate .answer-row").count() == counts[wrong]
    press(page, "#evaluate .question-of >> nth=0")
    press(page, "#evaluate .one-row [data-do=tokens] >> nth=1")
    page.wait_for_selector("#evaluate .one-row .tokens b.t.trained")
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.is_visible("#evaluate .press.back") and not page.is_visible("#evaluate-list .setup")
    page.set_viewport_size({"width": 1280, "height": 900})

    report = page.get_attribute("#evaluate .ways-of a.press", "href")
    context = chromium.new_context(locale=locale)
    alone = context.new_page()
    alone.goto(studio.address + str(report).removeprefix("./"))
    assert finished in alone.inner_text("h1 + *, body") and alone.locator("svg .mark").count() >= 2
    context.close()

    question = page.inner_text("#evaluate .question-of >> nth=0")
    press(page, "#evaluate .one-row [data-do=chat]")
    page.wait_for_selector("#chat .lane-head >> nth=1")
    assert page.input_value("#chat .composer textarea[name=text]").startswith(question.removesuffix(" …"))
    page.go_back()
    page.wait_for_selector("#evaluate .scores")
    assert say(lang, "page.evaluate.scores.pairs") in page.inner_text("#evaluate-body")

    run = re.search(r"run=([^&]+)", page.url)
    assert run
    page.goto(f"{studio.address}?tab=runs&run={run[1]}")
    page.wait_for_selector("#run-summary .scores-of td")
    assert finished in page.inner_text("#run-summary .scores-of")
    for part in ("#figure-run-loss", "#run-page-curves-button", "#run-page-checkpoints-button"):
        assert not page.is_visible(part)
    page.click("#run-duplicate")
    page.wait_for_selector("#evaluate-list .setup .primary")
    assert page.input_value("#evaluate-list [name=model] >> nth=1") == finished
    assert page.input_value("#evaluate-list [name=ask]") == f"run:{finished}"
    page.click("#tab-runs-button")
    page.click(f"#runs-table tr[data-run='{finished}']")
    page.wait_for_selector("#run-page-curves-button")  # a training has them again


@pytest.mark.timeout(200)
def test_an_evaluation_is_stopped_from_the_page_and_goes_on_where_it_was(visit: Any, finished: str) -> None:
    page = visit(path=f"?tab=evaluate&run={finished}")
    page.wait_for_selector("#evaluate-list .setup .primary")
    page.select_option("#evaluate-list [name=ask]", "set:number_words")
    page.fill("#evaluate-list [name=max_samples]", "700")
    page.press("#evaluate-list [name=max_samples]", "Tab")
    told = "document.querySelector('#evaluate-list .setup > .note')?.textContent"
    page.wait_for_function(f"() => {told}.includes('1,400')")
    press(page, "#evaluate-list .setup .primary")
    page.wait_for_selector("#evaluate .answer-row", timeout=PATIENCE)
    press(page, "#evaluate .course .press.stop")
    page.wait_for_selector("#evaluate [data-do=resume]", timeout=PATIENCE)
    done = re.search(r"(\d[\d,]*) of 1,400", page.inner_text("#evaluate .trouble"))
    assert done and 0 < int(done[1].replace(",", "")) < 1400
    press(page, "#evaluate [data-do=resume]")
    page.wait_for_selector("#evaluate .course", timeout=PATIENCE)
    page.wait_for_function(
        "done => +(document.querySelector('#evaluate .figure-of')?.textContent.split('/')[0].replace(/\\D/g, '') || 0)"
        " >= done", arg=int(done[1].replace(",", "")), timeout=PATIENCE)
    press(page, "#evaluate .course .press.stop")
    page.wait_for_selector("#evaluate [data-do=resume], #evaluate .scores", timeout=PATIENCE)


@pytest.mark.timeout(60)
def test_what_can_be_asked_is_there_before_anything_was(visit: Any) -> None:
    page = visit("zh-CN", path="?tab=evaluate", width=390)
    page.wait_for_selector("#evaluate-list .setup .primary")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    press(page, "#evaluate-list summary >> nth=0")
    assert say("zh", "metrics.exact_match.help") in page.inner_text("#evaluate-list .metric-ticks")
