"""Who is asked in an evaluation: lanes on this machine (base, runs, checkpoints, folders) and models elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from studio.chats import lanes
from studio.chats.lanes import BASE, Lane
from studio.data import templates
from studio.data.model import locate
from studio.errors import InputError, Problem, StudioError
from studio.runs.checkpoints import result
from studio.runs.files import RunFolder
from studio.workspace import Workspace

SCHEMES = ("http://", "https://")


@dataclass(frozen=True)
class Elsewhere:
    """A model behind an address that speaks the OpenAI protocol; `model` is its name there."""

    name: str
    url: str
    model: str


def is_address(name: str) -> bool:
    """Whether a model's name is an address."""
    return name.startswith(SCHEMES)


def run_of(name: str, workspace: Workspace) -> str:
    """The run that a name means, with or without a step; "" for everything else."""
    run = name.partition("/")[0]
    is_run = bool(run) and not run.startswith(".") and RunFolder(workspace.saves / run).checkpoints.is_dir()
    return run if is_run and (name == run or name.startswith(f"{run}/step-")) else ""


def asked(spec: Any, workspace: Workspace, problems: list[Problem] | None = None) -> list[Lane | Elsewhere]:
    """Everybody whom a resolved spec names, in its order.

    Raises what `chats.lanes.lane` raises; with `problems`, those are noted there instead and the others returned.
    """
    found: list[Lane | Elsewhere] = []
    base: Lane | None = None
    for name in spec.eval_models:
        try:
            base = base or base_of(spec, workspace)
            found.append(_elsewhere(name) if is_address(name) else _lane(name, spec, workspace, base))
        except StudioError as error:
            if problems is None:
                raise
            problems.append(Problem(error.code, "eval_models", error.values))
    return found


def base_of(spec: Any, workspace: Workspace) -> Lane:
    """The lane that `base` means: the model from which the run began, else the spec's model."""
    name = spec.model_name_or_path
    if spec.eval_run:
        about = lanes.said(workspace, spec.eval_run)
        name = str(about.get("model_name_or_path") or name)
        found = lanes.lane(name, workspace)
        return replace(found, template=str(about.get("template") or templates.OWN),
                       default_system=about.get("default_system") or None)
    return lanes.lane(name, workspace)


def _lane(name: str, spec: Any, workspace: Workspace, base: Lane) -> Lane:
    if name == BASE:
        return replace(base, name=BASE)
    return lanes.lane(name, workspace, base if _is_adapter(name) else None)


def _is_adapter(name: str) -> bool:
    """Whether a name is the folder of an adapter that may have been learned elsewhere."""
    return (Path(name).expanduser() / lanes.LORA).is_file()


def _is_model(name: str, workspace: Workspace) -> bool:
    try:
        return not is_address(name) and locate(name, workspace) is not None
    except InputError:
        return False


def _elsewhere(name: str) -> Elsewhere:
    parts = urlsplit(name)
    if not parts.hostname or not parts.fragment or parts.username or parts.password:
        raise InputError("lane_address", value=name.rpartition("@")[2])
    return Elsewhere(name, name.partition("#")[0], parts.fragment)


def resolved(spec: Any, workspace: Workspace) -> Any:
    """The spec with its run and everybody who is asked written out, so that nothing is left to be guessed later.

    Without models: a run beside its base, an adapter beside its model, else the model alone.
    """
    names, run = list(spec.eval_models), spec.eval_run
    run = run or next((one for name in names if (one := run_of(name, workspace))), None)
    adapters = [run_of(name, workspace) for name in spec.adapter_name_or_path]
    run = run or next(filter(None, adapters), None)
    changes: dict[str, Any] = {"eval_run": run}
    if not names:
        names = [BASE, *(spec.adapter_name_or_path or ([run] if run else []))]
    changes["eval_models"] = [_rooted(name, workspace) for name in names]
    if not run and BASE not in names and not any(map(_is_adapter, names)) and _is_model(names[0], workspace):
        changes["model_name_or_path"] = changes["eval_models"][0]  # the spec's own model is asked nothing
    if run and result(RunFolder(workspace.saves / run)) is not None:
        changes["model_name_or_path"] = str(lanes.said(workspace, run).get("model_name_or_path")
                                            or spec.model_name_or_path)
    return spec.model_copy(update=changes)


def _rooted(name: str, workspace: Workspace) -> str:
    """A folder's name from the root on; what is a run's, a model's or an address stays as it is."""
    path = Path(name).expanduser()
    is_path = len(path.parts) > 1 and not is_address(name) and not run_of(name, workspace)
    return str(path.absolute()) if is_path and path.is_dir() else name


def groups(asked_ones: list[Lane | Elsewhere]) -> Iterator[list[Lane | Elsewhere]]:
    """Those who share a base together, in the order of the first of each; everybody elsewhere alone."""
    left = list(asked_ones)
    while left:
        first = left[0]
        mine = [one for one in left if one is first or (
            isinstance(one, Lane) and isinstance(first, Lane) and one.base.resolve() == first.base.resolve())]
        yield mine
        left = [one for one in left if not any(one is other for other in mine)]
