"""Whether an evaluation may start: its values, its models, its data and its metrics; every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from studio.data import mix
from studio.data.catalogue import Catalogue
from studio.data.fingerprint import fingerprint
from studio.data.model import inspect
from studio.errors import InputError, Problem, SpecError, StudioError
from studio.runs import names
from studio.runs.store import RunStore
from studio.scores import guard, harness, models, scoring
from studio.scores.asked import entries, holds_out
from studio.specs import evaluate
from studio.workspace import Workspace


def admit(draft: Mapping[str, Any], workspace: Workspace, *, paths: bool = False) -> Any:
    """The resolved spec of a draft whose models, data and metrics are all there; raises SpecError with every problem.

    Only with `paths` may a dataset be any file of this machine.
    """
    problems: list[Problem] = []
    try:
        spec = evaluate.check(draft)
    except SpecError as error:
        problems += error.problems
        wrong = {problem.field for problem in problems}
        try:
            spec = evaluate.check({name: value for name, value in draft.items() if name not in wrong})
        except SpecError:
            raise error from None
    spec, found = examined(spec, workspace, paths)
    known = {problem.field for problem in problems}
    problems += [problem for problem in found if problem.field not in known]
    if problems:
        raise SpecError(problems)
    return spec


def examined(spec: Any, workspace: Workspace, paths: bool) -> tuple[Any, list[Problem]]:
    """The spec resolved, and what it names that is not there or not usable; loads no weights."""
    problems = list(_run(spec, workspace))
    if not problems:
        spec = models.resolved(spec, workspace)
        for one in models.asked(spec, workspace, problems):
            if isinstance(one, models.Elsewhere):
                if spec.task != evaluate.GENERATION:
                    problems.append(Problem("likelihood_elsewhere", "eval_models", {"value": one.name}))
            else:
                problems += _said("eval_models", partial(inspect, one.base, packed=True))
    spec, wrong = _metrics(spec, workspace)
    spec, missing = _datasets(spec, workspace, paths)
    return spec, [*problems, *missing, *wrong, *_name(spec, workspace)]


def fingerprints(spec: Any, workspace: Workspace) -> dict[str, str]:
    """The hash of every dataset that a resolved spec names."""
    if spec.task == evaluate.HARNESS:
        return {}
    return {entry.name: fingerprint(entry, workspace.cache / "hashes")
            for entry, _ in entries(spec.dataset, spec.dataset_dir, workspace)}


def _said(field: str, ask: Callable[[], Any]) -> list[Problem]:
    """The problem that asking raises, beside `field`."""
    try:
        ask()
    except StudioError as error:
        return [Problem(error.code, field, error.values)]
    return []


def _run(spec: Any, workspace: Workspace) -> Iterator[Problem]:
    if spec.eval_run:
        yield from _said("eval_run", lambda: RunStore(workspace).find(spec.eval_run))


def _metrics(spec: Any, workspace: Workspace) -> tuple[Any, list[Problem]]:
    """The spec with today's names of metrics, and those that are none or refuse to work."""
    found, problems = [], []
    for name in spec.metrics:
        try:
            found.append(scoring.named(name))
        except InputError as error:
            problems.append(Problem(error.code, "metrics", error.values))
    if not problems:
        problems += _said("metrics", lambda: scoring.Scorer(found, evaluate.options(spec, workspace)))
    return spec.model_copy(update={"metrics": list(dict.fromkeys(found))}), problems


def _datasets(spec: Any, workspace: Workspace, paths: bool) -> tuple[Any, list[Problem]]:
    """The spec with paths from the root on, and the datasets that are not there."""
    if spec.task == evaluate.HARNESS:
        return _harness(spec, paths)
    if not spec.dataset:
        return spec, list(_held_out(spec, workspace))
    found, problems = [], []
    for name in spec.dataset:
        try:
            found.append(_dataset(name, spec, workspace, paths))
        except InputError as error:
            problems.append(Problem(error.code, "dataset", error.values))
    return spec.model_copy(update={"dataset": found or spec.dataset}), problems


def _harness(spec: Any, paths: bool) -> tuple[Any, list[Problem]]:
    """The spec with folders from the root on; whether the harness is here, and whether its tasks are named at all."""
    if not spec.dataset:
        return spec, [Problem("harness_tasks_unnamed", "dataset", {})]
    names = [str(Path(name).expanduser().absolute()) if paths and Path(name).expanduser().is_dir() else name
             for name in spec.dataset]
    problems = [*_said("task", harness.program), *_said("dataset", lambda: harness.tasks(names, paths))]
    for option in ("metrics", "judge", "guard"):
        if getattr(spec, option):
            problems.append(Problem("harness_alone", option, {"name": option}))
    return spec.model_copy(update={"dataset": names}), problems


def _dataset(name: str, spec: Any, workspace: Workspace, paths: bool) -> str:
    catalogue = Catalogue(workspace, spec.dataset_dir)
    known = {one.name for one in catalogue.entries()}
    plain, most = mix.limited(name, known)
    path = Path(plain).expanduser()
    if paths and plain not in known and path.exists():
        return str(path.absolute()) + (f"#{most}" if most else "")
    catalogue.entry(plain)
    return name


def _held_out(spec: Any, workspace: Workspace) -> Iterator[Problem]:
    """What is missing where no dataset is named: rows that a run held out, or else the guard, which has its own."""
    try:
        if guard.alone(spec, workspace):
            yield from (Problem("guard_alone", option, {"name": option}) for option in ("metrics", "judge")
                        if getattr(spec, option))
        elif not spec.eval_run:
            yield Problem("questions_unnamed", "dataset", {})
        elif not holds_out(spec.eval_run, workspace):
            yield Problem("run_held_nothing", "dataset", {"name": spec.eval_run})
    except StudioError as error:
        yield Problem(error.code, "eval_run", error.values)


def _name(spec: Any, workspace: Workspace) -> Iterator[Problem]:
    if spec.output_dir:
        found = _said("output_dir", lambda: names.from_output_dir(spec.output_dir, workspace.saves))
        yield from found
        if not found and (workspace.saves / names.from_output_dir(spec.output_dir, workspace.saves)).exists():
            yield Problem("name_taken", "output_dir", {"name": spec.output_dir})
