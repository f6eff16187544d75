"""A client below a root of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.client import Client, wait


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client below an empty root; whatever it left running is stopped by force."""
    found = Client(tmp_path / "root")
    found.root.mkdir()
    yield found
    from studio.runs.files import RunFolder
    from studio.runs.state import state_of
    from studio.runs.stop import ask

    for path in (found.root / "saves").glob("[!.]*"):
        for _ in range(3):
            if state_of(RunFolder(path)).is_live:
                ask(RunFolder(path))
        wait(lambda path=path: not state_of(RunFolder(path)).is_live, 60)
