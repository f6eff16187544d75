"""An adapter as a PEFT folder for others: its own files, or several adapters joined into one that adds the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from studio.data.model import HUB_NAME
from studio.errors import InputError
from studio.exports.source import Source
from studio.exports.weights import numbers, parts
from studio.exports.weights.changes import LowRank
from studio.exports.weights.files import Tensor, height, of_model, tensors
from studio.exports.weights.parts import CONFIG, WEIGHTS
from studio.exports.weights.stream import Planned
from studio.exports.weights.writing import write_file
from studio.exports.work import Work
from studio.records import read_json

_SIDES = re.compile(r"\.lora_[AB](?:\.default)?\.weight$")


class Adapter(NamedTuple):
    """An adapter to be written: its settings and its tensors, each read when its turn comes."""

    config: dict[str, Any]
    tensors: dict[str, Planned]
    read: Mapping[str, Callable[[], np.ndarray]]


def write(source: Source, dtype: str, work: Work) -> None:
    """Write adapter_config.json and adapter_model.safetensors; raises StopAsked and what `planned` raises."""
    made = planned(source)
    kind = numbers.WORDS.get(dtype)
    wanted = {name: Planned(one.shape, kind) if kind and one.dtype in numbers.FLOATS else one
              for name, one in made.tensors.items()}

    def stored(name: str) -> np.ndarray:
        work.stay()
        values = made.read[name]()
        return numbers.narrowed(values, wanted[name].dtype) if wanted[name].dtype in numbers.FLOATS else values

    total = len(wanted)
    for number, _ in enumerate(write_file(work.into / WEIGHTS, wanted, lambda name: [stored(name)])):
        work.tell(number + 1, total, WEIGHTS)
    text = json.dumps(made.config, indent=2, ensure_ascii=False)
    (work.into / CONFIG).write_text(text + "\n", encoding="utf-8")


def planned(source: Source) -> Adapter:
    """What will be written; raises InputError export_adapters_mixed and what `parts.read` raises."""
    only = source.parts[0]
    if len(source.parts) > 1 or only.weight != 1:
        return _joined(source)
    found = tensors(only.folder / WEIGHTS)
    config = _settings(only.folder, source)
    return Adapter(config, {name: Planned(one.shape, one.dtype) for name, one in found.items()},
                   {name: _reader(one) for name, one in found.items()})


def base_name(source: Source) -> str:
    """What others know the base model by: its name on the hub where it has one, else its folder's name."""
    name = source.base_name
    if HUB_NAME.fullmatch(name) and not Path(name).exists():
        return name
    folder = source.base.name.partition("@")[0]
    if "--" in folder and HUB_NAME.fullmatch(folder.replace("--", "/", 1)):
        return folder.replace("--", "/", 1)
    said = str((read_json(source.base / "config.json") or {}).get("_name_or_path") or "")
    return said if HUB_NAME.fullmatch(said) else folder


def _settings(folder: Path, source: Source) -> dict[str, Any]:
    """adapter_config.json that names no folder of this machine."""
    config = dict(read_json(folder / CONFIG) or {})
    config["base_model_name_or_path"] = base_name(source)
    config["inference_mode"] = True
    config["fan_in_fan_out"] = _is_across(source)
    return config


def _is_across(source: Source) -> bool:
    return str((read_json(source.base / "config.json") or {}).get("model_type")) in parts.ACROSS


def _reader(tensor: Tensor) -> Callable[[], np.ndarray]:
    rows = height(tensor.shape)
    return (lambda: tensor.floats(0, rows)) if tensor.dtype in numbers.FLOATS else (lambda: tensor.stored(0, rows))


def _joined(source: Source) -> Adapter:
    """Plain LoRAs as one: their matrices side by side, scales and weights worked into B, all of one rank.

    `B1 A1 + B2 A2 = [B1 B2] [A1; A2]`, which is exact; where a module has fewer, zeros fill up.
    """
    low: dict[str, list[LowRank]] = {}
    base = of_model(source.base)
    kind = str((read_json(source.base / "config.json") or {}).get("model_type"))
    for part in source.parts:
        modules = {_SIDES.sub("", name) for name in tensors(part.folder / WEIGHTS) if _SIDES.search(name)}
        by_place = {parts.Names(base).find(name.removeprefix("base_model.model.") + ".weight"): name
                    for name in modules}
        for place, changes in parts.read(part, base, kind).changes.items():
            for change in changes:
                if not isinstance(change, LowRank) or place not in by_place:
                    raise InputError("export_adapters_mixed", name=part.name)
                low.setdefault(by_place[place], []).append(change)
    rank = max(sum(one.a.shape[0] for one in these) for these in low.values())
    found: dict[str, Planned] = {}
    readers: dict[str, Callable[[], np.ndarray]] = {}
    for module, these in sorted(low.items()):
        for side, shape in (("A", (rank, these[0].a.shape[1])), ("B", (these[0].b.shape[0], rank))):
            name = f"{module}.lora_{side}.weight"
            found[name] = Planned(shape, "F32")
            readers[name] = _side(these, side, shape)
    first = _settings(source.parts[0].folder, source)
    targets = sorted({module.removeprefix("base_model.model.") for module in low})
    config = {**first, "r": rank, "lora_alpha": rank, "use_rslora": False, "rank_pattern": {}, "alpha_pattern": {},
              "target_modules": _short(targets, [name.removesuffix(".weight") for name in base]),
              "lora_dropout": 0.0, "init_lora_weights": True}
    return Adapter(config, found, readers)


def _side(these: list[LowRank], side: str, shape: tuple[int, ...]) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        made, at = np.zeros(shape, np.float32), 0
        for one in these:
            count = one.a.shape[0]
            if side == "A":
                made[at:at + count] = one.a.whole()
            else:
                made[:, at:at + count] = one.b.whole() * np.float32(one.scale)
            at += count
        return made

    return read


def _short(targets: list[str], modules: list[str]) -> list[str]:
    """The last names of the modules where these mean just them, else their whole names."""
    short = sorted({name.rpartition(".")[2] for name in targets})
    meant = [name for name in modules if name.rpartition(".")[2] in short]
    return short if len(meant) == len(targets) else targets
