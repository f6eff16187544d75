"""Whether an export may start: its values, its source, its form, its target and the disk; every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from studio.chats import lanes
from studio.data import mark, mix, model
from studio.data.catalogue import Catalogue
from studio.data.fingerprint import fingerprint
from studio.errors import InputError, Problem, SpecError, StudioError
from studio.exports import fit, source
from studio.exports.forecast import forecast, target_of
from studio.exports.place import Place, sized
from studio.exports.source import LORA, Source
from studio.plugins import exporters, kinds
from studio.records import read_json
from studio.runs import names
from studio.runs.files import RunFolder
from studio.runs.state import state_of
from studio.scores.asked import entries
from studio.scores.models import run_of
from studio.specs import export
from studio.workspace import Workspace

MODEL, FORM, TARGET = "model_name_or_path", "export_to", "export_dir"


def admit(draft: Mapping[str, Any], workspace: Workspace, *, paths: bool = False) -> Any:
    """The resolved spec of a draft that can be exported as it says; raises SpecError with every problem.

    A run's name becomes that of its checkpoint. Only with `paths` may a dataset be any file of this machine.
    """
    problems: list[Problem] = []
    try:
        spec = export.check(draft)
    except SpecError as error:
        problems += error.problems
        wrong = {problem.field for problem in problems}
        try:
            spec = export.check({name: value for name, value in draft.items() if name not in wrong})
        except SpecError:
            raise error from None
    spec, found = examined(spec, workspace, paths)
    known = {problem.field for problem in problems}
    problems += [problem for problem in found if problem.field not in known]
    if problems:
        raise SpecError(problems)
    return spec


def examined(spec: Any, workspace: Workspace, paths: bool = False) -> tuple[Any, list[Problem]]:
    """The spec resolved, and what stands against it, each beside its argument; loads no weights."""
    found, problems = _source(spec, workspace)
    if found is not None:
        spec = _resolved(spec, found)
        problems += [*_base(found), *_adapters(found)]
        problems += _form(spec, found, looks_closer=not problems)
        if not problems:
            problems += _room(spec, found, workspace)
    spec, missing = _datasets(spec, workspace, paths)
    return spec, [*problems, *missing, *_target(spec, workspace), *_name(spec, workspace)]


def fingerprints(spec: Any, workspace: Workspace) -> dict[str, str]:
    """The hash of every dataset that a resolved spec names."""
    return {entry.name: fingerprint(entry, workspace.cache / "hashes")
            for entry, _ in entries(spec.dataset, spec.dataset_dir, workspace)} if spec.dataset else {}


def last_step(name: str, workspace: Workspace) -> str | None:
    """What can be taken of a run that is still at work: `<run>/step-<n>`; None for everything that stands still."""
    run = run_of(name, workspace)
    if not run or run != name or not state_of(RunFolder(workspace.saves / run)).is_live:
        return None
    steps = RunFolder(workspace.saves / run).complete_steps()
    return f"{run}/step-{steps[-1]}" if steps else ""


def _said(field: str, ask: Callable[[], Any]) -> list[Problem]:
    """The problem that asking raises, beside `field`."""
    try:
        ask()
    except StudioError as error:
        return [Problem(error.code, field, error.values)]
    return []


def _source(spec: Any, workspace: Workspace) -> tuple[Source | None, list[Problem]]:
    """What is to be exported; None with the reason when that cannot be told."""
    running = last_step(spec.model_name_or_path, workspace)
    if running is not None:
        code = "run_still_training" if running else "run_training_empty"
        return None, [Problem(code, MODEL, {"name": spec.model_name_or_path, "step": running})]
    if pickles := _pickles(spec, workspace):
        return None, pickles
    gone = _gone(spec.model_name_or_path, workspace)
    if gone is not None:
        return None, [gone]
    try:
        return source.find(spec, workspace), []
    except InputError as error:
        first = _said(MODEL, partial(source.find, spec.model_copy(
            update={"adapter_name_or_path": [], "adapter_weights": []}), workspace))
        return None, first or [Problem(error.code, "adapter_name_or_path",
                                       {"value": error.values.get("path"), **error.values})]


def _resolved(spec: Any, found: Source) -> Any:
    """The spec with the checkpoint that a run's name means, so that nothing is left to be guessed later."""
    name = spec.model_name_or_path
    step = found.step if found.run and name == found.run else None
    return spec if step is None else spec.model_copy(update={MODEL: f"{name}/step-{step}"})


def _pickles(spec: Any, workspace: Workspace) -> list[Problem]:
    """Folders of older systems whose weights are pickles only."""
    found = []
    for field, named in ((MODEL, [spec.model_name_or_path]), ("adapter_name_or_path", spec.adapter_name_or_path)):
        for name in named:
            folder = next((path for path in (Path(name).expanduser(), workspace.models / name, workspace.root / name)
                           if path.is_dir()), None)
            if folder is not None and (kept := model.only_pickles(folder)):
                found.append(Problem("model_only_pickles", field, {"path": str(folder), "found": kept[:3]}))
    return found


def _gone(name: str, workspace: Workspace) -> Problem | None:
    """A run whose model is not on this machine any more."""
    run = run_of(name, workspace)
    told = lanes.said(workspace, run) if run else {}
    if not told or told.get("finetuning_type") not in ("lora", "prefix"):
        return None
    base = str(told.get("model_name_or_path") or "")
    try:
        folder = model.locate(base, workspace, str(told.get("model_revision") or "main"))
    except InputError:
        folder = None
    return None if folder is not None else Problem("base_gone", MODEL, {"name": run, "base": base})


def _base(found: Source) -> Iterator[Problem]:
    """The model below: whether it can be read, and is still the one that was trained on."""
    problems = _said(MODEL, partial(model.inspect, found.base, packed=True))
    yield from problems
    if problems:
        return
    for part in found.parts:
        before = (read_json(part.folder / "state.json") or {}).get("base")
        if isinstance(before, str) and before != mark.mark(found.base):
            yield Problem("base_changed", MODEL, {"name": part.name, "base": str(found.base)})


def _adapters(found: Source) -> Iterator[Problem]:
    """Whether every LoRA is one of this very model, by the names and shapes of what it changes."""
    for part in found.parts:
        if part.kind == LORA:
            wrong = fit.misfit(part.folder, found.base)
            if wrong is not None:
                field = MODEL if part.name == found.name else "adapter_name_or_path"
                yield Problem("adapter_misfit", field, {"name": part.name, "base": found.base_name, "tensor": wrong})


def _form(spec: Any, found: Source, looks_closer: bool) -> Iterator[Problem]:
    """Whether the form can be made of this source, here; `looks_closer` asks the form itself, which reads headers."""
    form = exporters.exporter(spec.export_to)
    inner = exporters.innermost(spec)
    if found.kind not in getattr(inner, "TAKES", getattr(form, "TAKES", ())):
        fit = [name for name in kinds("exporters") if found.kind in getattr(exporters.exporter(name), "TAKES", ())]
        yield Problem("form_not_of_kind", FORM, {"value": spec.export_to, "kind": f"@exports.kinds.{found.kind}",
                                                 "known": fit})
        return
    for module in dict.fromkeys((form, inner)):
        if hasattr(module, "needs"):
            yield from _said(FORM, module.needs)
        if looks_closer and hasattr(module, "refuse"):
            yield from module.refuse(found, spec)


def _room(spec: Any, found: Source, workspace: Workspace) -> Iterator[Problem]:
    """Whether the disk has room for the result."""
    try:
        wanted = forecast(spec, found, workspace)
    except StudioError as error:
        yield Problem(error.code, FORM, error.values)
        return
    if not wanted.fits:
        path = target_of(spec, workspace)
        yield Problem("disk_short", TARGET, {"path": str(path), "needed": sized(wanted.room_bytes),
                                             "free": sized(wanted.free_bytes)})


def _target(spec: Any, workspace: Workspace) -> Iterator[Problem]:
    """Whether the target lies below the root and is free."""
    if not spec.export_dir:
        return
    found = _said(TARGET, lambda: Place.of(spec, RunFolder(workspace.saves / "export"), workspace))
    yield from found
    if not found:
        place = Place.of(spec, RunFolder(workspace.saves / "export"), workspace)
        if place.target.exists():
            yield Problem("export_exists", TARGET, {"path": str(place.target)})


def _datasets(spec: Any, workspace: Workspace, paths: bool) -> tuple[Any, list[Problem]]:
    """The spec with paths from the root on, and the datasets that are not there."""
    found, problems = [], []
    for name in spec.dataset:
        catalogue = Catalogue(workspace, spec.dataset_dir)
        known = {one.name for one in catalogue.entries()}
        plain, most = mix.limited(name, known)
        path = Path(plain).expanduser()
        if paths and plain not in known and path.exists():
            found.append(str(path.absolute()) + (f"#{most}" if most else ""))
            continue
        wrong = _said("dataset", partial(catalogue.entry, plain))
        problems += wrong
        found += [] if wrong else [name]
    return spec.model_copy(update={"dataset": found or spec.dataset}), problems


def _name(spec: Any, workspace: Workspace) -> Iterator[Problem]:
    if spec.output_dir:
        found = _said("output_dir", lambda: names.from_output_dir(spec.output_dir, workspace.saves))
        yield from found
        if not found and (workspace.saves / names.from_output_dir(spec.output_dir, workspace.saves)).exists():
            yield Problem("name_taken", "output_dir", {"name": spec.output_dir})
