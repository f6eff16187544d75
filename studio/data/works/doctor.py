"""Examine a dataset, and keep the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from studio.data.chat import ChatTokenizer
from studio.data.doctor import examine, report_folder
from studio.data.doctor.examination import CUTOFF_LEN
from studio.data.versions import Versions
from studio.workspace import Workspace


def work(arguments: Mapping[str, Any], workspace: Workspace, tell: Callable[[int, int], None],
         should_stop: Callable[[], bool]) -> dict[str, Any]:
    """Arguments: name (also NAME@2), model (a folder) and template if tokens are to be looked at, cutoff_len, against.

    `against` are names of datasets that should have nothing in common with this one. The result is
    {folder, rows, usable, problems}; `doctor.report.read(Path(folder))` is the whole report.
    """
    versions = Versions(workspace)
    entry, *others = (versions.entry(*versions.named(name))
                      for name in (arguments["name"], *arguments.get("against", ())))
    model = arguments.get("model")
    template, cutoff_len = arguments.get("template") or "own", int(arguments.get("cutoff_len") or CUTOFF_LEN)
    chat = ChatTokenizer.load(Path(model), template, arguments.get("default_system"), workspace) if model else None
    folder = report_folder(workspace, entry, model=model, template=template, cutoff_len=cutoff_len,
                           against=[one.name for one in others])
    report = examine(entry, chat=chat, cutoff_len=cutoff_len, against=others, folder=folder, tell=tell,
                     should_stop=should_stop)
    return {"folder": report.folder, "rows": report.rows, "usable": report.usable,
            "problems": [{"code": one.code, "count": one.count} for one in report.problems]}
