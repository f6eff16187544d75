"""The Data tab when things break: a large set whose saving is killed, a download from a hub that is cancelled."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.data import jobs
from studio.data.versions import Versions
from studio.records import read_json
from studio.texts import say
from studio.workspace import Workspace
from tests.browser.conftest import PATIENCE, Studio
from tests.cli.client import wait
from tests.data.hub_server import Faults, hub

# A million rows take two minutes more: STUDIO_TEST_ROWS=1000000.
ROWS = int(os.environ.get("STUDIO_TEST_ROWS", "250000"))
AT = ROWS * 9 // 10
WORDS = {"first": "written and undone", "second": "written to stay"}
HUB_ROWS = "".join(json.dumps({"instruction": f"question {n}", "output": "a" * 80}) + "\n" for n in range(40_000))


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Studio]:
    """A studio of this test's own, which it may kill."""
    studio = Studio(tmp_path)
    (tmp_path / "data").mkdir()
    yield studio
    studio.end()


@pytest.fixture
def opened(chromium: Any, alone: Studio) -> Iterator[Any]:
    """`opened("?tab=data", "zh-CN")` opens the studio's page."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})

    def open_page(path: str) -> Any:
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 3)
        page.goto(alone.address + path)
        page.wait_for_function("window.studio && studio.go && window.Plotly")
        return page

    yield open_page
    context.close()


def edit(page: Any, words: str) -> None:
    """Write into the answer of the row."""
    page.click(f"[data-key=row-{AT}] [data-do=edit]")
    page.fill(".editor [name=cell-1]", words)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(f"[data-key=row-{AT}].edited:has-text('{words}')")


def killed_in_mid_save(studio: Studio, workspace: Workspace) -> None:
    """Kill the saving job while its rows are half-written, and the studio."""
    room, until = workspace.data / "versions" / "large", time.monotonic() + 60
    while not any(path.stat().st_size for path in room.glob("*/rows.jsonl") if not path.parent.name.isdecimal()):
        assert time.monotonic() < until, list(room.rglob("*"))
    job = jobs.listed(workspace, "version")[0]
    os.kill((read_json(job.path / "process.json") or {})["pid"], signal.SIGKILL)
    studio.end(signal.SIGKILL)
    wait(lambda: job.look().state != jobs.RUNNING, 20)  # the system takes a moment to bury it
    assert job.look().state == jobs.FAILED and Versions(workspace).of("large")[-1].number == 1


@pytest.mark.timeout(900)
def test_a_studio_killed_in_mid_save_loses_nothing(alone: Studio, opened: Any) -> None:
    path, workspace = alone.root / "data" / "large.jsonl", Workspace(alone.root)
    with open(path, "w", encoding="utf-8") as file:
        for number in range(ROWS):
            file.write(f'{{"instruction": "Question {number}, and {"more " * 10}?", "output": "Answer {number}."}}\n')
    before = path.stat()
    alone.start()
    page = opened("?tab=data&set=large&part=rows")
    page.wait_for_selector("[data-key=row-0]")
    page.fill(".tools [name=number]", str(AT + 1))
    page.keyboard.press("Enter")
    page.wait_for_selector(f"[data-key=row-{AT}]:has-text('Answer {AT}.')")
    edit(page, WORDS["first"])
    page.click("[data-do=undo]")
    page.wait_for_selector(f"[data-key=row-{AT}]:not(.edited):has-text('Answer {AT}.')")
    edit(page, WORDS["second"])
    page.click("[data-do=save_version]")
    killed_in_mid_save(alone, workspace)

    # started again: the draft is there, and the second try to save it ends well
    alone.start()
    page = opened("?tab=data&set=large&part=rows")
    page.wait_for_selector(".unsaved")
    assert say("en", "page.data.edit.edited", count="1") in page.inner_text(".unsaved")
    assert Versions(workspace).draft("large").edits.changed[AT]["output"] == WORDS["second"]
    page.click("[data-do=save_version]")
    page.wait_for_function("location.search.includes('large%402')", timeout=300_000)
    versions = Versions(workspace)
    assert versions.index("large", 2).rows == ROWS and not versions.draft("large").edits
    assert versions.index("large", 2).row(AT)[1]["output"] == WORDS["second"]
    assert versions.index("large", 2).row(AT - 1)[1]["output"] == f"Answer {AT - 1}."
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert [one.number for one in versions.of("large")] == [1, 2]


@pytest.mark.timeout(300)
def test_a_set_of_a_hub_is_fetched_cancelled_and_gone_on_with(
    alone: Studio, opened: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    faults, body = Faults(seconds=0.25), HUB_ROWS.encode()
    with hub({}, datasets={"somebody/talks": {"train.jsonl": body}}, faults=faults) as (address, asked):
        for name, value in (("HF_ENDPOINT", address), ("HF_HOME", str(tmp_path / "home")), ("HF_HUB_OFFLINE", "0")):
            monkeypatch.setenv(name, value)
        alone.start()
        page = opened("?tab=data&part=bring")
        fetch(page)
        page.wait_for_function(
            "() => { const bar = document.querySelector('.working [role=progressbar]');"
            " return bar && +bar.ariaValueNow > 5 && +bar.ariaValueNow < 95; }"
        )
        page.click(".working [data-do=cancel]")
        page.wait_for_selector(f".inside :text('{say('en', 'page.data.work.cancelled')}')")
        assert jobs.listed(Workspace(alone.root), "fetch")[0].look().state == jobs.CANCELLED
        assert page.locator(".working").count() == 0 and page.locator(".mapping").count() == 0

        # once more: it goes on where it stopped
        faults.seconds = 0.0
        fetch(page)
        page.wait_for_selector(".mapping")
        assert any(int(one.rpartition(" ")[2]) > 0 for one in faults.ranges), asked
        page.fill(".naming [name=name]", "talks")
        page.click(".naming [type=submit]")
        page.wait_for_selector(".rows .row:has-text('question 0')")
    brought = next((alone.root / "data" / "hub").rglob("train.jsonl"))
    assert brought.read_bytes() == body


def fetch(page: Any) -> None:
    """Ask for the set by its name on the hub."""
    page.select_option(".inside [name=hub]", "huggingface")
    page.fill(".inside [name=name]", "somebody/talks")
    page.click(".inside form [type=submit]")
