"""A learned prefix alone: as the studio loads it and, where PEFT can hold it, as PEFT does."""

from __future__ import annotations

from typing import Any

from studio.plugins.exporters import EXACT, Bound, Limits, _snippets

ORDER = 40
TAKES = ("prefix",)
RUNTIME = "studio"
_ROUNDED = Limits(Bound(0.99, 0.1, 1.01), Bound(0.95, 0.5, 1.05))


def write(work: Any) -> None:
    """prefix_config.json and prefix_encoder.safetensors, PEFT's in `peft/`, and how the model speaks with it."""
    from studio.exports import speech
    from studio.exports.weights import prefix

    if not prefix.write(work.source, work.spec.export_dtype, work):
        work.say("prefix_not_peft")
    speech.write_companions(work)


def size(source: Any, spec: Any) -> int:
    """Both forms of the prefix and what stands beside them."""
    from studio.exports import speech
    from studio.exports.weights import prefix

    return int(prefix.size(source)) + speech.companions(source)


def limits(spec: Any) -> Limits:
    """Exact where the numbers stay what they are."""
    return EXACT if spec.export_dtype in ("auto", "fp32") else _ROUNDED


def commands(work: Any) -> dict[str, list[str]]:
    """How to put it before its base elsewhere."""
    from studio.exports.weights import adapter, prefix

    base = adapter.base_name(work.source)
    found = {"studio": [f"python launch.py chat {work.target}"]}
    if prefix.has_peft_form(work.source):
        found["peft"] = _snippets.tuned(str(work.target), base, str(work.target / prefix.PEFT))
    return found
