"""Questions that stand in a set kept for testing too: the same but for case and white space, or nearly the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from studio.plugins.checks import Case, Terms, Values, hashed, plain
from studio.plugins.checks._likeness import Signed, alike
from studio.sample import Sample

ORDER = 5
SEVERITY = "error"
FIX = "drop"
NEEDS = "others"

MOST_ROWS = 1_500_000  # 0.6 GB of signatures; beyond, only what is the same is found


class Elsewhere:
    """The questions of the other sets, and four hundred bytes of each row."""

    def __init__(self, terms: Terms) -> None:
        self.names = list(terms.others)
        self.known: dict[int, int] = {}
        self.signed = Signed()
        for place, samples in enumerate(terms.others.values()):
            for sample in samples():
                asked = _asked(sample)
                if self.known.setdefault(hashed(plain(asked)), place) == place:
                    self.signed.add(place, asked, asked)
        self.others = len(self.signed.keys)

    def see(self, case: Case) -> Values | None:
        """The name of the set that asks the same."""
        asked = _asked(case.sample)
        place = self.known.get(hashed(plain(asked)))
        if place is not None:
            return {"name": self.names[place]}
        if len(self.signed.keys) < MOST_ROWS:
            self.signed.add(case.number, asked, asked)
        return None

    def finish(self) -> Iterator[tuple[int, Values]]:
        """Every row that asks nearly the same, with the same numbers."""
        table, keys = self.signed.table(), np.asarray(self.signed.keys, np.int64)
        like, _ = alike(table, np.asarray(self.signed.figures, np.uint64))
        for place in np.flatnonzero(like < self.others):
            if place >= self.others:
                yield int(keys[place]), {"name": self.names[keys[like[place]]]}


def _asked(sample: Sample) -> str:
    """What the user says, or a plain text."""
    return sample.text or "\n".join(one.content for one in sample.messages[:-1] if one.role == "user")


def whole(terms: Terms) -> Elsewhere:
    """The check over all rows."""
    return Elsewhere(terms)
