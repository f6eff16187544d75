"""What a report says, in any language: figures with their units, verdicts, warnings; the same for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from studio.plugins import metrics
from studio.scores import compare, statistics
from studio.scores.report.about import About
from studio.scores.summary import Summary, shown, written
from studio.texts import has, say

FEW_ROWS = 100
MOST_TOLD = 4
MOST_PAIRED = 4  # models; of more, only the pairs with the first are shown


@dataclass(frozen=True)
class Said:
    """A sentence that can be spoken in any language: its key, and values that may be sentences themselves."""

    key: str
    values: Mapping[str, Any]

    def __call__(self, lang: str) -> str:
        """The sentence in a language."""
        values = {name: one(lang) if callable(one) else one for name, one in self.values.items()}
        return say(lang, self.key, **values)


Speech = Callable[[str], str]


def said(part: str, /, **values: Any) -> Said:
    """A sentence of the report."""
    return Said(f"scores.report.{part}", values)


def label(metric: str) -> Speech:
    """What a metric is called; its own name where there are no words for it."""
    return lambda lang: metrics.label(lang, metric) if has(lang, f"metrics.{metric}.label") else metric


def explained(metric: str) -> Speech | None:
    """What a metric says of an answer."""
    if not has("en", f"metrics.{metric}.help"):
        return None
    return lambda lang: metrics.explained(lang, metric)


def is_share(metric: str) -> bool:
    """Whether a metric is shown in percent."""
    module = compare.module_of(metric)
    return compare.scale_of(metric) == 100 and bool(getattr(module, "SHARE", False))


def unit(metric: str, figure: str) -> str:
    """A figure with its unit."""
    return f"{figure} %" if is_share(metric) and figure != "–" else figure


def points(metric: str, figure: str) -> Any:
    """A difference with its unit."""
    return said("points", value=figure) if is_share(metric) else figure


def chance(p: float) -> str:
    """A p value as it is written."""
    return "<\u00a00.001" if p < 0.001 else f"=\u00a0{p:.3f}" if p < 0.1 else f"=\u00a0{p:.2f}"


def pairs(summary: Summary) -> list[Mapping[str, Any]]:
    """The pairs that a report shows: all of a few models, else those with the first."""
    few = len(summary.models) <= MOST_PAIRED
    return [pair for pair in summary.pairs if few or pair["a"] == summary.models[0]]


def p_of(pair: Mapping[str, Any]) -> float:
    """The p that counts: adjusted where several pairs were looked at."""
    return float(pair.get("adjusted", pair["p"]))


def is_told(pair: Mapping[str, Any]) -> bool:
    """Whether a difference is more than chance."""
    return p_of(pair) < statistics.LEVEL


def is_gain(pair: Mapping[str, Any]) -> bool:
    """Whether the second is the better one."""
    return (pair["difference"] > 0) == compare.is_higher(pair["metric"])


def is_same(pair: Mapping[str, Any]) -> bool:
    """Whether two are so near to each other that they count as equal."""
    return bool(pair["enough"]) and pair["p"] >= statistics.LEVEL


def verdict(pair: Mapping[str, Any]) -> Said:
    """What a difference is worth, in a few words."""
    if is_told(pair):
        return said("pairs.told")
    if is_same(pair):
        return said("pairs.same" if is_share(pair["metric"]) else "pairs.alike")
    return said("pairs.needed", needed=rounded(pair["needed"])) if pair.get("needed") else said("pairs.open")


def rounded(count: int) -> str:
    """A number of rows, two digits of it."""
    size = 10 ** max(0, len(str(count)) - 2)
    return f"{-(-count // size) * size:,}".replace(",", "\u202f")


def headline(summary: Summary) -> list[Said]:
    """What the evaluation found, a sentence or two for each model beside the first, at most MOST_TOLD models."""
    base, *others = summary.models or ("",)
    found = [one for other in others[-MOST_TOLD:] for one in _told(summary, base, other)]
    return found or _alone(summary)


def _told(summary: Summary, base: str, other: str) -> list[Said]:
    """What became of the first metric in which the two differ, else of the first."""
    pairs = [pair for pair in summary.pairs if (pair["a"], pair["b"]) == (base, other)
             and compare.has_sides(pair["metric"])]
    if not pairs:
        return []
    pair = next((one for one in pairs if is_told(one)), pairs[0])
    metric = pair["metric"]
    scale = compare.scale_of(metric)
    _, low, high = shown(pair, scale)
    values = {"metric": label(metric), "a": base, "b": other, "p": chance(p_of(pair)), "n": pair["n"]}
    if is_told(pair):
        low, high = _sides(pair, scale)
        figure = shown({**pair, "difference": abs(pair["difference"])}, scale)[0]
        way = "gained" if pair["difference"] > 0 else "lost"
        return [said(f"headline.{way}", points=points(metric, figure), low=low, high=high, **values)]
    if is_same(pair):
        return [said("headline.same", low=low, high=high, **values)]
    found = [said("headline.open", **values)]
    return [*found, said("headline.needed", needed=rounded(pair["needed"]))] if pair.get("needed") else found


def _sides(pair: Mapping[str, Any], scale: float) -> tuple[str, str]:
    """The bounds of how far one is above, or below, the other."""
    digits = statistics.decimals(pair["low"], pair["high"], scale)
    ends = (pair["low"], pair["high"]) if pair["difference"] > 0 else (-pair["high"], -pair["low"])
    return written(ends[0] * scale, digits), written(ends[1] * scale, digits)


def _alone(summary: Summary) -> list[Said]:
    model = summary.models[-1] if summary.models else ""
    for metric, one in summary.scores.get(model, {}).items():
        if one.value is not None and one.low is not None:
            value, low, high = shown(one, compare.scale_of(metric))
            return [said("headline.alone", model=model, metric=label(metric), value=unit(metric, value),
                         low=low, high=high)]
    return []


def bucketed(summary: Summary) -> str:
    """The metric by which rows are put into buckets: the first in which two models differ, else the first."""
    for metric, parts in summary.buckets.items():
        if parts and parts[-1]["fixed"] + parts[-1]["broken"]:
            return metric
    return next((metric for metric, parts in summary.buckets.items() if parts), "")


def notes(summary: Summary, about: About) -> Iterator[Said]:
    """What a reader should keep in mind."""
    leaks = about.leaks
    if leaks is not None and leaks.count:
        yield said("notes.leaked", count=leaks.count, rows=leaks.rows, exact=len(leaks.exact), near=len(leaks.near))
    for model, ways in summary.endings.items():
        if ways.get("length"):
            yield said("notes.length", model=model, count=ways["length"], total=sum(ways.values()))
    for metric, (count, reason) in summary.failures.items():
        yield said("notes.failed", metric=label(metric), count=count, reason=reason)
    unseen = max((part.get("unknown", 0) for part in summary.buckets.get(bucketed(summary), [])), default=0)
    if unseen:
        yield said("notes.compared", count=unseen)
    if summary.rows and summary.rows < FEW_ROWS:
        least = (statistics.Z95 + statistics.Z_POWER) * (0.5 / summary.rows) ** 0.5 * 100
        yield said("notes.few", rows=summary.rows, points=round(least))


def signature(metric: str) -> str:
    """What a score of a metric must be quoted with; "" for most."""
    module = compare.module_of(metric)
    return metrics.signature(module) if module is not None else ""
