"""Questions that stand in a set kept for testing too, case and white space aside."""

from __future__ import annotations

from collections.abc import Iterator

from studio.plugins.checks import Case, Terms, Values, hashed, plain
from studio.sample import Sample

ORDER = 5
SEVERITY = "error"
FIX = "drop"
NEEDS = "others"


class Elsewhere:
    """The questions of the other sets, eight bytes each."""

    def __init__(self, terms: Terms) -> None:
        self.known: dict[int, str] = {}
        for name, samples in terms.others.items():
            for sample in samples():
                self.known.setdefault(_asked(sample), name)

    def see(self, case: Case) -> Values | None:
        """The name of the set that asks the same."""
        name = self.known.get(_asked(case.sample))
        return None if name is None else {"name": name}

    def finish(self) -> Iterator[tuple[int, Values]]:
        """Nothing more."""
        return iter(())


def _asked(sample: Sample) -> int:
    asked = "\n".join(one.content for one in sample.messages[:-1] if one.role == "user")
    return hashed(plain(sample.text or asked))


def whole(terms: Terms) -> Elsewhere:
    """The check over all rows."""
    return Elsewhere(terms)
