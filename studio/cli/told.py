"""What is told of an evaluation: its scores with intervals as a table, what they are worth, where the report is."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from studio.cli.voice import Voice, table
from studio.errors import StudioError
from studio.runs.files import RunFolder
from studio.scores.predictions import NAME as PREDICTIONS

GUARD = "guard.json"


def is_evaluation(folder: RunFolder) -> bool:
    """Whether a run is an evaluation."""
    return work_of(folder) == "evaluate"


def work_of(folder: RunFolder) -> str:
    """What kind of work a run is: train, evaluate or export; "" when its spec cannot be read."""
    from studio.args import document
    from studio.specs import works

    try:
        return works.verb(str(document.read(folder.spec).get("stage")))
    except StudioError:
        return ""


def teller(folder: RunFolder) -> ModuleType | None:
    """The module that tells what came of a run (`ending`, `result`, `is_failed`), where that is not a training."""
    name = {"evaluate": "told", "export": "exported"}.get(work_of(folder))
    return import_module(f"studio.cli.{name}") if name else None


def scores(folder: RunFolder, voice: Voice) -> list[str]:
    """The scores of a run's results, and a sentence on the difference; nothing while there are none."""
    from studio.scores import compare, summary
    from studio.scores.report import bench, wording

    found = summary.load(folder.results)
    if found is None:
        return []
    heads = tuple(voice.say(f"scores.{name}") for name in ("model", "metric", "score", "interval", "rows"))
    rows = [heads]
    for metric in found.metrics:
        for model in found.models:
            one = found.scores[model][metric]
            value, low, high = summary.shown(one, compare.scale_of(metric))
            rows.append((model, wording.label(metric)(voice.lang), wording.unit(metric, value),
                         summary.ranged(low, high), str(one.n)))
    return [*(f"  {line}" for line in table(rows, right=(2, 3, 4))), "",
            *(one(voice.lang) for one in wording.headline(found)),
            *(one(voice.lang) for one in bench.told(folder.results)), *guarded(folder, voice)]


def guarded(folder: RunFolder, voice: Voice) -> list[str]:
    """What the forgetting guard says of a run, and of each kind of question; nothing where it was not asked."""
    if not (folder.results / GUARD).exists():
        return []
    from studio.scores.report import verdict

    found = verdict.view(folder.results, voice.lang)
    if found is None:
        return []
    heads = tuple(voice.say(f"scores.{name}") for name in ("area", "before", "after", "points"))
    rows = [heads, *((one.label, *(_whole(part) for part in (one.before, one.after, one.points)))
                     for one in found.lines)]
    return ["", *(f"  {line}" for line in table(rows, right=(1, 2, 3))), "", *found.sentences]


def _whole(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}".replace("-", "\u2212")


def ending(folder: RunFolder, glimpse: Any, voice: Voice) -> list[str]:
    """What an evaluation that has finished found, and where it can be read."""
    from studio.scores import foreign
    from studio.scores.report import HTML

    first = voice.say("ended.evaluated", run=folder.name, answers=glimpse.total,
                      duration=voice.duration(glimpse.elapsed_seconds))
    target = foreign.promised(folder.results)
    written = [voice.say("predict.written", path=str(target))] if target is not None else []
    return [first, *scores(folder, voice), voice.say("ended.report", path=str(folder.results / HTML)), *written]


def result(folder: RunFolder, glimpse: Any) -> dict[str, Any]:
    """The outcome as `--json` gives it."""
    from studio.scores import judge, summary

    found = summary.load(folder.results)
    names = ("value", "low", "high", "n", "how")
    told = {} if found is None else {model: {metric: {name: one.plain().get(name) for name in names}
                                             for metric, one in by.items()} for model, by in found.scores.items()}
    return {"run": folder.name, "state": str(glimpse.state), "scores": told,
            "predictions": str(folder.results / PREDICTIONS),
            **({"judge": judged} if (judged := judge.load(folder.results)) is not None else {}), **guard(folder)}


def is_failed(folder: RunFolder) -> bool:
    """Whether an evaluation that has finished is a failure all the same: it never is, whatever the scores."""
    return False


def guard(folder: RunFolder) -> dict[str, Any]:
    """The forgetting guard as `--json` gives it: verdict in every language, figures; {} where it was not asked."""
    if not (folder.results / GUARD).exists():
        return {}
    from studio.scores import guard, summary
    from studio.scores.report import verdict
    from studio.texts import LANGUAGES

    found = guard.load(folder.results)
    if found is None:
        return {}
    told = verdict.sentences(found, summary.load(folder.results))
    return {"guard": {"verdict": {lang: [one(lang) for one in told] for lang in LANGUAGES}, **found.plain()}}
