"""Whether a run may start: its values, and everything on disk that they name; every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from studio.data.catalogue import Catalogue
from studio.data.chat import ChatTokenizer
from studio.data.model import inspect, locate
from studio.errors import InputError, Problem, SpecError
from studio.plugins import plugin
from studio.runs import names
from studio.specs import train
from studio.workspace import Workspace


def admit(draft: Mapping[str, Any], workspace: Workspace) -> Any:
    """The spec of a draft whose model, data and adapters are all there; raises SpecError with every problem."""
    try:
        spec = train.check(draft)
    except SpecError as error:
        raise SpecError([*error.problems, *_of_broken(draft, error, workspace)]) from None
    if problems := examine(spec, workspace):
        raise SpecError(problems)
    return spec


def examine(spec: Any, workspace: Workspace) -> list[Problem]:
    """What a spec names and is not there or not usable, each beside its argument; loads no weights."""
    return [*_model(spec, workspace), *_datasets(spec, workspace), *_adapters(spec, workspace), *_name(spec, workspace)]


def _of_broken(draft: Mapping[str, Any], error: SpecError, workspace: Workspace) -> list[Problem]:
    """The problems on disk of a draft with wrong values, as far as its right values tell."""
    wrong = {problem.field for problem in error.problems}
    try:
        spec = train.check({name: value for name, value in draft.items() if name not in wrong})
    except SpecError:
        return []
    return [problem for problem in examine(spec, workspace) if problem.field not in wrong]


def _said(field: str, ask: Callable[[], Any]) -> Iterator[Problem]:
    """The problem that asking raises, beside `field`."""
    try:
        ask()
    except InputError as error:
        yield Problem(error.code, field, error.values)


def _model(spec: Any, workspace: Workspace) -> Iterator[Problem]:
    """The model's folder, its chat template and the modules that the tuner moves; a hub name is seen when it comes."""
    folder: Path | None = None
    problems = list(_said("model_name_or_path", lambda: locate(spec.model_name_or_path, workspace)))
    if not problems:
        folder = locate(spec.model_name_or_path, workspace)
    if folder is None:
        yield from problems
        return
    problems = list(_said("model_name_or_path", lambda: inspect(folder)))
    yield from problems
    if not problems:
        tuner = plugin("tuners", spec.finetuning_type)
        fields = {"lora": "lora_target", "freeze": "freeze_trainable_modules"}
        field = fields.get(spec.finetuning_type, "finetuning_type")
        yield from _said(field, lambda: tuner.trainable(inspect(folder), spec))
    yield from _said("template", lambda: ChatTokenizer.load(folder, spec.template, spec.default_system))


def _datasets(spec: Any, workspace: Workspace) -> Iterator[Problem]:
    for field in ("dataset", "eval_dataset"):
        for name in getattr(spec, field):
            yield from _said(field, partial(_entry, spec, workspace, name))


def _entry(spec: Any, workspace: Workspace, name: str) -> Any:
    return Catalogue(workspace, spec.dataset_dir).entry(name)


def _adapters(spec: Any, workspace: Workspace) -> Iterator[Problem]:
    for name in spec.adapter_name_or_path:
        path = Path(name).expanduser()
        places = (path, workspace.root / path, workspace.saves / path)
        if not any(place.is_dir() for place in places):
            yield Problem("adapter_missing", "adapter_name_or_path", {"value": name})


def _name(spec: Any, workspace: Workspace) -> Iterator[Problem]:
    if spec.output_dir:
        found = list(_said("output_dir", lambda: names.from_output_dir(spec.output_dir, workspace.saves)))
        yield from found
        if not found and (workspace.saves / names.from_output_dir(spec.output_dir, workspace.saves)).exists():
            yield Problem("name_taken", "output_dir", {"name": spec.output_dir})
