"""A model of its own: the adapters worked into the weights, in safetensors files that every program reads."""

from __future__ import annotations

from typing import Any

from studio.errors import InputError, Problem
from studio.plugins.exporters import EXACT, Bound, Limits, _snippets

ORDER = 10
TAKES = ("whole", "lora")
RUNTIME = "transformers"
# What rounding to 16 bits may change: more where an adapter's small additions are rounded away.
_ROUNDED = Limits(Bound(0.99, 0.35, 1.01), Bound(0.9, 2.0, 1.1))


def write(work: Any) -> None:
    """config.json, weights, tokenizer, template and generation settings."""
    from studio.exports import speech, weights

    made = weights.stream(work.source, work.spec.export_dtype)
    for key, values in made.warnings():
        work.say(key, **values)
    weights.write(made, work.into, work.spec.export_size, work)
    if made.merged:
        work.note("merge", made.figures())
    speech.write_companions(work)


def size(source: Any, spec: Any) -> int:
    """The weights in their dtype, and what stands beside them."""
    from studio.exports import speech, weights

    return int(weights.stream(source, spec.export_dtype).bytes) + speech.companions(source)


def limits(spec: Any) -> Limits:
    """Exact in fp32; 16 bits round."""
    return EXACT if spec.export_dtype == "fp32" else _ROUNDED


def refuse(source: Any, spec: Any) -> list[Problem]:
    """An adapter of another model, or one that adds more than can be worked in."""
    from studio.exports import weights

    try:
        weights.stream(source, spec.export_dtype)
    except InputError as error:
        return [Problem(error.code, "model_name_or_path", error.values)]
    return []


def commands(work: Any) -> dict[str, list[str]]:
    """How to talk to it elsewhere."""
    folder = str(work.target)
    return {"transformers": _snippets.whole(folder), "vllm": [f"vllm serve {folder}"],
            "SGLang": [f"python -m sglang.launch_server --model-path {folder}"],
            "MLX": [f"mlx_lm.chat --model {folder}"],
            "studio": [f"python launch.py chat {folder}", f"python launch.py serve {folder} --port 8000"]}
