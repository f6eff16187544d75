"""P-Tuning v2: learned keys and values in front of every layer move (Liu et al. 2021), the model stays."""

from __future__ import annotations

from typing import Any

from studio.args.fields import Group, arg

ORDER = 20


class Arguments(Group):
    """Length and making of the prefix."""

    group = "prefix"
    tuners = ("prefix",)

    pre_seq_len: int = arg(16, ge=1, le=1024, basic=True)
    prefix_projection: bool = arg(False)


def trainable(facts: Any, spec: Any) -> int:
    """A key and a value a layer for every prefix token; with projection the two linear layers that make them."""
    cached = _cached(facts)
    if not spec.prefix_projection:
        return int(spec.pre_seq_len * cached)
    width = facts.hidden
    return int(spec.pre_seq_len * width + width * width + width + width * cached + cached)


def _cached(facts: Any) -> int:
    """Keys and values that the cache holds for one token, read from the key and value projections' shapes."""
    shapes = {name: shape for name, (shape, _) in facts.tensors.items() if name.endswith(".weight")}
    keys = [shape[0] for name, shape in shapes.items() if name.endswith((".k_proj.weight", ".v_proj.weight"))]
    return sum(keys) if keys else 2 * facts.layers * facts.hidden


def attach(model: Any, job: Any) -> Any:
    """Put a prefix in front: a fresh one, or the one in adapter_name_or_path."""
    from studio.engine import prefix

    spec = job.spec
    given = [job.adapter_folder(name) for name in spec.adapter_name_or_path]
    length, projection = spec.pre_seq_len, spec.prefix_projection
    if given:
        about = prefix.read_config(given[-1])
        length, projection = int(about["pre_seq_len"]), bool(about["prefix_projection"])
    tuned = prefix.tuned(model, length, projection, spec.seed, str(job.model_folder))
    if given:
        tuned.load(given[-1])
    return tuned
