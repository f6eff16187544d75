"""The curves of a run as a picture: an SVG that holds everything it needs and calls nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from studio.runs.curve import Curve
from studio.scores.summary import written
from studio.texts import say
from studio.texts.markup import Html, join, tag

WIDTH, HEIGHT = 760, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 156, 36, 44
FONT = "system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"
INK, QUIET, LINE, PAPER = "#1D2228", "#5E6873", "#E2E4DF", "#FFFFFF"
LOSS, EVALUATED = "#0072B2", "#D55E00"
LOGARITHMIC_FROM = 20.0  # how many times the highest is the lowest, from which on the axis is logarithmic
_GAP = 16  # between two words at the right


@dataclass(frozen=True)
class Curves:
    """What is drawn: the loss raw and smoothed, the evaluation loss, and the step of the exported weights."""

    loss: Curve
    smoothed: Curve
    evaluated: Curve
    step: int | None

    @property
    def last(self) -> int:
        """The last step that was logged."""
        return max(self.loss.steps[-1:] + self.evaluated.steps[-1:])


@dataclass(frozen=True)
class _Frame:
    """From data to the picture."""

    steps: tuple[int, int]
    values: tuple[float, float]
    is_logarithmic: bool

    def x(self, step: float) -> float:
        share = (step - self.steps[0]) / ((self.steps[1] - self.steps[0]) or 1)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high, at = (self._scaled(one) for one in (*self.values, value))
        return HEIGHT - BOTTOM - (at - low) / ((high - low) or 1) * (HEIGHT - TOP - BOTTOM)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.is_logarithmic else value


def svg(curves: Curves, lang: str) -> str:
    """The losses over the steps with their names in a language; light paper of its own, so it fits any page."""
    frame = _frame(curves)
    title = say(lang, "exports.card.curves.title")
    shown = say(lang, "exports.card.curves.logarithmic") if frame.is_logarithmic else title
    inside = join(
        tag("title", title), tag("rect", width=WIDTH, height=HEIGHT, rx=8, fill=PAPER, stroke=LINE),
        tag("text", shown, x=LEFT, y=22, fill=INK, font_size=13, font_weight=600),
        *_grid(frame, lang), _mark(frame, curves.step, lang),
        _line(frame, curves.loss, LOSS, 1, 0.3), _line(frame, curves.smoothed, LOSS, 2, 1),
        _line(frame, curves.evaluated, EVALUATED, 1.5, 1), *_points(frame, curves.evaluated),
        *_names(frame, curves, lang))
    return tag("svg", inside, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", width=WIDTH,
               height=HEIGHT, font_family=FONT, font_size=12, role="img", aria_label=title) + "\n"


def _frame(curves: Curves) -> _Frame:
    values = [*curves.loss.values, *curves.evaluated.values]
    low, high = min(values), max(values)
    is_logarithmic = low > 0 and high / low >= LOGARITHMIC_FROM
    if not is_logarithmic:
        low = min(0.0, low)
        high = high + (high - low) * 0.05 or 1.0
    return _Frame((min(curves.loss.steps[:1] + curves.evaluated.steps[:1]), curves.last), (low, high), is_logarithmic)


def _grid(frame: _Frame, lang: str) -> Iterable[Html]:
    right = WIDTH - RIGHT
    for value in _ticks(frame):
        y = f"{frame.y(value):.1f}"
        yield tag("line", x1=LEFT, x2=right, y1=y, y2=y, stroke=LINE)
        yield tag("text", f"{value:g}", x=LEFT - 8, y=y, fill=QUIET, text_anchor="end", dominant_baseline="middle")
    for step in _steps(frame):
        yield tag("text", f"{step:,}".replace(",", "\u202f"), x=f"{frame.x(step):.1f}", y=HEIGHT - BOTTOM + 18,
                  fill=QUIET, text_anchor="middle")
    yield tag("text", say(lang, "exports.card.curves.step"), x=right, y=HEIGHT - 8, fill=QUIET, text_anchor="end")


def _ticks(frame: _Frame) -> list[float]:
    low, high = frame.values
    if frame.is_logarithmic:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        per = (1, 2, 5) if len(decades) <= 3 else (1,)
        return [float(f"{one * 10.0 ** decade:.6g}") for decade in decades for one in per
                if low <= one * 10.0 ** decade <= high]
    step = _round_step((high - low) / 4)
    first = math.ceil(low / step)
    return [float(f"{place * step:.6g}") for place in range(first, math.floor(high / step) + 1)]


def _steps(frame: _Frame) -> list[int]:
    first, last = frame.steps
    if first == last:
        return [first]
    step = max(1, round(_round_step((last - first) / 5)))
    inner = list(range(-(-first // step) * step, last + 1, step))
    return inner or [first, last]


def _round_step(size: float) -> float:
    """A step of 1, 2 or 5 times a power of ten, not below `size`."""
    power = 10.0 ** math.floor(math.log10(size or 1.0))
    return next(part * power for part in (1, 2, 5, 10) if part * power >= size * (1 - 1e-9))


def _mark(frame: _Frame, step: int | None, lang: str) -> Html | None:
    """Where in the run the exported weights stand."""
    if step is None or not frame.steps[0] <= step <= frame.steps[1]:
        return None
    x = f"{frame.x(step):.1f}"
    words = say(lang, "exports.card.curves.here", step=step)
    anchor = "end" if step > sum(frame.steps) / 2 else "start"
    return join(tag("line", x1=x, x2=x, y1=TOP - 4, y2=HEIGHT - BOTTOM, stroke=QUIET, stroke_dasharray="3 3"),
                tag("text", words, x=x, y=TOP - 8, fill=QUIET, text_anchor=anchor))


def _line(frame: _Frame, curve: Curve, colour: str, width: float, opacity: float) -> Html | None:
    if len(curve.steps) < 2:
        return None
    points = " ".join(f"{frame.x(step):.1f},{frame.y(value):.1f}"
                      for step, value in zip(curve.steps, _within(frame, curve.values)))
    return tag("polyline", points=points, fill="none", stroke=colour, stroke_width=width, opacity=opacity,
               stroke_linejoin="round")


def _within(frame: _Frame, values: Sequence[float]) -> list[float]:
    """The smoothed loss may lie below the axis by a rounding; nothing is drawn outside."""
    low, high = frame.values
    return [min(high, max(low, value)) for value in values]


def _points(frame: _Frame, curve: Curve) -> Iterable[Html]:
    if len(curve.steps) <= 60:
        for step, value in zip(curve.steps, curve.values):
            yield tag("circle", cx=f"{frame.x(step):.1f}", cy=f"{frame.y(value):.1f}", r=3, fill=EVALUATED)


def _names(frame: _Frame, curves: Curves, lang: str) -> Iterable[Html]:
    """What each line is called and where it ends, at the right, never one upon the other."""
    ends = [(frame.y(_within(frame, curve.values)[-1]), name, colour, curve.values[-1])
            for curve, name, colour in ((curves.smoothed, "loss", LOSS), (curves.evaluated, "evaluated", EVALUATED))
            if curve.values]
    at = -math.inf
    for y, name, colour, value in sorted(ends):
        at = max(y, at + _GAP)
        words = f"{say(lang, f'exports.card.curves.{name}')} {written(value, 3)}"
        yield tag("text", words, x=WIDTH - RIGHT + 8, y=f"{min(at, HEIGHT - BOTTOM + 4):.1f}", fill=colour,
                  dominant_baseline="middle")
