"""Importing torch and transformers without what a training run does not need."""

from __future__ import annotations

from typing import Any


def torch_process(spec: Any) -> None:
    """Import torch and give it its threads."""
    import torch

    if spec.cpu_threads:
        torch.set_num_threads(spec.cpu_threads)


def transformers() -> None:
    """Import the part of transformers that models are built from."""
    import transformers.modeling_utils  # noqa: F401
