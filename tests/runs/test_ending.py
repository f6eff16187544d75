"""How a run ended is told in one sentence, in the user's language."""

from __future__ import annotations

import pytest

from studio.runs import ladder, stop
from studio.runs.ending import told
from studio.runs.state import State
from studio.texts import say

CASES = [
    (State.FINISHED, {"exit_code": 0}, None), (State.STOPPED, {"exit_code": 0, "escalated": False}, None),
    (State.STOPPED, {"signal": "SIGKILL", "escalated": True}, None), (State.STOPPED, None, None),
    (State.FAILED, {"signal": "SIGSEGV"}, None), (State.FAILED, {"signal": "SIGKILL"}, None),
    (State.FAILED, {"exit_code": 3}, None),
    (State.FAILED, {"exit_code": 1}, {"code": "disk_full", "values": {"path": "x"}}),
    (State.FAILED, {"exit_code": 1}, {"code": "nobody_knows", "values": None}), (State.LOST, None, None),
    (State.FAILED, {"exit_code": 1, "left": [1, 2]}, {"code": "disk_full", "values": {}}),
]


@pytest.mark.parametrize("state, outcome, failure", CASES)
def test_every_ending_has_its_sentence(state, outcome, failure) -> None:
    for lang in ("en", "zh"):
        assert told(lang, state, outcome, failure)


def test_the_sentence_names_what_killed_the_run() -> None:
    assert "SIGSEGV" in told("en", State.FAILED, {"signal": "SIGSEGV"}, None)
    assert "memory" in told("en", State.FAILED, {"signal": "SIGKILL"}, None)
    assert "3" in told("zh", State.FAILED, {"exit_code": 3}, None)
    assert told("en", State.FAILED, {"exit_code": 1}, {"code": "disk_full", "values": {"path": "x"}}) == say(
        "en", "errors.disk_full", path="x")


@pytest.mark.parametrize("state", [State.QUEUED, State.STARTING, State.RUNNING, State.STOPPING])
def test_a_run_that_has_not_ended_has_no_ending(state) -> None:
    assert told("en", state, None, None) == ""


def test_every_state_has_a_name_in_both_languages() -> None:
    assert all(say(lang, f"runs.state.{state.value}") for lang in ("en", "zh") for state in State)


def test_a_full_disk_does_not_make_a_run_unstoppable(bench, waiting, monkeypatch) -> None:
    folder = bench.started("steady")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stop, "write_atomically", full)
    assert stop.ask(folder) == ladder.ORDERLY
    waiting(lambda: folder.outcome.exists())
    assert '"stopped"' in folder.outcome.read_text()
