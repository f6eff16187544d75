"""Job: what a method's `train(job)` is given: the spec, the folder, the tools that every phase needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.engine.ranks import Ranks
from studio.engine.recorder import Recorder
from studio.engine.stopping import Stop
from studio.errors import InputError
from studio.runs.files import RunFolder
from studio.workspace import Workspace


@dataclass
class Job:
    """One training run in one process; `model_folder` and `facts` are known once the loading phase has begun."""

    spec: Any
    folder: RunFolder
    workspace: Workspace
    recorder: Recorder
    stop: Stop
    ranks: Ranks
    model_folder: Path | None = None
    facts: Any = None

    def seed(self) -> None:
        """Make what follows depend on the spec's seed alone."""
        import torch

        torch.manual_seed(self.spec.seed)

    def adapter_folder(self, name: str) -> Path:
        """The folder of an adapter: a path, a run (its result), or `<run>/step-<n>`.

        Raises InputError adapter_missing.
        """
        from studio.runs.checkpoints import adapter_folder

        found = adapter_folder(name, self.workspace)
        if found is None:
            raise InputError("adapter_missing", path=name)
        return found
