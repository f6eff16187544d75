"""Drawings of a set's figures in plotly's words, drawn by the plotly that comes with the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from studio.ui import plots
from studio.ui.figure import head
from studio.ui.markup import Html, tag
from studio.ui.tabs.data.visit import Visit


def histogram(visit: Visit, found: Mapping[str, Any], kind: str) -> Html:
    """How many rows are how long; a line where the cutoff length cuts."""
    bars = found["lengths"][kind]["histogram"]
    title = visit.say(f"lengths.histogram_{kind}")
    cutoff = found["cutoff_len"] if kind == "tokens" else None
    drawn = plots.bars(
        bars, visit.lang, title, visit.say("lengths.axis_tokens"), visit.say("lengths.axis_rows"), cutoff
    )
    name = f"data-{kind}"
    return tag(
        "div",
        head(visit.lang, name, title),
        tag(
            "div",
            class_="drawing",
            role="img",
            data_keep=True,
            data_key=name,
            data_plot=json.dumps(drawn, ensure_ascii=False),
        ),
        class_="figure low",
        id=f"figure-{name}",
    )
