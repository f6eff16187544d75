"""Figures as people read them: durations, bytes, counts, losses, moments."""

from __future__ import annotations

import time

from studio.texts import say

_UNITS = ("B", "KB", "MB", "GB", "TB")


def duration(seconds: float | None) -> str:
    """`1:58` or `2:03:05`; a dash for nothing known."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def about(lang: str, seconds: float) -> str:
    """A forecast in words: seconds below 90, then minutes, then hours."""
    if seconds < 90:
        return say(lang, "page.amount.seconds", count=max(1, round(seconds)))
    if seconds < 5400:
        return say(lang, "page.amount.minutes", count=round(seconds / 60))
    return say(lang, "page.amount.hours", count=f"{seconds / 3600:.1f}")


def size(count: float) -> str:
    """Bytes with three digits or so: `1.8 MB`."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if value >= 100 or unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def count(value: float) -> str:
    """A whole number with thousands marked."""
    return f"{round(value):,}"


def loss(value: float | None) -> str:
    """Four significant digits; a dash for none."""
    return "–" if value is None else f"{value:.4g}"


def share(part: float, whole: float) -> str:
    """A percentage with two significant digits."""
    percent = 100 * part / whole if whole else 0
    return (
        f"{percent:.0f} %"
        if percent >= 10 or percent == 0
        else f"{percent:.1f} %"
        if percent >= 1
        else f"{percent:.2g} %"
    )


def moment(when: float) -> str:
    """A moment of this machine's clock: `2026-11-21 13:45`."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when)) if when else "–"
