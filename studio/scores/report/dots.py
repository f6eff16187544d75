"""Scores as dots with their intervals, one line a model on a common axis; drawn in percent, so they fit every width."""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio.scores.statistics import Interval
from studio.scores.summary import written
from studio.texts.markup import Html, join, tag

SERIES = 6
HEIGHT = 28
_MIDDLE = HEIGHT / 2
# One shape a series, so that colour is not the only sign; the base is the hollow circle.
SHAPES = ("", "", "M-5-5H5V5H-5Z", "M0-6L6 5H-6Z", "M0-7L7 0L0 7L-7 0Z", "M-6-5H6L0 6Z")


def axis(scores: Sequence[Interval], is_share: bool) -> tuple[float, float]:
    """From where to where the axis goes: 0 to 1 for shares, else round figures around what there is."""
    if is_share:
        return 0.0, 1.0
    ends = [end for one in scores for end in (one.value, one.low, one.high) if end is not None and math.isfinite(end)]
    if not ends:
        return 0.0, 1.0
    low, high = min(ends), max(ends)
    step = 10 ** math.floor(math.log10(high - low or abs(high) or 1.0))
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return (low, high) if high > low else (low, low + step)


def ticks(ends: tuple[float, float], scale: float, count: int = 5) -> list[str]:
    """The figures below the axis."""
    step = (ends[1] - ends[0]) / (count - 1)
    size = step * scale
    digits = max(0, min(4, 1 - math.floor(math.log10(size)))) if size < 10 else 0
    return [written((ends[0] + place * step) * scale, digits) for place in range(count)]


def line(one: Interval, ends: tuple[float, float], series: int, count: int = 5) -> Html:
    """One model's score; without one, the empty axis."""
    grid = [tag("line", class_="grid", x1=f"{100 * place / (count - 1):g}%", x2=f"{100 * place / (count - 1):g}%",
                y1=0, y2=HEIGHT) for place in range(count)]
    return tag("svg", *grid, _drawn(one, ends, series), width="100%", height=HEIGHT, aria_hidden="true")


def _drawn(one: Interval, ends: tuple[float, float], series: int) -> Html:
    if one.value is None:
        return Html("")
    at = _place(one.value, ends)
    bounds = Html("") if one.low is None or one.high is None else tag(
        "line", class_="range", x1=_place(one.low, ends), x2=_place(one.high, ends), y1=_MIDDLE, y2=_MIDDLE)
    shape = SHAPES[series % SERIES]
    mark = tag("svg", tag("path", class_="mark", d=shape), x=at, y=_MIDDLE, overflow="visible") if shape \
        else tag("circle", class_="mark", cx=at, cy=_MIDDLE, r=5)
    return join(bounds, mark)


def _place(value: float, ends: tuple[float, float]) -> str:
    share = (value - ends[0]) / (ends[1] - ends[0])
    return f"{100 * min(1.0, max(0.0, share)):.2f}%"
