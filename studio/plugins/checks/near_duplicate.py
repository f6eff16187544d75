"""Rows that say nearly the same as an earlier row: MinHash over pieces of five characters, by rensa.

Two rows are near duplicates when their questions and their answers share about four fifths of their pieces and the
numbers in them are the same: neither sums that share a sentence nor questions that share an answer are. What is exactly
the same is the business of the check `duplicate`.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence

import numpy as np

from studio.plugins.checks import Case, Terms, Values, first_of_same, hashed, plain

ORDER = 20
SEVERITY = "note"
FIX = "drop"
NEEDS = ""

PIECE = 5
SHORTEST = 24  # characters; below, a single word makes another meaning
PART = 48  # signature of the question, and of the answer
BAND = 2  # of each of them
ALIKE, LEAST_ALIKE = 0.8, 0.7
LOOKED_BACK = 6
BATCH = 512
MOST_ROWS = 1_500_000  # 0.6 GB of signatures; what lies beyond is not compared
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Signatures:
    """Four hundred bytes a row."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.signatures: list[np.ndarray] = []
        self.keys, self.figures, self.numbers = array("Q"), array("Q"), array("q")

    def see(self, case: Case) -> None:
        """Take the row's signature, together with those of its neighbours."""
        question = plain(case.question)
        answer = plain("\n".join(case.answers) or case.sample.text)
        if len(question) + len(answer) < SHORTEST or len(self.numbers) >= MOST_ROWS:
            return
        self.texts.append((question, answer))
        self.keys.append(case.key)
        self.figures.append(hashed(" ".join(_NUMBER.findall(f"{question} {answer}"))))
        self.numbers.append(case.number)
        if len(self.texts) == BATCH:
            self._sign()

    def _sign(self) -> None:
        if self.texts:
            parts = [signatures([pair[side] for pair in self.texts]) for side in (0, 1)]
            banded = [part.reshape(len(part), -1, BAND) for part in parts]
            self.signatures.append(np.concatenate(banded, axis=2).reshape(len(self.texts), -1))
            self.texts = []

    def finish(self) -> Iterator[tuple[int, Values]]:
        """Every row that is like an earlier one and not the same."""
        self._sign()
        if not self.signatures:
            return
        numbers = np.asarray(self.numbers, np.int64)
        kept = np.flatnonzero(first_of_same(np.asarray(self.keys, np.uint64)) == np.arange(len(numbers)))
        table = np.concatenate(self.signatures)
        self.signatures = []
        table = table[kept] if len(kept) < len(table) else table
        like, share = alike(table, np.asarray(self.figures, np.uint64)[kept])
        for place in np.flatnonzero(like < np.arange(len(like))):
            yield (int(numbers[kept[place]]),
                   {"of": int(numbers[kept[like[place]]]), "share": round(float(share[place]) * 100)})


def signatures(texts: Sequence[str]) -> np.ndarray:
    """The MinHash signatures of texts: (texts, PART) of uint32; each character begins a piece, the last ones padded."""
    from rensa import RMinHash

    padding = "\0" * (PIECE - 1)
    joined = "".join(f"{text or padding}{padding}" for text in texts).encode("utf-32-le", "surrogatepass")
    letters = np.frombuffer(joined, np.uint32).astype(np.uint64)
    pieces = np.zeros(len(letters), np.uint64)
    for place in range(PIECE):
        pieces[:len(letters) - place] *= np.uint64(1_000_003)
        pieces[:len(letters) - place] += letters[place:]
    pieces = (pieces ^ (pieces >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    lengths = np.array([len(text or padding) for text in texts], np.int64)
    ends = np.cumsum(lengths + PIECE - 1)
    whole = np.ones(len(letters), bool)
    for place in range(1, PIECE):  # the padding begins no piece
        whole[ends - place] = False
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.uint64)
    found = RMinHash.digest_matrix_from_flat_token_hashes(pieces[whole], starts, PART, 1)
    return np.array(found.to_rows(), np.uint32)


def alike(table: np.ndarray, figures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every row the earliest row found that is like it (itself when there is none), and the share they have.

    Rows that agree in a band are compared with the few before them that agree there too.
    """
    like, share = np.arange(len(table)), np.zeros(len(table), np.float32)
    for start in range(0, table.shape[1], 2 * BAND):
        band = np.ascontiguousarray(table[:, start:start + 2 * BAND]).view(np.dtype((np.void, 8 * BAND))).ravel()
        _, group = np.unique(band, return_inverse=True)
        order = np.argsort(group, kind="stable")
        for back in range(1, LOOKED_BACK + 1):
            later, earlier = order[back:], order[:-back]
            same = (group[later] == group[earlier]) & (figures[later] == figures[earlier]) & (like[later] == later)
            _compare(table, later[same], earlier[same], like, share)
    while not np.array_equal(like, like[like]):
        like = like[like]
    return like, share


def _compare(table: np.ndarray, later: np.ndarray, earlier: np.ndarray, like: np.ndarray, share: np.ndarray) -> None:
    """Note which of the later rows are like the earlier ones, some thousands at a time."""
    for first in range(0, len(later), 1 << 14):
        one, other = later[first:first + (1 << 14)], earlier[first:first + (1 << 14)]
        agreed = (table[one] == table[other]).reshape(len(one), -1, 2, BAND).mean(axis=(1, 3))
        near = (agreed.mean(axis=1) >= ALIKE) & (agreed.min(axis=1) >= LEAST_ALIKE)
        like[one[near]] = other[near]
        share[one[near]] = agreed[near].mean(axis=1)


def whole(terms: Terms) -> Signatures:
    """The check over all rows."""
    return Signatures()
