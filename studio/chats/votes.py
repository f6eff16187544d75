"""What blind votes say: who wins how often and how sure that is, whether length decides, and a set for training.

Intervals are Wilson's (1927), at 95 %: they hold for few votes too, and never leave 0 to 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from studio.chats import samples
from studio.chats.shelf import Shelf
from studio.chats.tree import Answer, Tree
from studio.data.catalogue import Entry
from studio.workspace import Workspace

Z95 = 1.959963984540054
TIE, BAD = "tie", "bad"


@dataclass(frozen=True)
class Share:
    """How many of how many, with the interval in which the true share lies with 95 %; None without any."""

    count: int
    total: int

    @property
    def rate(self) -> float | None:
        """The share that was seen."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval."""
        return wilson(self.count, self.total) if self.total else None

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out one half: more than chance."""
        found = self.interval
        return found is not None and (found[0] > 0.5 or found[1] < 0.5)


@dataclass(frozen=True)
class Contender:
    """The weights that were voted on: a lane's name, the step it had then, and the hash that its proof gave."""

    lane: str
    step: int | None = None
    hash: str = ""


@dataclass
class Record:
    """What became of two contenders, or (`other` is None) of one against all others."""

    one: Contender
    other: Contender | None
    wins: int = 0
    losses: int = 0
    ties: int = 0
    bad: int = 0

    @property
    def share(self) -> Share:
        """The wins among the votes that decided."""
        return Share(self.wins, self.wins + self.losses)


@dataclass(frozen=True)
class Tally:
    """All votes: `rounds` were cast; `pairs` two by two, `lanes` each against all, the best first.

    `longer` is how often the longer answer won, where one was longer.
    """

    rounds: int = 0
    pairs: tuple[Record, ...] = ()
    lanes: tuple[Record, ...] = ()
    longer: Share = field(default_factory=lambda: Share(0, 0))


@dataclass(frozen=True)
class Duel:
    """Two answers of one round; `winner` is one of them, None for a tie (or, when `is_bad`, for two bad ones)."""

    tree: Tree
    one: Answer
    other: Answer
    winner: Answer | None
    is_bad: bool = False


def wilson(count: int, total: int, z: float = Z95) -> tuple[float, float]:
    """The interval of a share of `count` in `total`; raises ValueError for a total of 0."""
    if total <= 0:
        raise ValueError(total)
    share, square = count / total, z * z
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = z / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    return (0.0 if count == 0 else max(0.0, middle - half)), (1.0 if count == total else min(1.0, middle + half))


def tally(shelf: Shelf) -> Tally:
    """What all conversations' votes amount to; a duplicated conversation's votes count once."""
    found = list(duels(shelf))
    pairs: dict[tuple[Contender, Contender], Record] = {}
    lanes: dict[Contender, Record] = {}
    longer = [0, 0]
    for duel in found:
        first, second = sorted((duel.one, duel.other), key=_key)
        one, other = contender(first), contender(second)
        _count(pairs.setdefault((one, other), Record(one, other)), duel, first)
        for answer in (first, second):
            me = contender(answer)
            _count(lanes.setdefault(me, Record(me, None)), duel, answer)
        lengths = len(first.content), len(second.content)
        if duel.winner is not None and lengths[0] != lengths[1]:
            longer[0] += (duel.winner is first) == (lengths[0] > lengths[1])
            longer[1] += 1
    rounds = len({duel.one.message for duel in found})
    ordered = sorted(lanes.values(), key=lambda one: (-(one.share.rate or 0), one.one.lane))
    return Tally(rounds, tuple(pairs.values()), tuple(ordered), Share(*longer))


def _count(record: Record, duel: Duel, me: Answer) -> None:
    if duel.winner is None:
        record.bad += duel.is_bad
        record.ties += not duel.is_bad
    elif duel.winner is me:
        record.wins += 1
    else:
        record.losses += 1


def duels(shelf: Shelf, ids: Iterable[str] | None = None) -> Iterator[Duel]:
    """Every pair of answers that a vote compared, of these conversations or of all."""
    counted: set[str] = set()
    for id in [head.id for head in shelf.voted()] if ids is None else ids:
        tree = shelf.open(id).tree
        for message in tree.messages.values():
            if message.vote is not None and message.id not in counted:
                counted.add(message.id)
                yield from _of_vote(tree, message.vote["choice"], message.vote["answers"])


def _of_vote(tree: Tree, choice: str, shown: dict[str, str]) -> Iterator[Duel]:
    answers = {place: tree.answers[id] for place, id in shown.items() if id in tree.answers}
    if choice in (TIE, BAD):
        for one, other in itertools.combinations(answers.values(), 2):
            yield Duel(tree, one, other, None, choice == BAD)
    elif choice in answers:
        for place, other in answers.items():
            if place != choice:
                yield Duel(tree, answers[choice], other, answers[choice])


def contender(answer: Answer) -> Contender:
    """The weights behind an answer, as its proof names them."""
    proof = answer.proof
    step = proof.get("step")
    return Contender(answer.lane, step if isinstance(step, int) else None,
                     str(proof.get("adapter_hash") or proof.get("base_hash") or ""))


def _key(answer: Answer) -> tuple[str, int, str]:
    found = contender(answer)
    return found.lane, found.step or 0, found.hash


def save_preferences(workspace: Workspace, name: str, ids: Iterable[str] | None = None) -> tuple[Entry, int]:
    """(the preference dataset of this name, how many rows were new) from all decided votes, or those of `ids`.

    Saving again adds the votes that came since. Raises what `samples.save` raises; rows_none without a decided vote.
    """
    rows = []
    for duel in duels(Shelf(workspace), ids):
        if duel.winner is not None:
            sample = samples.pair(duel.tree, duel.winner, duel.other if duel.winner is duel.one else duel.one)
            row = samples.row(sample, samples.PREFERENCE) if sample else None
            rows += [row] if row is not None else []
    return samples.save(workspace, name, rows, samples.PREFERENCE)
