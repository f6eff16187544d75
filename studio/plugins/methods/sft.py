"""Supervised fine-tuning: the model learns to write the assistant's turns of given conversations."""

from __future__ import annotations

from typing import Any

ORDER = 20
LAYOUT = "chat"


def train(job: Any) -> None:
    """Train on next-token cross-entropy over the labelled tokens; `job` is a `studio.engine.job.Job`."""
    from studio.engine import setup

    setup.trainer(job).train()
    job.recorder.phase("finished")
