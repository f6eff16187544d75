"""The main trip in a real browser: Start, watch, lose everything that can be lost, stop, resume, finish."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.browser.conftest import Studio, points, state, step, wait_for_points, wait_for_state

LABELS = {"en": ("Epochs", "训练轮数"), "zh": ("训练轮数", "Epochs")}
GONE = {"en": "does not answer", "zh": "没有回应"}


LONG = "10"
KEPT = "#arg-lora_alpha input"


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("locale", "tag"), [("en-US", "en"), ("zh-CN", "zh-CN")])
def test_start_with_defaults_draws_a_curve_and_finishes(studio: Studio, visit: Any, locale: str, tag: str) -> None:
    page = visit(locale)
    assert page.evaluate("document.documentElement.lang") == tag
    page.click("#start")
    wait_for_state(page, "running")
    wait_for_points(page, 0)
    name = page.inner_text("#live-head .name")
    assert (studio.root / "saves" / name / "spec.yaml").exists()
    assert f"run={name}" in page.url
    wait_for_points(page, points(page))
    wait_for_state(page, "finished")
    assert page.is_visible("#live-further")
    assert page.inner_text("#live-head .happened")
    assert page.inner_text("#pulse")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("locale", "lang", "other"), [("zh-CN", "zh", "en")])  # it goes from one language to the other
def test_a_run_outlives_everything_that_shows_it(
    studio: Studio, visit: Any, locale: str, lang: str, other: str
) -> None:
    page = visit(locale)
    page.fill("#arg-num_train_epochs input", LONG)
    page.click("#start")
    wait_for_state(page, "running")
    wait_for_points(page, 0)
    name = page.inner_text("#live-head .name")

    # refresh, and a second tab without an address
    before = step(page)
    page.reload()
    wait_for_points(page, 0)
    assert page.inner_text("#live-head .name") == name and step(page) >= before
    second = visit(context=page.context)
    wait_for_points(second, 0)
    assert second.inner_text("#live-head .name") == name
    second.close()

    # the language switched in mid-run keeps what was typed
    page.fill(KEPT, "7")
    page.click(f"#lang label:has(input[value={other}])")
    page.wait_for_selector(f"#arg-num_train_epochs :text-is('{LABELS[lang][1]}')")
    assert page.input_value(KEPT) == "7" and page.input_value("#arg-num_train_epochs input") == LONG
    assert state(page) == "running"

    # the studio is killed and started again: the page says so and comes back by itself
    at = step(page)
    studio.end(signal.SIGKILL)
    page.wait_for_selector("#gone")
    assert GONE[other] in page.inner_text("#gone")
    studio.start()
    page.wait_for_selector("#gone", state="detached")
    wait_for_points(page, 0)
    page.wait_for_function("at => +document.querySelector('#live-head .status')?.dataset.step >= at", arg=at)
    assert page.inner_text("#live-head .name") == name
    assert page.input_value(KEPT) == "7"

    # stop, resume, and on to the end
    page.click("#live-stop")
    wait_for_state(page, "stopped")
    stopped = step(page)
    page.click("#live-resume")
    wait_for_state(page, "running")
    page.wait_for_function("at => +document.querySelector('#live-head .status')?.dataset.step > at", arg=stopped)
    wait_for_state(page, "finished", patience=240_000)
    assert page.inner_text("#live-head .name") == name
    page.click("#reset")
