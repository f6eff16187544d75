"""Lanes: which weights answer under a name: `base`, a model, `<run>`, `<run>/step-<n>`, or a folder.

What a lane is made of is looked up anew each time, so a checkpoint that was written a moment ago is found. Nothing is
loaded here; what is asked of a folder is what its small files and the headers of its weights say.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.args import document
from studio.data import model, templates
from studio.errors import InputError, StudioError
from studio.records import read_json
from studio.runs.checkpoints import Checkpoint, result
from studio.runs.files import RunFolder
from studio.runs.forecast import PROCESS_BYTES, free_memory, gpus
from studio.runs.store import RunStore
from studio.workspace import STARTER, Workspace

BASE = "base"
LORA, PREFIX = "adapter_config.json", "prefix_config.json"
LORA_WEIGHTS, PREFIX_WEIGHTS = "adapter_model.safetensors", "prefix_encoder.safetensors"
COMPLETE = "complete"
_HALF_PAYS_FROM = 20_000_000
_ASKED = (LORA, PREFIX, LORA_WEIGHTS, PREFIX_WEIGHTS, "config.json", "generation_config.json", "tokenizer.json",
          "tokenizer_config.json", "chat_template.jinja")


@dataclass(frozen=True)
class Lane:
    """The weights that answer under a name.

    `base` is the folder of the model, `adapter` what is put on it; a fully tuned checkpoint (`whole`) is a model of its
    own. `chosen` says which checkpoint a run's own name meant. `template` and `default_system` are those it was trained
    with, `quantization_bit` how its base was loaded then.
    """

    name: str
    base: Path
    base_name: str
    adapter: Path | None = None
    kind: str = "base"
    run: str = ""
    step: int | None = None
    chosen: str = ""
    template: str = templates.OWN
    default_system: str | None = None
    quantization_bit: int | None = None

    @property
    def folder(self) -> Path:
        """The folder that makes this lane what it is: its adapter, else its model."""
        return self.adapter or self.base

    def fingerprint(self) -> tuple[tuple[str, int, int], ...]:
        """(name, bytes, time of change) of every file that decides an answer: another value, other weights."""
        rooms = [self.base] if self.adapter is None else [self.base, self.adapter]
        return tuple(stamp for room in rooms for stamp in _stamps(room))


@dataclass(frozen=True)
class Cost:
    """What a lane takes once it is loaded: the process with its weights, and each token that is kept of a talk.

    `available_bytes` are free now, on the GPU that has least where there is one; None when nobody can say.
    """

    bytes: int
    cache_bytes_per_token: int
    available_bytes: int | None

    @property
    def fits(self) -> bool:
        """Whether there is room for it, as far as can be told."""
        return self.available_bytes is None or self.bytes <= self.available_bytes


def estimate(found: Lane, quantization_bit: int | None = None, dtype: str = "auto") -> Cost:
    """What loading the lane takes, from the headers of its files; `dtype` is a compute_type.

    Raises what `data.model.inspect` raises.
    """
    facts = model.inspect(found.base, packed=True)
    width = _number_bytes(dtype, facts.parameters)
    weights = facts.parameters * (quantization_bit / 8 if quantization_bit else width)
    if any(kind not in model.TRAINABLE for _, kind in facts.tensors.values()):
        weights = facts.bytes  # stored in fewer bits, and held as it is stored
    if found.adapter is not None:  # an adapter's weights stay float32
        weights += sum(size for name, size, _ in _stamps(found.adapter) if name.endswith(".safetensors"))
    return Cost(PROCESS_BYTES + int(weights), _cached_numbers(facts) * width, free_memory(None))


def lane(name: str, workspace: Workspace, base: Lane | None = None, *, paths: bool = True) -> Lane:
    """The lane of this name; with `base`, `base` itself and adapters that must be of that very model.

    Without `paths`, folders outside of the workspace are not looked at: for names that come from elsewhere.
    Raises InputError: lane_unknown, lane_unknown_near, lane_no_base, lane_no_checkpoint, checkpoint_unknown,
    checkpoint_incomplete, adapter_other_base, adapter_base_missing, adapter_kind, lane_stacked, and what
    `data.model.inspect` raises of a broken model folder.
    """
    name = name.strip()
    if name == BASE:
        if base is None:
            raise InputError("lane_no_base")
        return replace(base, name=BASE)
    found = _of_run(name, workspace) if name != STARTER else None
    found = found or _of_folder(name, workspace, base, paths)
    if found is None:
        raise _unknown(name, workspace)
    if base is not None and found.adapter is not None and not _same_model(found.base, base.base):
        raise InputError("adapter_other_base", name=name, value=found.base_name, base=base.base_name)
    return found


def offered(workspace: Workspace) -> list[Lane]:
    """What a workspace has to talk to: the starter, local models, then each run with its checkpoints, newest first.

    Running runs too; what is broken is left out.
    """
    found = [one for name in model.local_models(workspace) if (one := _unless_broken(name, workspace))]
    for summary in RunStore(workspace).summaries():
        folder = RunFolder(workspace.saves / summary.name)
        steps = folder.complete_steps()
        names = [summary.name, *(f"{summary.name}/step-{step}" for step in reversed(steps))] if steps else []
        found += [one for name in names if (one := _unless_broken(name, workspace))]
    return found


def _unless_broken(name: str, workspace: Workspace) -> Lane | None:
    try:
        return lane(name, workspace)
    except StudioError:
        return None


def _number_bytes(dtype: str, parameters: int) -> int:
    """Bytes of a weight as it is held; left to the machine, what training's own rule takes (engine.numerics)."""
    if dtype == "auto":
        dtype = "bf16" if gpus(None) or (parameters >= _HALF_PAYS_FROM and _has_half_products()) else "fp32"
    return 4 if dtype == "fp32" else 2


@lru_cache(maxsize=1)
def _has_half_products() -> bool:
    """Whether the processor multiplies bf16 itself."""
    try:
        said = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "amx_bf16" in said or "avx512_bf16" in said


def _cached_numbers(facts: model.ModelFacts) -> int:
    """Keys and values of one token in all layers, read from the projections' shapes."""
    keys = [shape[0] for name, (shape, _) in facts.tensors.items()
            if name.endswith((".k_proj.weight", ".v_proj.weight"))]
    return sum(keys) if keys else 2 * facts.layers * facts.hidden


# ---- runs ----

def _of_run(name: str, workspace: Workspace) -> Lane | None:
    """The lane of a run or of one of its checkpoints; None when there is no such run."""
    run, _, step = name.partition("/")
    if not run or run.startswith(".") or not _is_folder(workspace.saves / run) or (step and "/" in step):
        return None
    folder = RunFolder(workspace.saves / run)
    if not step:
        chosen = result(folder)
        if chosen is None and any((folder.export / one).is_file() for one in ("config.json", LORA, PREFIX)):
            found = _of_folder(str(folder.export), workspace, None, True)  # an export answers as what it has made
            return None if found is None else replace(found, name=name)
        if chosen is None:
            raise InputError("lane_no_checkpoint", name=run)
        return _of_checkpoint(name, folder, chosen.path, chosen, workspace)
    path = folder.checkpoints / step
    if not step.startswith("step-") or not step[5:].isdigit() or not path.is_dir():
        there = [f"step-{one}" for one in folder.complete_steps()]
        raise InputError("checkpoint_unknown", name=run, value=step, known=there)
    if not (path / COMPLETE).exists():
        raise InputError("checkpoint_incomplete", name=name)
    return _of_checkpoint(name, folder, path, None, workspace)


def _of_checkpoint(name: str, folder: RunFolder, path: Path, chosen: Checkpoint | None, workspace: Workspace) -> Lane:
    about_run = _spec(folder.spec)
    word = "" if chosen is None else "last" if chosen.last and not chosen.best else "best"
    about: dict[str, Any] = {"run": folder.name, "step": int(path.name[5:]), "chosen": word,
                             "template": str(about_run.get("template") or templates.OWN),
                             "default_system": about_run.get("default_system") or None,
                             "quantization_bit": about_run.get("quantization_bit") or None}
    kind = _kind(path)
    if kind == "whole":
        return Lane(name, path, name, kind=kind, **about)
    base_name = str(about_run.get("model_name_or_path") or STARTER)
    _refuse_stacked(name, about_run)
    base = _model_folder(base_name, workspace, str(about_run.get("model_revision") or "main"))
    return Lane(name, base, base_name, path, kind, **about)


def _refuse_stacked(name: str, about: dict[str, Any]) -> None:
    """An adapter that was learned on top of others, which were merged into the model first, is none of the base."""
    given = about.get("adapter_name_or_path") or []
    merged = given if about.get("create_new_adapter") else given[:-1]
    if merged and about.get("finetuning_type") == "lora":
        raise InputError("lane_stacked", name=name, found=merged)


def said(workspace: Workspace, run: str) -> dict[str, Any]:
    """What the spec of a run says, nothing when it is broken or not there."""
    return _spec(RunFolder(workspace.saves / run).spec)


def _spec(path: Path) -> dict[str, Any]:
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, StudioError):
        return {}


@lru_cache(maxsize=2048)
def _read(path: Path, changed: int) -> dict[str, Any]:
    return document.read(path)


# ---- folders ----

def _of_folder(name: str, workspace: Workspace, base: Lane | None, paths: bool) -> Lane | None:
    """The lane of a model or an adapter's folder, by its name or path; None when there is none."""
    try:
        folder = model.locate(name, workspace)
    except (InputError, OSError, ValueError):  # a name that no file system would take
        return None
    if folder is None or not name:
        return None
    roots = (workspace.root.resolve(), workspace.starter.resolve())
    if not paths and not any(folder.resolve().is_relative_to(root) for root in roots):
        return None
    if _is_inside_a_run(folder, workspace):
        return _of_run(f"{folder.parent.parent.name}/{folder.name}", workspace)
    kind = _kind(folder)
    if kind == "whole":
        model.inspect(folder, packed=True)
        return Lane(name, folder, name, template=templates.wanted(folder))
    own = str((read_json(folder / (LORA if kind == "lora" else PREFIX)) or {}).get("base_model_name_or_path") or "")
    return _on_its_base(Lane(name, folder, own, folder, kind), workspace, base)


def _on_its_base(found: Lane, workspace: Workspace, base: Lane | None) -> Lane:
    """An adapter from elsewhere on the model that its configuration names, else on the one that is given."""
    try:
        folder = _model_folder(found.base_name, workspace, "main")
    except InputError:
        if base is None:
            raise InputError("adapter_base_missing", name=found.name, value=found.base_name or "–") from None
        return replace(found, base=base.base, base_name=base.base_name, template=base.template,
                       default_system=base.default_system)
    return replace(found, base=folder, template=templates.wanted(folder))


def _is_inside_a_run(folder: Path, workspace: Workspace) -> bool:
    return folder.parent.name == "checkpoints" and folder.parent.parent.parent == workspace.saves.resolve()


def _model_folder(name: str, workspace: Workspace, revision: str) -> Path:
    folder = model.locate(name, workspace, revision) if name else None
    if folder is None:
        raise InputError("model_missing", name=name)
    return folder


def _kind(folder: Path) -> str:
    """What a folder of weights is; raises InputError adapter_kind for an adapter that nothing here can load."""
    if (folder / LORA).is_file():
        kind = str((read_json(folder / LORA) or {}).get("peft_type"))
        if kind != "LORA":
            raise InputError("adapter_kind", path=str(folder), kind=kind)
        if pickles := model.only_pickles(folder):
            raise InputError("model_only_pickles", path=str(folder), found=pickles[:3])
        return "lora"
    return "prefix" if (folder / PREFIX).is_file() else "whole"


def _same_model(one: Path, other: Path) -> bool:
    """Whether two folders hold one model: the same folder, or a copy with the same shapes and figures."""
    if one.resolve() == other.resolve():
        return True
    try:
        first, second = model.inspect(one, packed=True), model.inspect(other, packed=True)
    except StudioError:
        return False
    return (read_json(one / "config.json") == read_json(other / "config.json") and first.bytes == second.bytes
            and dict(first.tensors) == dict(second.tensors))


def _stamps(room: Path) -> Iterator[tuple[str, int, int]]:
    try:
        with os.scandir(room) as entries:
            files = sorted((entry for entry in entries
                            if entry.name in _ASKED or entry.name.endswith(".safetensors")), key=lambda one: one.name)
            stats = [(entry.name, entry.stat()) for entry in files]
    except OSError:
        stats = []
    yield from ((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _unknown(name: str, workspace: Workspace) -> InputError:
    """There is no such lane; the names that come nearest to it are said."""
    try:
        runs = [path.name for path in workspace.saves.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError:
        runs = []
    names = [*model.local_models(workspace), *runs]
    near = difflib.get_close_matches(name.partition("/")[0], names, 3, 0.4)
    if near:
        return InputError("lane_unknown_near", name=name, nearest=near)
    return InputError("lane_unknown", name=name, known=names[:8])
