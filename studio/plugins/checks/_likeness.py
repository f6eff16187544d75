"""Likeness: which texts say nearly the same, by MinHash over pieces of five characters (rensa) and banding."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence

import numpy as np

from studio.plugins.checks import hashed, plain

PIECE = 5
SHORTEST = 24  # characters; below, a single word makes another meaning
MOST_LETTERS = 20_000  # of one text; what lies behind is not compared
PART = 48  # the signature of one text
BAND = 2
ALIKE, LEAST_ALIKE = 0.8, 0.7
LOOKED_BACK = 6
BATCH, BATCH_LETTERS = 512, 1_000_000
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Signed:
    """Pairs of texts as signatures, four hundred bytes each; `keys` are the callers'."""

    def __init__(self) -> None:
        self.figures, self.keys = array("Q"), array("q")
        self._texts: list[tuple[str, str]] = []
        self._letters = 0
        self._tables: list[np.ndarray] = []

    def add(self, key: int, one: str, other: str) -> bool:
        """Take a pair in unless it is too short to be compared; whether it was taken."""
        pair = plain(one[:2 * MOST_LETTERS])[:MOST_LETTERS], plain(other[:2 * MOST_LETTERS])[:MOST_LETTERS]
        size = sum(map(len, pair))
        if size < SHORTEST:
            return False
        self._texts.append(pair)
        self._letters += size
        self.keys.append(key)
        self.figures.append(hashed(" ".join(_NUMBER.findall(" ".join(pair)))))
        if len(self._texts) == BATCH or self._letters > BATCH_LETTERS:
            self._sign()
        return True

    def table(self) -> np.ndarray:
        """The signatures of all pairs, (pairs, 2 * PART) of uint32; what was kept for it is let go of."""
        self._sign()
        table = np.concatenate(self._tables) if self._tables else np.zeros((0, 2 * PART), np.uint32)
        self._tables = []
        return table

    def _sign(self) -> None:
        if self._texts:
            parts = [signatures([pair[side] for pair in self._texts], side) for side in (0, 1)]
            banded = [part.reshape(len(part), -1, BAND) for part in parts]
            self._tables.append(np.concatenate(banded, axis=2).reshape(len(self._texts), -1))
            self._texts, self._letters = [], 0


def signatures(texts: Sequence[str], seed: int) -> np.ndarray:
    """The MinHash signatures of texts: (texts, PART) of uint32; each character begins a piece, the last ones padded.

    Two seeds make two signatures that err independently of each other.
    """
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
    found = RMinHash.digest_matrix_from_flat_token_hashes(pieces[whole], starts, PART, seed)
    return np.array(found.to_rows(), np.uint32)


def alike(table: np.ndarray, figures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every row the earliest row found that is like it (itself when there is none), and the share they have.

    Rows that agree in a band are compared with the few before them that agree there too.
    """
    like, share = np.arange(len(table)), np.zeros(len(table), np.float32)
    for start in range(0, table.shape[1], 2 * BAND) if len(table) > 1 else ():
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
