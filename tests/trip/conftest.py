"""One root for all trips, so that the data is tokenised once; whatever is left running is ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.records import read_json
from studio.runs import family
from tests.trip.trip import Trip


@pytest.fixture(scope="session")
def trip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trip]:
    found = Trip(tmp_path_factory.mktemp("trip"))
    yield found
    for record in (found.root / "saves").glob("*/process.json"):
        token = (read_json(record) or {}).get("token")
        if token:
            family.end(token, term_seconds=0)
