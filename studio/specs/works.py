"""Which kind of work a spec is: a training, an evaluation or an export; and what is done with specs of every kind."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from studio.args.fields import Argument

TRAIN, EVALUATE, EXPORT = "train", "evaluate", "export"
# stage: the module of its spec; every other stage is a method of training.
_OTHERS = {EVALUATE: "evaluate", EXPORT: "export"}


def verb(stage: str) -> str:
    """The engine's verb for a run of this stage."""
    return _OTHERS.get(stage, TRAIN)


def module(stage: str) -> Any:
    """The module with ARGUMENTS, check, document and changed for specs of this stage."""
    return import_module(f"studio.specs.{verb(stage)}")


def declared(stage: str) -> Mapping[str, Argument]:
    """The arguments that specs of this stage have."""
    found: Mapping[str, Argument] = module(stage).ARGUMENTS
    return found


def check(draft: Mapping[str, Any]) -> Any:
    """The spec of a draft, of whatever kind its `stage` is; raises SpecError with every problem at once."""
    return module(str(draft.get("stage", ""))).check(draft)


def document(spec: Any) -> dict[str, Any]:
    """Every argument that the run has, with its value, as plain data in the order of the form."""
    found: dict[str, Any] = module(spec.stage).document(spec)
    return found


def learns(spec: Any) -> bool:
    """Whether a run of this spec trains a model."""
    return verb(spec.stage) == TRAIN
