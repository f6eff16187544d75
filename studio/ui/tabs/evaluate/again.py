"""An evaluation that was made, back in the form: who was asked what, scored how, to be changed and asked again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from studio.chats.lanes import BASE
from studio.specs import frozen
from studio.specs.evaluate import ARGUMENTS, HARNESS
from studio.ui import widgets
from studio.ui.tabs.evaluate import fields, harness, questions
from studio.ui.tabs.evaluate.place import Place
from studio.ui.tabs.evaluate.visit import Visit


def draft(visit: Visit, run: str) -> Place:
    """The place whose form holds the settings of an evaluation; raises what reading its spec raises."""
    spec, _ = frozen.thaw(visit.desk.store.find(run).spec)
    typed = fields.read({name: widgets.shown(a, getattr(spec, name)) for name, a in ARGUMENTS.items()})
    held = {"run": spec.eval_run or "", "models": _models(spec), "metrics": list(spec.metrics), "task": spec.task,
            "most": str(spec.max_samples or ""), "typed": typed, "read": spec.custom_hash,
            "begun": visit.place.of("setup").get("begun", 0),
            "again": {"dataset": list(spec.dataset), "dataset_dir": spec.dataset_dir}}
    if spec.task == HARNESS:
        return Place(held={"setup": {**held, "tasks": harness.spelled(visit, spec.dataset)}})
    place = Place(held={"setup": held})
    return place.keep("setup", ask=questions.again(replace(visit, place=place), spec))


def _models(spec: Any) -> list[str]:
    """Who was asked; without a run, the base is called by its own name."""
    return [spec.model_name_or_path if name == BASE and not spec.eval_run else name for name in spec.eval_models]
