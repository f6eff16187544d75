"""An adapter's file as changes of the model's tensors, by PEFT's names and settings."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.errors import InputError
from studio.exports.source import Part
from studio.exports.weights.changes import Addition, Change, Dora, LowRank, Residue, Rows, Whole
from studio.exports.weights.files import Tensor, tensors

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
EMBEDDINGS = ("embed_tokens", "wte", "word_embeddings", "embed_in", "tok_embeddings", "tokens_embed")
HEADS = ("lm_head", "embed_out", "output_layer")
# Families whose linear layers are stored as (in, out).
ACROSS = ("gpt2", "openai-gpt", "imagegpt", "gptsan", "decision_transformer", "clvp")
# What changes the base at the beginning of training, or is no addition to one weight.
_REFUSED = ("target_parameters", "layer_replication", "megatron_config", "use_qalora", "alora_invocation_tokens",
            "arrow_config", "use_bdlora", "velora_config", "monteclora_config", "kasa_config")
_BASE_STAYS = (True, False, None, "gaussian", "eva", "orthogonal", "true", "false")
_TAKEN_OUT = ("pissa", "olora")
_FACTOR = re.compile(r"(.*)\.lora_(?:embedding_)?(A|B)(?:\.default)?(\.weight|\.bias)?")
_MAGNITUDE = re.compile(r"(.*)\.lora_magnitude_vector(?:\.default)?(?:\.weight)?")
_TOKENS = ".token_adapter.trainable_tokens_delta"


@dataclass
class Found:
    """What one adapter does: changes by the names of the base's tensors; `saved` are those that were trained whole (the
    other whole tensors came along, as embeddings do when a vocabulary has grown).
    """

    changes: dict[str, list[Change]] = field(default_factory=dict)
    saved: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Names:
    """The names of the base's tensors, to be found by the names that modules have in PEFT."""

    known: Mapping[str, Any]

    def find(self, name: str) -> str:
        """The tensor of this name; one side may lack the model's outer name (`transformer.`); as it is otherwise."""
        if name in self.known:
            return name
        near = [one for one in self.known if one.endswith("." + name) or name.endswith("." + one)]
        return near[0] if len(near) == 1 else name


def read(part: Part, known: Iterable[str], model_type: str) -> Found:
    """The changes of one adapter; raises InputError adapter_missing, adapter_kind, adapter_feature, and what `tensors`
    raises."""
    config = _config(part.folder)
    if not (part.folder / WEIGHTS).is_file():
        raise InputError("adapter_missing", path=str(part.folder / WEIGHTS))
    names = Names(dict.fromkeys(known))
    found, factors = Found(), dict[str, dict[str, Tensor]]()
    for stored, tensor in tensors(part.folder / WEIGHTS).items():
        name = stored.removeprefix("base_model.model.")
        if ".original_module." in name:
            continue
        if match := _FACTOR.fullmatch(name):
            factors.setdefault(match[1], {})[match[2] + (match[3] or ".embedding")] = tensor
        elif match := _MAGNITUDE.fullmatch(name):
            factors.setdefault(match[1], {})["magnitude"] = tensor
        elif _TOKENS in name:
            module = name.partition(_TOKENS)[0]
            place = names.find(f"{module}.weight")
            found.changes.setdefault(place, []).append(Rows(tensor, _tokens(config, module), part.weight))
        else:
            plain = re.sub(r"\.modules_to_save(\.default)?(?=\.)", "", name).replace(".base_layer.", ".")
            place = names.find(plain)
            found.changes.setdefault(place, []).append(Whole(tensor, part.weight))
            if set(plain.split(".")) & set(config.get("modules_to_save") or ()):
                found.saved.add(place)
    for module, given in factors.items():
        _of_factors(found, names, module, given, config, part, model_type)
    return found


def _of_factors(found: Found, names: Names, module: str, given: Mapping[str, Tensor], config: Mapping[str, Any],
                part: Part, model_type: str) -> None:
    """Put one module's matrices among the changes."""
    module = module.replace(".base_layer", "")
    is_embedding = "A.embedding" in given
    a, b = (given.get(side + (".embedding" if is_embedding else ".weight")) for side in "AB")
    if a is None or b is None:
        raise InputError("adapter_mismatch", path=str(part.folder), name=module)
    alone = _scaling(config, module, a.shape[0])
    scale = alone * part.weight
    across = is_embedding or model_type in ACROSS
    change: Change = LowRank(a, b, scale, across)
    if "magnitude" in given:
        if is_embedding:
            raise InputError("adapter_feature", path=str(part.folder), name="use_dora")
        change = Dora(LowRank(a, b, alone, across), given["magnitude"], part.weight)
    begun = str(config.get("init_lora_weights")).lower()
    taken = begun in _TAKEN_OUT and not is_embedding
    first = [Residue(a.shape[0], across, alone if begun == "olora" else 0.0)] if taken else []
    found.changes.setdefault(names.find(f"{module}.weight"), []).extend([*first, change])
    if "B.bias" in given:
        found.changes.setdefault(names.find(f"{module}.bias"), []).append(Addition(given["B.bias"], scale))


def _scaling(config: Mapping[str, Any], module: str, rank: int) -> float:
    """alpha / r, or alpha / sqrt(r), with the module's own alpha where a pattern gives one."""
    alpha = float(config.get("lora_alpha") or 8)
    for pattern, own in (config.get("alpha_pattern") or {}).items():
        if re.fullmatch(rf"(?:.*\.)?(?:{pattern})", module):
            alpha = float(own)
            break
    return alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank


def _tokens(config: Mapping[str, Any], module: str) -> tuple[int, ...]:
    said = config.get("trainable_token_indices") or ()
    if isinstance(said, dict):
        said = next((places for name, places in said.items() if f".{module}".endswith(f".{name}")), ())
    return tuple(map(int, said))


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise InputError("adapter_missing", path=str(folder)) from None
    if config.get("peft_type") != "LORA":
        raise InputError("adapter_kind", path=str(folder), kind=str(config.get("peft_type")))
    for name in _REFUSED:
        if config.get(name):
            raise InputError("adapter_feature", path=str(folder), name=name)
    begun = config.get("init_lora_weights", True)
    if (begun.lower() if isinstance(begun, str) else begun) not in (*_BASE_STAYS, *_TAKEN_OUT):
        raise InputError("adapter_feature", path=str(folder), name=f"init_lora_weights={begun}")
    return config
