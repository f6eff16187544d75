"""The forgetting guard in a report: the verdict, and every kind of question before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from studio.scores.guard import GENERAL, Guard
from studio.scores.report import verdict
from studio.scores.report.wording import Speech, headline, said
from studio.scores.summary import Summary, shown

COLUMNS = ("area", "model", "share", "interval", "rows")


def sentences(task: Summary, found: Guard | None, judged: Sequence[Speech]) -> list[Speech]:
    """What a report says first: the scores' verdict, the guard's, the judge's."""
    kept = [] if found is None else verdict.sentences(found, task)
    return [*headline(task), *kept, *judged]


def heads() -> list[Speech]:
    """The titles of the columns of `rows`."""
    return [said(f"guard.{name}") for name in COLUMNS]


def rows(found: Guard) -> Iterator[Sequence[Speech]]:
    """Area by area, each model's share of right answers."""
    for area in (GENERAL, *found.areas):
        for model in found.models:
            one = found.scores[model][area]
            value, low, high = shown(one, 100)
            yield verdict.area_name(area), _plain(model), _plain(f"{value} %"), _plain(f"{low} – {high}"), \
                _plain(str(one.n))


def _plain(text: str) -> Speech:
    return lambda lang: text
