"""One trained run of the starter and one server for the whole session; whoever hurts a server starts their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.client import Client
from tests.engine.server.fronts import Front

TRAINED = ("dataset=number_words", "max_steps=40", "save_steps=20", "eval_strategy=no", "max_samples=320",
           "cpu_threads=1", "learning_rate=5e-3")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose run `tuned` has two checkpoints of the starter that say something else than it."""
    root = tmp_path_factory.mktemp("served")
    done = Client(root)("train", "--name", "tuned", *TRAINED)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="session")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A server of the starter and of `tuned`, for tests that leave it as it is."""
    front = Front(trained, tmp_path_factory.mktemp("front"), models=["starter", "tuned"])
    front.start()
    yield front
    front.end()
    assert "Traceback" not in front.errors.read_text(), front.errors.read_text()[-4000:]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Front]]:
    """`start(root, models=[…])` begins a server of the test's own."""
    begun: list[Front] = []

    def begin(root: Path, *, ready: bool = True, keys: tuple[str, ...] = (), environment: Any = None,
              **config: Any) -> Front:
        folder = tmp_path / f"front{len(begun)}"
        folder.mkdir()
        front = Front(root, folder, keys, **config)
        begun.append(front)
        return front.start(ready=ready, **(environment or {}))

    yield begin
    for front in begun:
        front.end()
