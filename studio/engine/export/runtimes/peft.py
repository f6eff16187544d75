"""PEFT: an adapter's folder on the model that it was trained on, with the tokenizer that lies beside the adapter."""

from __future__ import annotations

from studio.engine.export.runtimes import Task
from studio.engine.export.runtimes.transformers import Transformers, model, tokenizer


def open(task: Task) -> Transformers:
    """The base with the adapter on it; raises what from_pretrained raises."""
    from peft import PeftModel

    assert task.base is not None
    found = PeftModel.from_pretrained(model(str(task.base)), str(task.opens), is_trainable=False)
    return Transformers(found.eval(), tokenizer(str(task.opens)))
