"""One page on a workspace of its own, built once for all tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.ui.page import Page
from studio.workspace import Workspace


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """An empty workspace; the shipped samples and the starter are there as always."""
    root: Path = tmp_path_factory.mktemp("studio")
    (root / "saves").mkdir()
    return Workspace(root)


@pytest.fixture(scope="session")
def page(workspace: Workspace) -> Page:
    """The page as `serve` builds it."""
    return Page(workspace, "en")
