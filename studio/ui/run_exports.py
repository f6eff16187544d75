"""What was exported, on the pages of runs: the exports of a training with their verdicts, and the verdict of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from studio.exports import acceptance
from studio.exports.shelf import Exported, record
from studio.runs.files import RunFolder
from studio.texts import has, say
from studio.ui import amounts
from studio.ui.markup import Html, join, tag

VERDICTS = ("passed", "lossy", "failed", "unchecked")


def of_training(exports: Iterable[Exported], lang: str) -> Html | None:
    """A line for every export of a run that is there or on its way; None without any."""
    lines = [tag("li", _way(one.name, label(lang, one.form)), " ", tag("span", _about(one, lang), class_="quiet"))
             for one in exports]
    return tag("ul", *lines, class_="exports-of") if lines else None


def of_export(folder: RunFolder, lang: str) -> Html | None:
    """The verdict of an export in a sentence, and the reasons for it; None before there is one."""
    found = record(folder).get("acceptance")
    if not isinstance(found, dict) or not found.get("state"):
        return None
    headline, reasons = acceptance.told(lang, found)
    return join(tag("p", headline), tag("ul", *(tag("li", one) for one in reasons), class_="reasons"))


def label(lang: str, form: str) -> str:
    """What a form is called."""
    key = f"exporters.{form}.label"
    return say(lang, key) if has(lang, key) else form or "–"


def _way(run: str, words: str) -> Html:
    return tag("a", words, href=f"?{urlencode({'tab': 'export', 'run': run})}", data_go=True)


def _about(one: Exported, lang: str) -> Html:
    step: list[Any] = [] if one.step is None else [say(lang, "page.export.setup.step_of", step=amounts.count(one.step))]
    state = say(lang, f"page.export.verdict.{one.verdict}") if one.verdict in VERDICTS \
        else say(lang, f"page.state.{one.state.value}")
    parts = [*step, *([amounts.size(one.bytes)] if one.bytes else []), state]
    return join(" · ".join(map(str, parts)))
