"""What a card can tell: read from the files of the runs alone; what no file says stays empty."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from studio.data import model
from studio.data.catalogue import Catalogue
from studio.data.fingerprint import fingerprint
from studio.errors import StudioError
from studio.exports.card.evidence import Evaluation, evaluations, names
from studio.exports.card.picture import Curves
from studio.exports.source import Source
from studio.exports.work import Work
from studio.plugins import exporters
from studio.records import read_json
from studio.runs.checkpoints import checkpoints
from studio.runs.files import RunFolder
from studio.runs.series import Series
from studio.scores.guard import Guard
from studio.specs import frozen, works
from studio.workspace import Workspace

_TERMS = ("LICENSE", "LICENCE", "NOTICE", "USE_POLICY")
_HEAD = re.compile(r"\A---\r?\n(.*?)\r?\n---\r?\n", re.S)
FOLDER = "FOLDER"
_MOST_HEAD = 100_000  # characters of another's card that are looked at


@dataclass(frozen=True)
class Dataset:
    """One dataset that was learned from; a figure that nobody wrote down is None, `fingerprint` then "".

    `is_today` says that the fingerprint is that of the files now; `hub` is its name on the Hugging Face hub.
    """

    name: str
    rows: int | None = None
    held_out: int | None = None
    fingerprint: str = ""
    is_today: bool = False
    hub: str = ""


@dataclass(frozen=True)
class Learning:
    """How the exported weights came to be: the run's settings, data, curves and place of the checkpoint in it."""

    run: str
    told: Mapping[str, Any]
    data: tuple[Dataset, ...]
    changed: Mapping[str, Any]
    step: int | None
    last: int | None
    is_best: bool
    eval_loss: float | None
    eval_metric: float | None
    base_mark: str
    curves: Curves | None


@dataclass(frozen=True)
class Facts:
    """All that a card says; `learning` is None for a model that no run of this studio made by itself."""

    title: str
    source: Source
    form: str
    inside: str
    spec: Any
    base: str
    base_hub: str
    base_licence: str
    licence_files: tuple[str, ...]
    architecture: str
    parameters: int
    learning: Learning | None
    evaluations: tuple[Evaluation, ...]
    guard: tuple[Evaluation, Guard] | None
    verdict: Mapping[str, Any]
    commands: Mapping[str, str]
    runtime: str


def gather(work: Work, verdict: Mapping[str, Any]) -> Facts:
    """Everything that is known about an export, its files being written and accepted."""
    source, workspace = work.source, work.workspace
    facts = _inspected(source.base)
    learning = _learning(source, workspace)
    found = evaluations(source, workspace)
    # A fully tuned checkpoint is its own base on disk; what it grew from stands in its run.
    base = str(source.told.get("model_name_or_path") or source.base_name) if source.kind == "whole" and source.run \
        else source.base_name
    folder = _located(base, workspace, str(source.told.get("model_revision") or "main")) or source.base
    return Facts(
        title=_title(source), source=source, form=work.spec.export_to,
        inside=exporters.innermost(work.spec).__name__.rpartition(".")[2], spec=work.spec, base=shown(base),
        base_hub=hub_name(base, workspace, folder), base_licence=_licence(folder),
        licence_files=_licence_files(work.into),
        architecture="" if facts is None else facts.architecture, parameters=0 if facts is None else facts.parameters,
        learning=learning, evaluations=found,
        guard=next(((one, one.guard) for one in found if one.guard is not None), None), verdict=verdict,
        commands=_commands(work), runtime=str(getattr(exporters.innermost(work.spec), "RUNTIME", "")))


def hub_name(name: str, workspace: Workspace, folder: Path) -> str:
    """What a model is called on the Hugging Face hub; "" where nothing says that it comes from there."""
    local = any((root / name).is_dir() for root in (Path(), workspace.root, workspace.models))
    if model.HUB_NAME.fullmatch(name) and not local:
        return name
    organisation, mark, rest = folder.name.partition("--")
    there = f"{organisation}/{rest.partition('@')[0]}"
    is_download = mark and folder.parent.resolve() == workspace.models.resolve() and model.HUB_NAME.fullmatch(there)
    return there if is_download else ""


def _title(source: Source) -> str:
    return source.run if source.run and source.name.partition("/")[0] == source.run and "+" not in source.name \
        else shown(source.name)


def shown(name: str) -> str:
    """A name without the folders of this machine."""
    return "+".join(Path(part).name if Path(part).is_absolute() or part.startswith((".", "~")) else part
                    for part in name.split("+"))


def _inspected(folder: Path) -> model.ModelFacts | None:
    try:
        return model.inspect(folder)
    except StudioError:
        return None


def _located(name: str, workspace: Workspace, revision: str) -> Path | None:
    try:
        return model.locate(name, workspace, revision)
    except StudioError:
        return None


def _licence(folder: Path) -> str:
    """The licence that the base's own card names."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")[:_MOST_HEAD]
        found = yaml.safe_load(head[1]) if (head := _HEAD.match(text)) else None
    except (OSError, ValueError, yaml.YAMLError):
        return ""
    said = found.get("license") if isinstance(found, dict) else None
    return said if isinstance(said, str) else ""


def _licence_files(folder: Path) -> tuple[str, ...]:
    """The texts of licences that came along with the base."""
    return tuple(sorted(path.name for path in folder.glob("*") if path.name.startswith(_TERMS)))


# ---- how it was learned ----

def _learning(source: Source, workspace: Workspace) -> Learning | None:
    """The run behind the weights; None where they are of several runs or of none."""
    if not names(source, workspace):
        return None
    folder = RunFolder(workspace.saves / source.run)
    if not source.run or not source.told:
        return None
    stage = str(source.told.get("stage", ""))
    known = works.declared(stage)
    plain = frozen.without_header(source.told)
    changed = {name: value for name, value in plain.items()
               if name not in known or value != known[name].default}
    one = next((one for one in checkpoints(folder) if one.step == source.step), None)
    curves = _curves(folder, source.step)
    last = curves.last if curves is not None else None
    return Learning(source.run, source.told, _data(source.told, folder, workspace), changed, source.step, last,
                    one is not None and one.best, None if one is None else one.eval_loss,
                    None if one is None else one.eval_metric, _mark(folder, source.step), curves)


def _mark(folder: RunFolder, step: int | None) -> str:
    """The mark of the model below the checkpoint, if training wrote it down."""
    found = read_json(folder.checkpoint(step or 0) / "state.json") or {}
    return str(found.get("base") or "")


def _curves(folder: RunFolder, step: int | None) -> Curves | None:
    series = Series(folder.log)
    while series.read(5.0):
        continue
    loss = series.curve("loss")
    if not loss.steps:
        return None
    return Curves(loss, series.curve("smoothed"), series.curve("eval_loss"), step)


def _data(told: Mapping[str, Any], folder: RunFolder, workspace: Workspace) -> tuple[Dataset, ...]:
    """The datasets of a run: as it wrote them down itself, else as their files are today."""
    noted = read_json(folder.data) or {}
    try:
        catalogue = Catalogue(workspace, told.get("dataset_dir") or None)
    except StudioError:
        catalogue = None
    wanted = told.get("dataset")
    return tuple(_dataset(str(name), noted.get(str(name)), told.get("fingerprints"), catalogue, workspace)
                 for name in (wanted if isinstance(wanted, list) else []))


def _dataset(name: str, noted: Any, prints: Any, catalogue: Catalogue | None, workspace: Workspace) -> Dataset:
    entry = None
    if catalogue is not None:
        try:
            entry = catalogue.entry(name.rpartition("#")[0] if "#" in name else name)
        except StudioError:
            entry = None
    hub = entry.hubs.get("huggingface", "") if entry is not None else ""
    noted = noted if isinstance(noted, dict) else {}
    print_ = noted.get("fingerprint") or (prints.get(name) if isinstance(prints, dict) else None)
    is_today = not print_
    if is_today and entry is not None and entry.path is not None:
        try:
            print_ = fingerprint(entry, workspace.cache / "hashes")
        except (OSError, StudioError):
            print_ = None
    return Dataset(shown(name), _whole(noted.get("rows")), _whole(noted.get("held_out")), str(print_ or ""),
                   is_today and bool(print_), hub)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


# ---- how it is run ----

def _commands(work: Work) -> dict[str, str]:
    """{program: lines} of the form and of what it holds; nobody else has the folder's path, so it is left out."""
    found: dict[str, str] = {}
    for form in (exporters.exporter(work.spec.export_to), exporters.innermost(work.spec)):
        if not hasattr(form, "commands"):
            continue
        for program, lines in form.commands(work).items():
            text = lines if isinstance(lines, str) else "\n".join(lines)
            found.setdefault(program, text.replace(str(work.target), FOLDER).replace(str(work.into), FOLDER).strip())
    return found
