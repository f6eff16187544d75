"""Full fine-tuning: every weight moves."""

from __future__ import annotations

from typing import Any

ORDER = 40


def trainable(facts: Any, spec: Any) -> int:
    """All of the model's numbers."""
    from studio.plugins.tuners import count, distinct

    return count(list(distinct(facts).values()))


def attach(model: Any, job: Any) -> Any:
    """Let everything move."""
    from studio.engine import whole

    model.requires_grad_(True)
    return whole.tuned(model, job.model_folder)
