"""The Chat tab in a real browser with the real engine: a checkpoint beside its base, votes, branches, a running run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio.data.catalogue import Catalogue
from studio.texts import say
from studio.workspace import Workspace
from tests.browser.conftest import PROJECT, Studio
from tests.chats.a_server import KEY, AServer

PATIENCE = 90_000
BOX = "#chat .composer textarea[name=text]"
DONE = "() => document.querySelector('#chat .answer') && !document.querySelector('#chat .is-answering')"


@pytest.fixture(scope="module")
def server() -> Iterator[AServer]:
    """Another machine of the OpenAI protocol, whose models answer as their names say."""
    found = AServer()
    yield found
    found.close()


def ask(page: Any, text: str) -> None:
    """Send a question as a hand does, and wait for every answer."""
    turns = page.locator("#chat .turn-of").count()
    page.fill(BOX, text)
    page.press(BOX, "Enter")
    page.wait_for_function(f"() => document.querySelectorAll('#chat .turn-of').length > {turns}", timeout=PATIENCE)
    page.wait_for_function(DONE, timeout=PATIENCE)
    page.wait_for_function("() => window.studio.idle()")


def elsewhere(page: Any, server: AServer, model: str) -> None:
    """Let a model of another machine answer in the first lane, alone."""
    page.wait_for_selector("#chat .lane-head")
    while page.locator("#chat .lane-head").count() > 1:
        count = page.locator("#chat .lane-head").count()
        page.click("#chat .lane-head [data-do=drop] >> nth=-1")
        page.wait_for_function(f"() => document.querySelectorAll('#chat .lane-head').length < {count}")
    page.select_option("#chat .lane-head select", "?")
    page.fill("#chat .other-lane [name=name]", f"{server.url}/v1#{model}")
    page.fill("#chat .other-lane [name=key]", KEY)
    page.click("#chat .other-lane [type=submit]")
    page.wait_for_function(f"() => document.querySelector('#chat .lane-head select')?.value.endsWith('#{model}')")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("locale", "lang"), [("en-US", "en"), ("zh-CN", "zh")])
def test_the_best_step_answers_beside_the_base_and_a_blind_vote_becomes_a_preference_set(
    visit: Any, studio: Studio, finished: str, locale: str, lang: str
) -> None:
    page = visit(locale, path=f"?tab=runs&run={finished}")
    page.click("#run-chat")
    page.wait_for_selector("#chat .lane-head >> nth=1")
    assert page.input_value("#chat .lane-head >> nth=0 >> select") == "starter"
    assert page.input_value("#chat .lane-head >> nth=1 >> select") == finished
    assert re.search(r"\d MB", page.inner_text("#chat .lane-head >> nth=0"))  # what loading takes, before it is done

    ask(page, "12 + 30 = ?")
    base, tuned = (page.inner_text(f"#chat .cell >> nth={place} >> .words") for place in (0, 1))
    assert "42" in base and tuned and tuned != base
    proof = page.inner_text("#chat .cell >> nth=1 >> .proof")
    assert say(lang, "page.chat.proof.at_step", step="24") in proof and re.search(r"[0-9a-f]{8}", proof)
    page.click("#chat .cell >> nth=0 >> .proof summary")
    assert "float32" in page.inner_text("#chat .cell >> nth=0 >> .proof")
    page.click("#chat [data-do=difference]")
    page.wait_for_selector("#chat .compared ins")

    page.click("#chat .quick .tick")
    page.wait_for_function("() => document.querySelector('#chat [name=blind]').checked && studio.idle()")
    ask(page, "7 + 8 = ?")
    round_ = "#chat .turn-of.last"
    hidden = page.inner_text(round_) + page.inner_text("#chat .lanes-of")
    assert finished not in hidden and "starter" not in hidden and page.locator(f"{round_} .proof").count() == 0
    page.click(f"{round_} .ballot .press >> nth=0")
    page.wait_for_selector(f"{round_} .proof >> nth=1")
    assert finished in page.inner_text(round_)
    page.click(f"{round_} .below-turn [data-to=votes]")
    page.wait_for_selector(".results .scale")
    page.click("[data-what=preferences]")
    name = f"votes_{lang}"
    page.fill(".saving [name=name]", name)
    page.click(".saving [type=submit]")
    page.click(f".told a[href*='{name}']")
    page.wait_for_selector(f".set-head h2:has-text('{name}')")
    assert Catalogue(Workspace(studio.root)).entry(name).ranking


@pytest.mark.timeout(240)
def test_a_branch_the_lens_and_the_seed_survive_a_refresh_and_a_second_tab(visit: Any, finished: str) -> None:
    page = visit(path=f"?tab=chat&run={finished}")
    ask(page, "20 + 5 = ?")
    page.hover("#chat .question")
    page.click("#chat [data-do=edit]")
    page.fill("#chat .editing textarea", "3 + 4 = ?")
    page.press("#chat .editing textarea", "Enter")
    page.wait_for_selector("#chat .question .turns-of")
    page.wait_for_function(DONE, timeout=PATIENCE)
    assert "7" in page.inner_text("#chat .cell >> nth=0 >> .words")
    page.click("#chat .cell >> nth=0 >> [data-do=lens]")
    page.click("#chat .lens button.t >> nth=0")
    page.wait_for_selector(".alternatives tr >> nth=4")
    page.click(".alternatives [data-do=from] >> nth=0")
    page.wait_for_selector("#chat .who .turns-of")
    page.wait_for_function(DONE, timeout=PATIENCE)
    chat = page.evaluate("new URLSearchParams(location.search).get('chat')")
    words = page.inner_text("#chat .turns")
    page.reload()
    page.wait_for_selector("#chat .question .turns-of")
    assert "3 + 4 = ?" in page.inner_text("#chat .turns") and "2 / 2" in page.inner_text("#chat .turns")
    second = visit(path=f"?tab=chat&chat={chat}")
    second.wait_for_selector("#chat .question")
    assert second.inner_text("#chat .question") and second.inner_text("#chat .cell .words") in words
    second.click("#chat .question .turn-to >> nth=0")
    second.wait_for_selector("#chat .asked:has-text('20 + 5')")
    page.wait_for_selector("#chat .asked:has-text('20 + 5')", timeout=30_000)  # the first tab follows by itself


@pytest.mark.timeout(240)
def test_a_growing_answer_leaves_typing_alone_goes_on_in_another_tab_and_stops(visit: Any, server: AServer) -> None:
    server.pause = 0.05
    page = visit(path="?tab=chat")
    elsewhere(page, server, "slow")
    page.fill(BOX, "go")
    page.press(BOX, "Enter")
    page.wait_for_selector("#chat .is-answering .words:has-text('word2 ')")
    page.type(BOX, "my next ")
    page.press(BOX, "Shift+Enter")
    length = "() => document.querySelector('#chat .words').innerText.length"
    before = page.evaluate(length)
    page.evaluate("() => { window.seen = 0; new MutationObserver(() => { window.seen += 1; })"
                  ".observe(document.querySelector('#chat .words'), { childList: true }); }")
    page.wait_for_timeout(2000)
    assert page.evaluate(length) > before and page.evaluate("window.seen") <= 13
    assert page.input_value(BOX) == "my next \n"
    second = visit(path=f"?tab=chat&chat={page.evaluate('new URLSearchParams(location.search).get(`chat`)')}")
    second.wait_for_selector("#chat .is-answering .words:has-text('word2 ')")
    second.click("#chat .composer .stop")
    for one in (page, second):
        one.wait_for_selector("#chat .answer.is-stopped")
    assert page.input_value(BOX) == "my next \n"
    server.pause = 0.01


def test_nothing_that_a_model_says_is_run_and_code_is_copied(visit: Any, server: AServer, chromium: Any) -> None:
    context = chromium.new_context(locale="en-US", permissions=["clipboard-read", "clipboard-write"])
    page = visit(path="?tab=chat", context=context)
    elsewhere(page, server, "echo")
    image = "<img src=x onerror=window.hit=1>"
    ask(page, f"{image} [x](javascript:window.hit=1) $\\text{{{image}}}$\n\n"
              "```python\nprint('<b>')\n```\n\n$\\frac{1}{2}$")
    words = "#chat .answer .words"
    assert page.evaluate("window.hit") is None and page.locator(f"{words} img, {words} script").count() == 0
    assert page.evaluate(f"document.querySelector('{words} mfrac').getBoundingClientRect().height") > 10
    page.click(f"{words} [data-copy-code]")
    page.wait_for_selector(f"{words} [data-copy-code]:has-text('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == "print('<b>')"
    context.close()


@pytest.mark.timeout(240)
def test_an_engine_that_was_killed_is_begun_again(visit: Any, studio: Studio, finished: str) -> None:
    page = visit(path=f"?tab=chat&run={finished}")
    ask(page, "1 + 1 = ?")
    assert studio.process is not None
    engines = [one for one in psutil.Process(studio.process.pid).children() if "studio.engine" in one.cmdline()]
    for one in engines:
        one.send_signal(signal.SIGKILL)
    assert engines
    ask(page, "2 + 2 = ?")
    assert "4" in page.inner_text("#chat .turn-of.last .cell >> nth=0 >> .words")


@pytest.mark.timeout(240)
def test_a_running_runs_checkpoint_talks_and_the_engine_says_what_it_takes(visit: Any, studio: Studio) -> None:
    recipe = Path(studio.root) / "long.yaml"
    recipe.write_text("max_steps: 100000\nsave_steps: 40\neval_steps: 4000\nsave_total_limit: 500\ncpu_threads: 1\n"
                      "logging_steps: 10\noutput_dir: still-running\n", encoding="utf-8")
    run = subprocess.Popen([sys.executable, "-m", "studio.cli", "train", str(recipe), "--root", str(studio.root)],
                           cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        until = time.monotonic() + 60
        while not list(Path(studio.root).glob("saves/still-running/checkpoints/step-*/complete")):
            assert time.monotonic() < until and run.poll() is None
            time.sleep(0.2)
        page = visit(path="?tab=runs&run=still-running")
        page.click("#run-pages button[role=tab][data-tab-id=checkpoints]")
        page.click("#run-checkpoints a[data-go] >> nth=0")
        page.wait_for_selector("#chat .engine select")
        assert "still-running/step-" in page.input_value("#chat .lane-head >> nth=1 >> select")
        assert "still-running" in page.inner_text("#chat .engine")
        ask(page, "9 + 9 = ?")
        assert page.inner_text("#chat .cell >> nth=1 >> .words")
        page.wait_for_function("() => / MB/.test(document.querySelector('#chat .engine').innerText)")
        page.select_option("#chat .engine select", "1")
        page.wait_for_function("() => studio.idle()")
        ask(page, "9 + 1 = ?")
        assert page.inner_text("#chat .turn-of.last .cell >> nth=0 >> .words")
    finally:
        stop = [sys.executable, "-m", "studio.cli", "runs", "stop", "still-running", "--root", str(studio.root)]
        subprocess.run(stop, cwd=PROJECT, capture_output=True, check=False, timeout=60)
        run.wait(60)
