"""From a Glimpse to figures: plain dictionaries in plotly's own words, no drawing library imported.

Colours are token names (`@series-1`); the page's script puts the colours of the light or dark theme in their place and
keeps zoom, axis kind and hidden series between updates (`uirevision` is the run's name).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.texts import has, say

_FONT = 'system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif'


def loss(glimpse: Any, lang: str) -> dict[str, Any]:
    """Training loss, raw (faint) and smoothed (strong), with the evaluation loss as joined points.

    Of a run with a metric that is drawn too, against an axis of its own on the right.
    """
    lines = []
    if glimpse is not None:
        raw, smooth, evaluation = glimpse.loss, glimpse.smoothed, glimpse.eval_loss
        lines = [
            _line(raw, say(lang, "page.plot.raw"), "@series-1", width=1, opacity=0.45),
            _line(smooth, say(lang, "page.plot.smoothed"), "@series-1", width=2.2),
            _line(evaluation, say(lang, "page.plot.evaluation"), "@series-2", width=1.6, markers=True),
        ]
    drawn = _figure(lines, glimpse, lang, say(lang, "page.plot.loss"), legend=True)
    return _with_metric(drawn, glimpse, lang) if getattr(glimpse, "metric", "") else drawn


def _with_metric(drawn: dict[str, Any], glimpse: Any, lang: str) -> dict[str, Any]:
    """The figure with the curve of the run's metric."""
    name, key = glimpse.metric, f"metrics.{glimpse.metric}.label"
    title = say(lang, key) if has(lang, key) else name
    drawn["data"].append({**_line(glimpse.eval_metric, title, "@series-3", width=1.6, markers=True), "yaxis": "y2"})
    layout = drawn["layout"]
    layout["yaxis2"] = {**layout["yaxis"], "overlaying": "y", "side": "right", "showgrid": False,
                        "title": {"text": title, "font": {"size": 12}}}
    layout["margin"] = {**layout["margin"], "r": 56}
    return drawn


def learning_rate(glimpse: Any, lang: str) -> dict[str, Any]:
    """The learning rate of each step."""
    title = say(lang, "page.plot.learning_rate")
    lines = [] if glimpse is None else [_line(glimpse.learning_rate, title, "@series-3", width=1.8)]
    return _figure(lines, glimpse, lang, title)


def gradient(glimpse: Any, lang: str) -> dict[str, Any]:
    """The gradient's norm of each step."""
    title = say(lang, "page.plot.grad_norm")
    lines = [] if glimpse is None else [_line(glimpse.grad_norm, title, "@series-4", width=1.4)]
    return _figure(lines, glimpse, lang, title)


def bars(
    counted: Sequence[Sequence[int]], lang: str, title: str, below: str, beside: str, mark: int | None = None
) -> dict[str, Any]:
    """A histogram: (from, to, count) of each bar, the axes' titles, and a line at `mark`."""
    series = {
        "type": "bar",
        "x": [(start + end) / 2 for start, end, _ in counted],
        "y": [count for _, _, count in counted],
        "width": [0.92 * (end - start) for start, end, _ in counted],
        "customdata": [[start, end - 1] for start, end, _ in counted],
        "name": title,
        "marker": {"color": "@series-1"},
        "hovertemplate": f"%{{customdata[0]}}–%{{customdata[1]}}: %{{y:,}} {beside}<extra></extra>",
    }
    drawn = _figure([series] if counted else [], None, lang, title)
    layout = drawn["layout"]
    layout["hovermode"] = "closest"
    layout["xaxis"]["title"]["text"] = below
    layout["yaxis"]["title"] = {"text": beside, "font": {"size": 12}}
    if mark is not None and counted and mark < 1.5 * counted[-1][1]:
        layout["shapes"] = [
            {
                "type": "line",
                "x0": mark,
                "x1": mark,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"color": "@series-2", "width": 1.5, "dash": "dot"},
            }
        ]
    return drawn


def _line(
    curve: Any, name: str, colour: str, width: float, opacity: float = 1.0, markers: bool = False
) -> dict[str, Any]:
    """One series; a few points are drawn as points, since a line of one point cannot be seen."""
    few = len(curve.steps) < 3
    return {
        "type": "scatter",
        "x": list(curve.steps),
        "y": _rounded(curve.values),
        "name": name,
        "mode": "lines+markers" if markers or few else "lines",
        "opacity": opacity,
        "line": {"color": colour, "width": width},
        "marker": {"color": colour, "size": 6 if markers else 4},
        "hovertemplate": "%{y:.5g}",
    }


def _rounded(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _figure(lines: list[dict[str, Any]], glimpse: Any, lang: str, title: str, legend: bool = False) -> dict[str, Any]:
    drawn = [line for line in lines if line["x"]]
    axis: dict[str, Any] = {
        "showline": False,
        "zeroline": False,
        "gridcolor": "@line",
        "gridwidth": 1,
        "ticks": "",
        "automargin": True,
        "tickfont": {"size": 12},
        "nticks": 6,
    }
    layout: dict[str, Any] = {
        "uirevision": glimpse.name if glimpse is not None else "",
        "hovermode": "x unified",
        "showlegend": legend and bool(drawn),
        "margin": {"l": 52, "r": 12, "t": 10, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 13, "color": "@quiet"},
        "legend": {
            "orientation": "h",
            "x": 1,
            "xanchor": "right",
            "y": 1.02,
            "yanchor": "bottom",
            "bgcolor": "rgba(0,0,0,0)",
        },
        "hoverlabel": {"bgcolor": "@surface", "bordercolor": "@edge", "font": {"color": "@ink", "size": 13}},
        "xaxis": {
            **axis,
            "title": {"text": say(lang, "page.plot.step"), "standoff": 6, "font": {"size": 12}},
            "rangemode": "tozero",
            "hoverformat": ",d",
            "unifiedhovertitle": {"text": say(lang, "page.plot.at_step")},
            "showgrid": False,
        },
        "yaxis": {**axis, "exponentformat": "power"},
    }
    if legend:
        layout["margin"] = {**layout["margin"], "t": 34}
    if glimpse is not None and glimpse.total:
        layout["xaxis"]["range"] = [0, 1.01 * glimpse.total]
    if not drawn:
        layout["xaxis"] |= {"range": [0, 1], "showticklabels": False}
        layout["yaxis"] |= {"range": [0, 1], "showticklabels": False}
        layout["annotations"] = [
            {
                "text": say(lang, "page.plot.empty", title=title),
                "showarrow": False,
                "xref": "paper",
                "yref": "paper",
                "x": 0.5,
                "y": 0.5,
                "font": {"size": 13, "color": "@quiet"},
            }
        ]
    return {"data": drawn, "layout": layout, "name": title}
