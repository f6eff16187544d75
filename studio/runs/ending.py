"""How a run ended, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.errors import StudioError
from studio.runs.state import State
from studio.texts import has, say
from studio.texts.errors import of_error


def told(lang: str, state: State, outcome: Mapping[str, Any] | None, failure: Mapping[str, Any] | None) -> str:
    """What happened and what can be done; empty while the run is queued or at work."""
    outcome = outcome or {}
    sentence = _sentence(lang, state, outcome, failure)
    if sentence and outcome.get("left"):
        sentence += "\n" + say(lang, "runs.ending.left", pids=", ".join(map(str, outcome["left"])))
    return sentence


def _sentence(lang: str, state: State, outcome: Mapping[str, Any], failure: Mapping[str, Any] | None) -> str:
    if state is State.FAILED:
        return _failure(lang, failure) or _death(lang, outcome)
    if state is State.STOPPED and (outcome.get("escalated") or not outcome):
        return say(lang, "runs.ending.stopped_hard")
    return say(lang, f"runs.ending.{state.value}") if has(lang, f"runs.ending.{state.value}") else ""


def _failure(lang: str, failure: Mapping[str, Any] | None) -> str:
    """The engine's own words; empty when it left none, or one that no locale knows."""
    code, values = (failure or {}).get("code"), (failure or {}).get("values")
    if not isinstance(code, str) or not has(lang, f"errors.{code}"):
        return ""
    try:
        return of_error(lang, StudioError(code, **(values if isinstance(values, dict) else {})))
    except (KeyError, IndexError, ValueError):
        return ""


def _death(lang: str, outcome: Mapping[str, Any]) -> str:
    signal = outcome.get("signal")
    if signal:
        kind = "failed_memory" if signal == "SIGKILL" else "failed_signal"
        return say(lang, f"runs.ending.{kind}", signal=signal)
    return say(lang, "runs.ending.failed_code", code=outcome.get("exit_code"))
