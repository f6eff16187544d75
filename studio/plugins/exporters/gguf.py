"""GGUF: one file for llama.cpp, Ollama, LM Studio and their like, in the type of numbers that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.args.fields import Group, Text, arg
from studio.errors import Problem
from studio.plugins.exporters import Bound, Limits, _held
from studio.workspace import Workspace

ORDER = 50
TAKES = ("whole", "lora")
RUNTIME = "llama_cpp"
TYPES = ("f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1", "q4_0",
         "q3_k_l", "q3_k_m", "q3_k_s", "q2_k")
# llama.cpp looks GELU up in half numbers, so even F32 is not exact there.
_FULL, _HALF, _WIDE = Bound(0.995, 0.1, 1.002), Bound(0.99, 0.25, 1.005), Bound(0.98, None, 1.01)
# A model that is not sure of its words chooses others at the slightest change: perplexity is what binds.
_WORST = {"f": Bound(0.9, None, 1.02), "bf": Bound(0.85, None, 1.03), "q8": Bound(0.85, None, 1.03),
          "q6": Bound(0.8, None, 1.06), "q5": Bound(0.7, None, 1.15), "q4": Bound(0.5, None, 1.4),
          "q3": Bound(0.35, None, 2.0), "q2": Bound(0.2, None, 4.0)}


class GgufArguments(Group):
    """How many bits a weight gets."""

    group = "export"

    gguf_type: Text = arg("q8_0", choices=TYPES, basic=True)


Arguments = GgufArguments


def size(source: Any, spec: Any) -> int:
    """About the bytes of the file."""
    from studio.exports.gguf import making

    return making.sizes(source)[spec.gguf_type]


def sizes(source: Any) -> dict[str, dict[str, int]]:
    """About the bytes of the file in every type; raises what `making.plan` raises."""
    from studio.exports.gguf import making

    return {"gguf_type": making.sizes(source)}


def limits(spec: Any) -> Limits:
    """As good as the source for whole numbers; the fewer bits, the more may differ."""
    passed = {"f32": _FULL, "f16": _HALF}.get(spec.gguf_type, _WIDE)
    return Limits(passed, next(bound for name, bound in _WORST.items() if spec.gguf_type.startswith(name)))


def refuse(source: Any, spec: Any) -> list[Problem]:
    """A family, a tokenizer or a type that the format or this machine lacks."""
    from studio.exports.gguf import making

    error = making.against(source, Workspace.at())
    if error is not None:
        return [Problem(error.code, "export_to", error.values)]
    if not making.KINDS[spec.gguf_type].own and not making.can_quantize():
        return [Problem("gguf_needs_llama", "gguf_type", {"value": spec.gguf_type})]
    return []


def write(work: Any) -> None:
    """Write the file; raises what `making.make` raises."""
    from studio.exports.gguf import making

    making.make(work, work.spec.gguf_type, work.into / name(work))


def name(work: Any) -> str:
    """The file's name: that of the source and the type."""
    source = work.source
    step = f"-step-{source.step}" if source.step is not None and f"step-{source.step}" not in source.name else ""
    return f"{_held.named(source.name)}{step}-{work.spec.gguf_type.upper()}.gguf"


def variant(told: Mapping[str, Any]) -> str:
    """Its type."""
    return str(told.get("gguf_type") or "").upper()


def opened(folder: Path) -> Path:
    """The file itself."""
    return next(iter(sorted(folder.glob("*.gguf"))), folder)


def commands(work: Any) -> dict[str, list[str]]:
    """How llama.cpp and others run it."""
    file = str(work.target / name(work))
    return {"llama.cpp": [f"llama-cli -m {file} -cnv --jinja"],
            "llama.cpp server": [f"llama-server -m {file} --jinja --port 8080"],
            "llama-cpp-python": [f"python -m llama_cpp.server --model {file}"]}
