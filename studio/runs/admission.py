"""Whether a run may start: its values, and everything on disk that they name; every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from studio.data import prepare, templates
from studio.data.chat import ChatTokenizer
from studio.data.model import inspect, locate, only_pickles
from studio.data.templates import chosen
from studio.errors import InputError, Problem, SpecError
from studio.plugins import plugin
from studio.runs import names
from studio.runs.checkpoints import adapter_folder
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


def glance(spec: Any, workspace: Workspace) -> None:
    """Raise what can be told while a form is being filled; InputError template_missing for a model without one."""
    folder = locate(spec.model_name_or_path, workspace, spec.model_revision)
    if folder is not None and spec.template == templates.OWN and (name := templates.wanted(folder)) != templates.OWN:
        raise InputError("template_missing", path=str(folder), wanted=name)


def examine(spec: Any, workspace: Workspace) -> list[Problem]:
    """What a spec names and is not there or not usable, each beside its argument; loads no weights."""
    model = list(_model(spec, workspace))
    return [*model, *_datasets(spec, workspace, None if model else _chat(spec, workspace)), *_adapters(spec, workspace),
            *_name(spec, workspace)]


def _chat(spec: Any, workspace: Workspace) -> ChatTokenizer | None:
    """The tokenizer of a model that has no problem; None for one that is still at its hub."""
    folder = locate(spec.model_name_or_path, workspace, spec.model_revision)
    return None if folder is None else ChatTokenizer.load(folder, spec.template, spec.default_system, workspace)


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
    find = partial(locate, spec.model_name_or_path, workspace, spec.model_revision)
    problems = list(_said("model_name_or_path", find))
    folder = None if problems else find()
    if folder is None:
        yield from [*problems, *_said("template", lambda: chosen(spec.template, workspace))]
        return
    problems = list(_said("model_name_or_path", lambda: inspect(folder)))
    yield from problems
    if not problems:
        tuner = plugin("tuners", spec.finetuning_type)
        fields = {"lora": "lora_target", "freeze": "freeze_trainable_modules"}
        field = fields.get(spec.finetuning_type, "finetuning_type")
        yield from _said(field, lambda: tuner.trainable(inspect(folder), spec))
    if any(problem.code in ("model_empty", "model_config_broken") for problem in problems):
        return  # the tokenizer would say the same again
    yield from _said("template", lambda: ChatTokenizer.load(folder, spec.template, spec.default_system, workspace))


def _datasets(spec: Any, workspace: Workspace, chat: ChatTokenizer | None) -> Iterator[Problem]:
    evaluated = spec.eval_dataset if spec.eval_strategy != "no" else []
    for field, names_of in (("dataset", spec.dataset), ("eval_dataset", evaluated)):
        for name in names_of:
            for problem in _said(field, partial(prepare.examine, spec, workspace, chat, name)):
                yield replace(problem, field="cutoff_len") if problem.code == "cutoff_below_prompt" else problem


def _adapters(spec: Any, workspace: Workspace) -> Iterator[Problem]:
    for name in spec.adapter_name_or_path:
        folder = adapter_folder(name, workspace)
        if folder is None or (spec.finetuning_type == "lora" and not (folder / "adapter_config.json").is_file()):
            yield Problem("adapter_missing", "adapter_name_or_path", {"value": name})
        elif pickles := only_pickles(folder):
            yield Problem("model_only_pickles", "adapter_name_or_path", {"path": str(folder), "found": pickles[:3]})


def _name(spec: Any, workspace: Workspace) -> Iterator[Problem]:
    if spec.output_dir:
        found = list(_said("output_dir", lambda: names.from_output_dir(spec.output_dir, workspace.saves)))
        yield from found
        if not found and (workspace.saves / names.from_output_dir(spec.output_dir, workspace.saves)).exists():
            yield Problem("name_taken", "output_dir", {"name": spec.output_dir})
