"""What to move (argument `finetuning_type`), one file a tuner.

A tuner's module has
    ORDER                         its place in the list
    Arguments                     a Group with its own arguments, or nothing
    trainable(facts, spec) -> int how many numbers move, from the model's file headers alone (no torch)
    attach(model, job) -> Tuned   called in the engine: make the right weights move; torch is imported inside it
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

_EMBEDDINGS = ("embed", "wte", "wpe", "lm_head", "embed_out", "output_layer", "position_embeddings")


def distinct(facts: Any) -> Mapping[str, tuple[int, ...]]:
    """Shapes of the weights that a model has, by name; an output layer tied to the embeddings is counted once."""
    shapes = {name: tuple(shape) for name, (shape, _) in facts.tensors.items()}
    if facts.tied:
        shapes = {name: shape for name, shape in shapes.items() if not name.startswith(("lm_head.", "embed_out."))}
    return shapes


def count(shapes: Iterator[tuple[int, ...]] | list[tuple[int, ...]]) -> int:
    """How many numbers weights of these shapes hold."""
    return sum(prod(shape) for shape in shapes)


def linears(facts: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """(module path, shape) of every linear layer but the output layer."""
    for name, shape in distinct(facts).items():
        path = name.removesuffix(".weight")
        outermost = path.rpartition(".")[2]
        is_embedding = any(word in outermost for word in _EMBEDDINGS)
        if name.endswith(".weight") and len(shape) == 2 and not is_embedding:
            yield path, shape


def block(name: str) -> int | None:
    """The number of the layer that a weight belongs to: `model.layers.3.mlp…` → 3."""
    return next((int(part) for part in name.split(".") if part.isdigit()), None)
