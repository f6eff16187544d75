"""The doctor: what is wrong with a dataset, where, and what can safely be done about it.

    examination.py   one pass over the rows, every check of `plugins/checks` looking on
    report.py        what was found, kept as files so that the page can show all rows of a problem
    mending.py       the edits that take problems away, for a new version

    report = examine(entry, folder=report_folder(workspace, entry))
    Versions(workspace).save(name, 1, fix(entry, report, ["duplicate"], workspace.cache), why)
"""

from __future__ import annotations

from studio.data.doctor.examination import examine
from studio.data.doctor.mending import fix
from studio.data.doctor.report import Example, Problem, Report, last, report_folder

__all__ = ["Example", "Problem", "Report", "examine", "fix", "last", "report_folder"]
