"""An export as the engine does it, its acceptance left to a stand-in of a moment: a child that tests kill.

    python an_export.py RUN_FOLDER         STUDIO_ROOT names the workspace, AN_EXPORT_PAUSE how long a step takes
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from studio.engine.__main__ import attend
from studio.engine.export import program
from studio.engine.recorder import Recorder
from studio.records import write_json

PAUSE = float(os.environ.get("AN_EXPORT_PAUSE", "0.004"))


def accepted(job: Any, work: Any) -> dict[str, Any]:
    """A verdict after some moments, as another program would take them."""
    job.recorder.phase("accepting")
    for _ in range(10):
        time.sleep(PAUSE)
        work.stay()
    verdict = {"state": "unchecked", "form": work.spec.export_to, "reasons": [], "chat": []}
    write_json(work.into / "acceptance.json", verdict)
    return verdict


def slowly(told: Any) -> Any:
    """Progress that takes time, so that there are moments between two tensors."""

    def progress(self: Recorder, **more: Any) -> None:
        time.sleep(PAUSE)
        told(self, **more)

    return progress


if __name__ == "__main__":
    most = int(os.environ.get("AN_EXPORT_MOST_BYTES", "0"))
    if most:  # a disk that is full after so many bytes
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    program.acceptance.accept = accepted
    Recorder.progress = slowly(Recorder.progress)  # type: ignore[method-assign]
    sys.exit(attend(Path(sys.argv[1])))
