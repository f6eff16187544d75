"""A studio of its own for every test, and a tiny Llama for all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.workbench import Studio, make_model, talks


@pytest.fixture(scope="module", autouse=True)
def _no_loop_of_others() -> Iterator[None]:
    """A browser driven by an earlier test leaves its event loop as this thread's running one; ours begin without it."""
    running = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(running)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """A workspace with the dataset `talks`."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "talks.json").write_text(json.dumps(talks(44)), encoding="utf-8")
    catalogue = {"talks": {"file_name": "talks.json"}}
    (tmp_path / "data" / "dataset_info.json").write_text(json.dumps(catalogue), encoding="utf-8")
    return Studio(tmp_path)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A two-layer Llama with grouped heads and random weights, with the starter's tokenizer."""
    return make_model(tmp_path_factory.mktemp("llama"), "llama", num_key_value_heads=2)
