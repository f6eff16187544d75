"""The report of an evaluation: report.html, report.md, report_zh.md and scores.csv, from files alone."""

from __future__ import annotations

from pathlib import Path

from studio.errors import WorkError
from studio.records import write_atomically
from studio.scores.browse import Predictions
from studio.scores.report import page, plain
from studio.scores.report.about import About, of_run
from studio.scores.summary import Summary

__all__ = ["HTML", "MARKDOWN", "TABLE", "About", "of_run", "write"]

HTML, MARKDOWN, TABLE = "report.html", {"en": "report.md", "zh": "report_zh.md"}, "scores.csv"


def write(folder: Path, summary: Summary, predictions: Predictions, about: About, lang: str = "en") -> list[Path]:
    """Write all forms of the report into a run's results; raises WorkError disk_refuses."""
    texts = {HTML: page.html(summary, predictions, about, lang), TABLE: plain.table(summary)}
    texts |= {name: plain.markdown(summary, predictions, about, one) for one, name in MARKDOWN.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_atomically(folder / name, text.encode("utf-8", "replace").decode())
    except OSError as error:
        raise WorkError("disk_refuses", path=str(folder), reason=error.strerror or str(error)) from error
    return [folder / name for name in texts]
