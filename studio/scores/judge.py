"""A model as judge: what it is asked, what its words mean, and what its verdicts amount to.

Two answers are compared twice, with their places swapped; both verdicts are kept, and only where they agree has one of
them won. An answer can be rated by itself, too. What could not be asked or understood is missing: it is never a zero.
In an evaluation's results: judged.jsonl (every call) and judge.json.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studio.records import read_json, write_json
from studio.scores import statistics
from studio.scores.kappa import Agreement
from studio.texts import say

NAME, CALLS = "judge.json", "judged.jsonl"
COMPARE, RATE = "compare", "rate"
MODES = (COMPARE, RATE)
FIRST, SECOND, TIE = "first", "second", "tie"
LOWEST, HIGHEST = 1, 10
MOST_SHOWN = 6_000  # characters of a question or an answer that a judge is shown
MOST_SAID_TOKENS = 400
KEPT_CHARACTERS = 2_000
_VERDICT = re.compile(r"(?i)\bverdict\W{0,6}(?:answer\W{0,3})?(1|2|tie)\b")
_SCORE = re.compile(r"(?i)\bscore\W{0,6}(\d{1,2}(?:\.\d+)?)(?![\d.]*\d)(?:\s*/\s*10)?")
_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")


@dataclass(frozen=True)
class Case:
    """One thing to be judged: two answers to a question, or (`other` is None) one; `key` names it in the files."""

    key: str
    question: str
    reference: str
    one: str
    other: str | None = None

    @property
    def calls(self) -> tuple[Call, ...]:
        """What must be asked: both orders of two answers, a single one once."""
        return (Call(self, False), Call(self, True)) if self.other is not None else (Call(self, False),)


@dataclass(frozen=True)
class Call:
    """One question to the judge; `swapped` shows the second answer first."""

    case: Case
    swapped: bool

    @property
    def key(self) -> tuple[str, bool]:
        """What names this call in judged.jsonl."""
        return self.case.key, self.swapped

    def messages(self, rubric: str, lang: str) -> list[dict[str, str]]:
        """What the judge is told and asked."""
        one, other = self.case.one, self.case.other
        if self.swapped and other is not None:
            one, other = other, one
        shown = {"question": _cut(self.case.question), "one": _cut(one)}
        reference = say(lang, "scores.judge.reference", text=_cut(self.case.reference)) if self.case.reference else ""
        if other is None:
            asked = say(lang, "scores.judge.ask_rating", reference=reference, **shown)
        else:
            asked = say(lang, "scores.judge.ask_verdict", reference=reference, other=_cut(other), **shown)
        return [{"role": "system", "content": rubric.strip() or own_rubric(lang)},
                {"role": "user", "content": asked}]


@dataclass(frozen=True)
class Judged:
    """What came of one call; `verdict` is about the answers in their own order whatever the places, None is missing.

    It is first, second or tie, or a rating from 1 to 10; `said` are the judge's words, `error` why there are none.
    """

    key: str
    swapped: bool
    verdict: str | float | None
    said: str = ""
    error: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0

    def line(self) -> str:
        """As judged.jsonl has it."""
        return json.dumps({**asdict(self), "said": self.said[:KEPT_CHARACTERS], "seconds": round(self.seconds, 3)},
                          ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Cost:
    """What judging takes: calls, tokens read and written, and money where a price is known."""

    calls: int
    tokens_in: int
    tokens_out: int
    money: float | None = None


@dataclass(frozen=True)
class Bout:
    """What became of two models before the judge: `wins` are of `b`, `turned` verdicts that followed the place."""

    a: str
    b: str
    wins: int
    losses: int
    ties: int
    turned: int
    missing: int
    share: statistics.Interval
    p: float

    def plain(self) -> dict[str, Any]:
        """As judge.json has it."""
        return {**asdict(self), "share": self.share.plain()}


@dataclass
class Verdicts:
    """All that a judge said in an evaluation; `plain` is judge.json.

    `ratings` by model; `agreement` is with the user's own votes, None where there are none to compare with.
    """

    judge: str
    mode: str
    rubric: str
    rows: int
    cost: Cost
    bouts: tuple[Bout, ...] = ()
    ratings: Mapping[str, statistics.Interval] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)
    agreement: Agreement | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        trust = None if self.agreement is None else {
            **asdict(self.agreement), "word": self.agreement.word, "enough": self.agreement.enough}
        return {"judge": self.judge, "mode": self.mode, "rubric": self.rubric, "rows": self.rows,
                "cost": asdict(self.cost), "pairs": [one.plain() for one in self.bouts],
                "ratings": {name: {**one.plain(), "missing": self.missing.get(name, 0)}
                            for name, one in self.ratings.items()}, "agreement": trust}


def own_rubric(lang: str) -> str:
    """The rubric that comes with the studio, to be edited."""
    return say(lang, "scores.judge.rubric")


def understood(call: Call, said: str) -> str | float | None:
    """The verdict in a judge's words, about the answers in their own order; None for prose without one."""
    if call.case.other is None:
        scores = [float(one) for one in _SCORE.findall(said)]
        return scores[-1] if scores and LOWEST <= scores[-1] <= HIGHEST else None
    verdicts = _VERDICT.findall(said) or ([said.strip()] if said.strip().lower() in ("1", "2", TIE) else [])
    if not verdicts or len({one.lower() for one in verdicts}) > 1:
        return None
    last = verdicts[-1].lower()
    return TIE if last == TIE else FIRST if (last == "1") != call.swapped else SECOND


def most_calls(models: int, rows: int, mode: str) -> int:
    """How often a judge is asked at most: each model beside the first in both orders, else every answer once."""
    return 2 * (models - 1) * rows if mode == COMPARE and models > 1 else models * rows


def expected(calls: Iterable[Call], rubric: str, lang: str, price: float | None) -> Cost:
    """About what asking costs, before anything is asked; `price` is for a million tokens."""
    count = tokens = 0
    for call in calls:
        count += 1
        tokens += sum(about_tokens(one["content"]) + 4 for one in call.messages(rubric, lang))
    written = count * MOST_SAID_TOKENS
    return Cost(count, tokens, written, None if price is None else price * (tokens + written) / 1e6)


def spent(judged: Iterable[Judged], price: float | None) -> Cost:
    """What asking has cost."""
    found = list(judged)
    read, written = sum(one.tokens_in for one in found), sum(one.tokens_out for one in found)
    return Cost(len(found), read, written, None if price is None else price * (read + written) / 1e6)


def about_tokens(text: str) -> int:
    """Roughly how many tokens a text has: four Latin letters each, a Chinese character nearly one."""
    wide = len(_WIDE.findall(text))
    return math.ceil(wide * 0.8 + (len(text) - wide) / 4)


def together(cases: Sequence[Case], judged: Mapping[tuple[str, bool], Judged]) -> dict[str, str | None]:
    """The verdict on each pair of answers: where both orders agree; a tie where they contradict, else None."""
    found: dict[str, str | None] = {}
    for case in cases:
        verdicts = [one.verdict if (one := judged.get(call.key)) is not None else None for call in case.calls]
        if None in verdicts:
            found[case.key] = None
        else:
            found[case.key] = str(verdicts[0]) if verdicts[0] == verdicts[-1] else TIE
    return found


def bout(a: str, b: str, cases: Sequence[Case], judged: Mapping[tuple[str, bool], Judged]) -> Bout:
    """What became of model `a`, whose answers stand first in the cases, and model `b`."""
    verdicts = together(cases, judged)
    values = [{SECOND: 1.0, FIRST: 0.0, TIE: 0.5}[one] for one in verdicts.values() if one is not None]
    wins, losses = values.count(1.0), values.count(0.0)
    turned = sum(_turned(case, judged) for case in cases)
    return Bout(a, b, wins, losses, len(values) - wins - losses, turned, len(cases) - len(values),
                statistics.interval(values), statistics.mcnemar(losses, wins))


def _turned(case: Case, judged: Mapping[tuple[str, bool], Judged]) -> bool:
    """Whether the judge took the same place twice, whoever stood there."""
    verdicts = {one.verdict for call in case.calls if (one := judged.get(call.key)) is not None}
    return {FIRST, SECOND} <= verdicts


def rating(cases: Sequence[Case], judged: Mapping[tuple[str, bool], Judged]) -> tuple[statistics.Interval, int]:
    """(the mean rating with its interval, how many are missing)."""
    values = [float(one.verdict) for case in cases
              if (one := judged.get((case.key, False))) is not None and one.verdict is not None]
    return statistics.interval(values), len(cases) - len(values)


def write(results: Path, verdicts: Verdicts) -> None:
    """Write judge.json atomically."""
    write_json(results / NAME, verdicts.plain())


def load(results: Path) -> dict[str, Any] | None:
    """judge.json as it is; None where no judge was asked."""
    found = read_json(results / NAME)
    return found if found is not None and isinstance(found.get("pairs"), list) else None


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
