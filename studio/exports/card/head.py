"""The YAML at the top of a model card, as the hubs read it; only what is known stands in it."""

from __future__ import annotations

from typing import Any

from studio.args import document
from studio.data.model import HUB_NAME
from studio.exports.card.facts import Facts

UNKNOWN = "unknown"  # a licence that the Hugging Face hub takes and shows as such
# The programs that open a result, as the hub calls their libraries; others have no name there.
LIBRARIES = {"transformers": "transformers", "peft": "peft"}
_QUANTIZED = ("gguf", "quantized")


def head(facts: Facts, remark: str) -> str:
    """The head with its fences; `remark` stands as a comment beside the licence, which a person has to fill in."""
    lines = document.dumps(values(facts)).rstrip("\n")
    return f"---\nlicense: {UNKNOWN}  # {remark}\n{lines}\n---\n"


def values(facts: Facts) -> dict[str, Any]:
    """What the head says, but for the licence."""
    found: dict[str, Any] = {}
    if facts.runtime in LIBRARIES:
        found["library_name"] = LIBRARIES[facts.runtime]
    found["pipeline_tag"] = "text-generation"
    if facts.base_hub:
        found["base_model"] = facts.base_hub
        found["base_model_relation"] = _relation(facts)
    hubs = [one.hub for one in facts.learning.data if HUB_NAME.fullmatch(one.hub)] if facts.learning else []
    if hubs:
        found["datasets"] = list(dict.fromkeys(hubs))
    found["tags"] = _tags(facts)
    return found


def _relation(facts: Facts) -> str:
    if facts.runtime == "peft":
        return "adapter"
    is_tuned = bool(facts.source.parts or facts.source.run)
    return "quantized" if not is_tuned and facts.inside in _QUANTIZED else "finetune"


def _tags(facts: Facts) -> list[str]:
    found = ["fine-tuning-studio"]
    if facts.learning is not None:
        told = (facts.learning.told.get(name) for name in ("stage", "finetuning_type"))
        found += [str(one) for one in told if one]
    elif facts.source.parts:
        found += sorted({part.kind for part in facts.source.parts})
    return list(dict.fromkeys([*found, facts.inside]))
