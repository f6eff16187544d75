"""What was learned alone, as a PEFT folder: others put it on the base model that they have."""

from __future__ import annotations

from typing import Any

from studio.errors import InputError, Problem
from studio.plugins.exporters import EXACT, Bound, Limits, _snippets

ORDER = 20
TAKES = ("lora",)
RUNTIME = "peft"
_ROUNDED = Limits(Bound(0.99, 0.1, 1.01), Bound(0.95, 0.5, 1.05))


def write(work: Any) -> None:
    """adapter_config.json, adapter_model.safetensors and how the model speaks with it."""
    from studio.exports import speech
    from studio.exports.weights import adapter

    adapter.write(work.source, work.spec.export_dtype, work)
    speech.write_companions(work)


def size(source: Any, spec: Any) -> int:
    """The adapter's own bytes; several are joined."""
    from studio.exports import speech

    return sum(path.stat().st_size for part in source.parts for path in part.folder.glob("adapter_model.safetensors")) \
        * (len(source.parts) or 1) + speech.companions(source)


def limits(spec: Any) -> Limits:
    """Exact where the numbers stay what they are."""
    return EXACT if spec.export_dtype in ("auto", "fp32") else _ROUNDED


def refuse(source: Any, spec: Any) -> list[Problem]:
    """Adapters that do not fit the model, or that cannot become one."""
    from studio.exports import weights
    from studio.exports.weights import adapter

    try:
        weights.stream(source, "auto")
        adapter.planned(source)
    except InputError as error:
        return [Problem(error.code, "model_name_or_path", error.values)]
    return []


def commands(work: Any) -> dict[str, list[str]]:
    """How to put it on its base elsewhere."""
    from studio.exports.weights import adapter

    base, folder = adapter.base_name(work.source), str(work.target)
    return {"peft": _snippets.tuned(folder, base),
            "vllm": [f"vllm serve {base} --enable-lora --lora-modules tuned={folder}"],
            "studio": [f"python launch.py chat {folder}"]}
