"""Source: what is exported: a model's folder, the adapters on it, and the run that they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from studio.chats import lanes
from studio.data import model, templates
from studio.data.chat import ChatTokenizer
from studio.data.tokenizer_files import TokenizerFiles
from studio.errors import InputError
from studio.runs.checkpoints import adapter_folder
from studio.workspace import Workspace

WHOLE, LORA, PREFIX = "whole", "lora", "prefix"


@dataclass(frozen=True)
class Part:
    """An adapter that belongs to the model; `weight` multiplies what it adds."""

    name: str
    folder: Path
    kind: str
    weight: float = 1.0


@dataclass(frozen=True)
class Source:
    """A model with its adapters, in the order in which they are worked in.

    `kind` is that of the last part, "whole" without one; `told` the frozen spec of the run, {} for a plain folder.
    """

    name: str
    base: Path
    base_name: str
    parts: tuple[Part, ...] = ()
    run: str = ""
    step: int | None = None
    chosen: str = ""
    template: str = templates.OWN
    default_system: str | None = None
    quantization_bit: int | None = None
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """whole, lora or prefix."""
        return self.parts[-1].kind if self.parts else WHOLE

    def chat(self, workspace: Workspace) -> ChatTokenizer:
        """Tokenizer and chat template as the source was trained with them; raises what `ChatTokenizer.load` raises."""
        folder, template = self.speaks, self.template
        if folder != self.base and template == templates.wanted(self.base):
            template = templates.OWN
        return ChatTokenizer.load(folder, template, self.default_system, workspace)

    @property
    def speaks(self) -> Path:
        """The folder of tokenizer and template: an adapter from elsewhere may bring its own, with words that the base
        does not know; else the base."""
        own = (part.folder for part in reversed(self.parts) if not self.run and _speaks(part.folder))
        return next(own, self.base)


def find(spec: Any, workspace: Workspace) -> Source:
    """The source that a spec names: its model (a run, `<run>/step-<n>`, a model, a folder) and adapters on top.

    Raises InputError: what `lanes.lane` raises, adapter_missing, adapter_other_base, adapter_kinds_mixed.
    """
    found = _of(spec.model_name_or_path, workspace)
    weights = [*spec.adapter_weights, *[1.0] * len(spec.adapter_name_or_path)]
    for name, weight in zip(spec.adapter_name_or_path, weights, strict=False):
        found = _with(found, name, weight, workspace)
    if any(part.kind == PREFIX for part in found.parts) and len(found.parts) > 1:
        raise InputError("adapter_kinds_mixed", name=found.name, found=[part.name for part in found.parts])
    return replace(found, template=spec.template or found.template,
                   default_system=spec.default_system or found.default_system)


def _of(name: str, workspace: Workspace) -> Source:
    """The source of a name alone."""
    try:
        lane = lanes.lane(name, workspace)
    except InputError as error:
        if error.code != "lane_stacked":
            raise
        return _stacked(name, workspace)
    parts = () if lane.adapter is None else (Part(lane.name, lane.adapter, lane.kind),)
    told = lanes.said(workspace, lane.run) if lane.run else {}
    return Source(name, lane.base, lane.base_name, parts, lane.run, lane.step, lane.chosen, lane.template,
                  lane.default_system, lane.quantization_bit, told)


def _stacked(name: str, workspace: Workspace) -> Source:
    """An adapter that was learned on others: all of them, in the order in which training worked them in."""
    run = name.partition("/")[0]
    told = lanes.said(workspace, run)
    own = adapter_folder(name, workspace)
    below = list(told["adapter_name_or_path"])
    below = below if told.get("create_new_adapter") else below[:-1]
    base_name = str(told["model_name_or_path"])
    base = model.locate(base_name, workspace, str(told.get("model_revision") or "main"))
    if own is None or base is None:
        raise InputError("model_missing", name=base_name if base is None else name)
    found = Source(name, base, base_name, run=run, step=int(own.name[5:]),
                   template=str(told.get("template") or templates.OWN), default_system=told.get("default_system"),
                   quantization_bit=told.get("quantization_bit"), told=told)
    for one in below:
        found = _with(found, one, 1.0, workspace)
    return replace(found, parts=(*found.parts, Part(name, own, LORA)))


def _with(found: Source, name: str, weight: float, workspace: Workspace) -> Source:
    """The source with one more adapter, which must be one of the same base."""
    folder = adapter_folder(name, workspace)
    if folder is None:
        raise InputError("adapter_missing", path=name)
    lane = lanes.lane(str(folder), workspace, lanes.Lane(found.name, found.base, found.base_name))
    if lane.adapter is None:
        raise InputError("adapter_missing", path=name)
    return replace(found, parts=(*found.parts, Part(name, lane.adapter, lane.kind, weight)),
                   name=f"{found.name}+{name}", run=found.run or lane.run, step=found.step or lane.step,
                   template=found.template if found.template != templates.OWN else lane.template,
                   told=found.told or (lanes.said(workspace, lane.run) if lane.run else {}))


def _speaks(folder: Path) -> bool:
    """Whether a folder has a whole tokenizer and a chat template."""
    try:
        return bool(TokenizerFiles.of(folder).chat_template)
    except InputError:
        return False
