"""A report about answers that would do harm if they could."""

from __future__ import annotations

from pathlib import Path

from studio.scores import report, summary
from studio.scores.browse import Predictions
from studio.scores.leaks import Leaks
from studio.scores.predictions import Prediction, Writer
from studio.scores.report import About
from studio.scores.scoring import score_file

HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</style></div><style>body{display:none}</style>",
    r"$\text{<img src=x onerror=alert(1)>}$", r"$\href{javascript:alert(1)}{x}$", "[x](javascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)", "![x](http://evil.example/x.png)", "<http://evil.example>",
    "&#60;script&#62;alert(1)", "```\n</code></pre><script>alert(1)</script>\n```", "`</code><svg onload=alert(1)>`",
    "[a]: javascript:alert(1)\n\n[a]", "[x](http://a\"onmouseover=alert(1))", "<!--", "<!doctype html>", "]]>", "\0",
    "\ue0f1script\ue0f1 \ue0f2lt;", '<a href="javascript:alert(1)">x</a>', "<input name=lang type=radio checked>",
    "$$\\begin{matrix}<b>&\\end{matrix}$$", "<span class=zh lang=zh>", "| <b> | a |\n|--|--|\n| <i> | b |",
]


def written(folder: Path) -> Path:
    """The folder, with a report about hostile answers, names and settings in it."""
    with Writer(folder / "predictions.jsonl") as writer:
        for model, right in (("base", 5), ("<b>tuned</b>", 1)):
            for row in range(120):
                said = HOSTILE[row] if row < len(HOSTILE) else str(row) if row % 6 < 6 - right else "no"
                said = "x " * 60_000 if row == 119 else said
                writer.write(Prediction(model, row, said, str(row), ({"role": "user", "content": f"<i>{row}</i>"},),
                                        finish="length" if row == 3 else "stop", place=("<u>.json", row)))
    score_file(folder / "predictions.jsonl", ["exact_match", "token_f1", "length_ratio"])
    predictions = Predictions(folder / "predictions.jsonl")
    made = summary.summarise(predictions, ["exact_match", "token_f1", "length_ratio"],
                             failures={"token_f1": (3, "<script>")})
    about = About("<script>run</script>", {"stage": "evaluate", "prompt": "</pre><script>alert(1)</script>"},
                  ("python launch.py evaluate <x>",), {"torch": "2"}, {"a": "0" * 64}, 0.0, Leaks((1, 2), (3,), 120))
    report.write(folder, made, predictions, about)
    return folder
