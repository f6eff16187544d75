"""Which questions are asked: the rows that a run held out, or a dataset of the catalogue; and how many those are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.chats import lanes
from studio.data.catalogue import Catalogue
from studio.errors import StudioError
from studio.scores import subjects
from studio.specs.evaluate import CHOICES
from studio.specs.schedule import held_out
from studio.specs.train import ARGUMENTS
from studio.texts import listed
from studio.ui.counting import Counting
from studio.ui.tabs.evaluate.visit import Visit

_RUN, _SET, _EXAM = "run:", "set:", "exam:"
_GUARD, _AGAIN = "guard:", "again:"  # everyday questions alone; what an evaluation asked before


def offered(visit: Visit, run: str) -> list[tuple[str, str]]:
    """(value, words): what the runs held out, that of `run` first, exams, every dataset, everyday questions alone."""
    runs = dict.fromkeys([run, *(one.run for one in visit.offered)])
    held = [(f"{_RUN}{one}", visit.say("setup.held_out", run=one)) for one in runs if one and _holds_out(visit, one)]
    sets = [(f"{_SET}{name}", words) for words, name in visit.desk.datasets(visit.lang)]
    exams = [(f"{_EXAM}{one}", visit.say("setup.exam", name=one.stem)) for one in subjects.exams(visit.workspace)]
    guard = [] if run else [(_GUARD, visit.say("setup.only_guard"))]  # a run's held-out rows are always asked, too
    found = [*held, *exams, *sets, *guard]
    before = _before(visit)
    if visit.place.of("setup").get("ask") == _AGAIN and before.get("dataset"):
        found.append((_AGAIN, listed(visit.lang, [Path(one).name for one in before["dataset"]])))
    return found


def again(visit: Visit, spec: Any) -> str:
    """The choice that asks what a spec asked."""
    if not spec.dataset:
        return f"{_RUN}{spec.eval_run}" if spec.eval_run else _GUARD
    there = {value for value, _ in offered(visit, spec.eval_run or "")}
    alike = [f"{kind}{spec.dataset[0]}" for kind in (_SET, _EXAM)]
    is_plain = len(spec.dataset) == 1 and not spec.dataset_dir
    return next((one for one in alike if is_plain and one in there), _AGAIN)


def is_exam(visit: Visit, run: str) -> bool:
    """Whether an exam was chosen, a folder or an archive of questions with options by subject."""
    what = chosen(visit, offered(visit, run))
    return what.startswith(_EXAM) or (what == _AGAIN and visit.place.of("setup").get("task") == CHOICES)


def _before(visit: Visit) -> dict[str, Any]:
    """The datasets of the evaluation that is to be asked again."""
    return dict(visit.place.of("setup").get("again") or {})


def chosen(visit: Visit, there: Sequence[tuple[str, str]]) -> str:
    """What was chosen, as long as it is there; else the first that is offered."""
    what = str(visit.place.of("setup").get("ask") or "")
    return what if any(what == value for value, _ in there) else there[0][0] if there else ""


def draft(visit: Visit, run: str) -> dict[str, Any]:
    """The arguments that say what is asked."""
    what = chosen(visit, offered(visit, run))
    if what.startswith(_RUN):
        return {"eval_run": what.removeprefix(_RUN)}
    if what == _GUARD:
        return {"guard": True}
    if what == _AGAIN:
        return {**_before(visit), **({"eval_run": run} if run else {})}
    name = what.removeprefix(_SET).removeprefix(_EXAM)
    return {"dataset": [name] if what else [], **({"eval_run": run} if run else {})}


def count(visit: Visit, run: str) -> int | None:
    """How many rows will be asked; None where nobody has counted them yet."""
    what, most = chosen(visit, offered(visit, run)), str(visit.place.of("setup").get("most", ""))
    if what.startswith(_EXAM) or what in (_GUARD, _AGAIN):
        return None
    try:
        found = _held(visit, what.removeprefix(_RUN)) if what.startswith(_RUN) else \
            _rows(visit, [what.removeprefix(_SET)])
    except (StudioError, OSError, ValueError, TypeError):
        return None
    return min(found, int(most)) if found is not None and most.isdigit() and int(most) else found


def _rows(visit: Visit, names: Sequence[str]) -> int | None:
    counting, catalogue = Counting(), Catalogue(visit.workspace)
    found = [counting.rows(catalogue.entry(name)) for name in names]
    return None if None in found else sum(one or 0 for one in found)


def _held(visit: Visit, run: str) -> int | None:
    about = lanes.said(visit.workspace, run)
    if about.get("eval_dataset"):
        return _rows(visit, about["eval_dataset"])
    rows = _rows(visit, about.get("dataset") or [])
    most = about.get("max_samples")
    if rows is None:
        return None
    return held_out(min(rows, int(most)) if most else rows, _val_size(about))


def _holds_out(visit: Visit, run: str) -> bool:
    about = lanes.said(visit.workspace, run)
    return about.get("eval_strategy") != "no" and bool(about.get("eval_dataset") or _val_size(about))


def _val_size(about: dict[str, Any]) -> Any:
    return about.get("val_size", ARGUMENTS["val_size"].default)
