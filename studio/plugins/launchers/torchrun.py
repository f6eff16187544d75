"""Several processes on this machine, one per device, started by torchrun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ORDER = 20


def command(spec: Any, run_folder: Path, python: str) -> list[str]:
    """The command line of torchrun with `nproc_per_node` engines that average their gradients."""
    return [python, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={spec.nproc_per_node or 'auto'}",
            "-m", "studio.engine", "train", str(run_folder)]
