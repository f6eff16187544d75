"""A workspace of its own for each test, and one server of the OpenAI protocol for a module's talks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.chats.client import Address
from studio.chats.shelf import Shelf
from studio.chats.talk import Talk
from studio.workspace import Workspace
from tests.chats.a_server import KEY, AServer


class Road:
    """An engine as a talk needs it: every lane is a model of the test's server."""

    def __init__(self, server: AServer, is_own: bool = True) -> None:
        self.server, self.is_own = server, is_own

    def road(self, lane: str) -> tuple[Address, str]:
        return Address(self.server.url, KEY, self.is_own), lane


@pytest.fixture(scope="module")
def server() -> Iterator[AServer]:
    found = AServer()
    yield found
    found.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def shelf(workspace: Workspace) -> Shelf:
    return Shelf(workspace)


@pytest.fixture
def talk(shelf: Shelf, server: AServer) -> Talk:
    server.bodies.clear()
    return Talk(shelf.create(), Road(server))


def until(what: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The first true answer; fails when there is none in time."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError("waited in vain")
