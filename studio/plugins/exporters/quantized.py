"""A model in fewer bits a weight: those of bitsandbytes, written tensor by tensor; its 4 bits load on a CPU, too.

GPTQ and AWQ are calibrated on rows of the user by their own library, where that is installed.
"""

from __future__ import annotations

from typing import Any

from studio.args.fields import Group, Text, arg
from studio.errors import Problem
from studio.plugins.exporters import Bound, Limits, _bitsandbytes, _calibrated, _snippets, merged
from studio.records import read_json

ORDER = 40
TAKES = ("whole", "lora")
RUNTIME = "transformers"
_PASSED = Bound(0.98, None, 1.01)
# A small model that is not sure of its words loses most: one of 3 million numbers had 0.58 and 1.57 in 4 bits.
_WORST = {8: Bound(0.85, None, 1.05), 4: Bound(0.5, None, 1.7)}


class QuantizedArguments(Group):
    """How many bits a weight gets."""

    group = "export"

    quantized_method: Text = arg("bitsandbytes", choices=("bitsandbytes", *_calibrated.FORMATS), basic=True)
    quantized_bits: int = arg(4, choices=(8, 4), basic=True)
    quantized_rows: int = arg(128, ge=1, le=10_000)


Arguments = QuantizedArguments


def write(work: Any) -> None:
    """config.json, weights, tokenizer, template and generation settings; raises what the methods' `write` raise."""
    from studio.exports import speech, weights

    made = weights.stream(work.source, work.spec.export_dtype)
    for key, values in made.warnings():
        work.say(key, **values)
    if work.spec.quantized_method == "bitsandbytes":
        _bitsandbytes.write(made, work.spec.quantized_bits, work)
    else:
        _calibrated.write(made, work)
    speech.write_companions(work)


def size(source: Any, spec: Any) -> int:
    """About the bytes of the result."""
    from studio.exports import speech, weights

    made = weights.stream(source, spec.export_dtype)
    return _bitsandbytes.bytes_of(made.planned, spec.quantized_bits) + speech.companions(source)


def memory(source: Any, spec: Any) -> int:
    """What torch takes, and the largest matrix in a few copies."""
    from studio.exports import weights

    made = weights.stream(source, spec.export_dtype)
    layers = [one.bytes for name, one in made.planned.items() if _bitsandbytes.is_of_a_layer(name, one)]
    whole = 0 if spec.quantized_method == "bitsandbytes" else 2 * made.bytes
    return (600 << 20) + 4 * max(layers, default=0) + whole


def limits(spec: Any) -> Limits:
    """As good as the source, or as much worse as so few bits must be."""
    return Limits(_PASSED, _WORST[spec.quantized_bits])


def refuse(source: Any, spec: Any) -> list[Problem]:
    """A base that is quantized already, and what cannot be merged."""
    if (read_json(source.base / "config.json") or {}).get("quantization_config"):
        return [Problem("quantized_twice", "model_name_or_path", {"name": source.base_name})]
    found = merged.refuse(source, spec)
    if spec.quantized_method != "bitsandbytes" and not _calibrated.is_installed():
        found.append(Problem("quantized_library", "quantized_method", {"value": spec.quantized_method}))
    if spec.quantized_method == "awq" and spec.quantized_bits != 4:
        found.append(Problem("quantized_awq_bits", "quantized_bits", {"value": spec.quantized_bits}))
    return found


def commands(work: Any) -> dict[str, list[str]]:
    """How to talk to it elsewhere; bitsandbytes must be there."""
    folder = str(work.target)
    return {"pip": ["pip install -U bitsandbytes transformers"], "transformers": _snippets.whole(folder),
            "vllm": [f"vllm serve {folder}"], "studio": [f"python launch.py chat {folder}"]}
