"""What a judge said, in words: who won how often, how far it can be trusted, what it has cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.scores import judge, statistics
from studio.scores.report.wording import Said, Speech, chance
from studio.scores.summary import shown
from studio.texts import say


def told(results: Path) -> list[Said]:
    """The sentences on a judge's verdicts in an evaluation's results; none where no judge was asked."""
    found = judge.load(results)
    if found is None:
        return []
    try:
        return [*map(_bout, found["pairs"]), *(_rating(name, one) for name, one in found["ratings"].items()),
                _trust(found.get("agreement"), found["mode"]), _cost(found["cost"])]
    except (KeyError, TypeError):
        return []


def _said(part: str, /, **values: Any) -> Said:
    return Said(f"scores.judge.{part}", values)


def _bout(one: Mapping[str, Any]) -> Said:
    way = "open" if one["p"] >= statistics.LEVEL else "won" if one["wins"] > one["losses"] else "lost"
    return _said("bout", a=one["a"], b=one["b"], wins=one["wins"], losses=one["losses"], ties=one["ties"],
                 turned=one["turned"], missing=one["missing"], p=chance(one["p"]), verdict=_said(f"verdict.{way}"))


def _rating(name: str, one: Mapping[str, Any]) -> Said:
    value, low, high = shown(one)
    return _said("rated", model=name, value=value, low=low, high=high, n=one["n"], missing=one["missing"])


def _trust(one: Mapping[str, Any] | None, mode: str) -> Said:
    if mode == judge.RATE:
        return _said("trust.rating")
    if one is None or one["kappa"] is None:
        return _said("trust.unknown")
    word: Speech = lambda lang: say(lang, f"scores.kappa.{one['word']}")  # noqa: E731
    part = "told" if one["enough"] else "few"
    return _said(f"trust.{part}", n=one["n"], kappa=f"{one['kappa']:.2f}", low=f"{one['low']:.2f}",
                 high=f"{one['high']:.2f}", word=word)


def _cost(one: Mapping[str, Any]) -> Said:
    if one.get("money") is None:
        return _said("cost", calls=one["calls"], read=one["tokens_in"], written=one["tokens_out"])
    return _said("cost_money", calls=one["calls"], read=one["tokens_in"], written=one["tokens_out"],
                 money=f"{one['money']:.2f}")
