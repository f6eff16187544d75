"""The text of a model card in one language: what it is, how to run it, how it was made, how good it is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import Any

from studio import __version__
from studio.args import document
from studio.exports import acceptance
from studio.exports.card import accepted, scored
from studio.exports.card.facts import Dataset, Facts, Learning, shown
from studio.scores.summary import written
from studio.texts import has, listed, say
from studio.texts.markdown import code, fenced, inline, table

FILES = {"en": "README.md", "zh": "README_zh.md"}
PICTURES = {"en": "curves.svg", "zh": "curves_zh.svg"}
NAMES = {"en": "EN", "zh": "中文"}
_SHORT = 16  # letters of a fingerprint that a table shows
# Arguments that say where things lie on one machine, not how a model was made.
_PLACES = ("output_dir", "dataset_dir", "tokenized_path", "devices", "cpu_threads", "nproc_per_node")
_PYTHON = ("import ", "from ")


def markdown(facts: Facts, lang: str) -> str:
    """The whole card below its head."""
    parts = [_title(facts, lang), _run(facts, lang), _made(facts, lang), _data(facts, lang), _settings(facts, lang),
             _curves(facts, lang), scored.section(facts, lang), scored.forgotten(facts, lang),
             accepted.section(facts, lang), _licence(facts, lang), _end(lang)]
    return "\n".join(line for part in parts for line in part).strip() + "\n"


def section(name: str, lang: str) -> Iterator[str]:
    """The heading of a part."""
    yield from ("", f"## {said(lang, f'{name}.title')}", "")


def said(lang: str, key: str, /, **values: Any) -> str:
    """A sentence of the card."""
    return say(lang, f"exports.card.{key}", **values)


def paragraph(lang: str, *sentences: str) -> str:
    """Sentences one after the other, as the language sets them."""
    return reduce(lambda one, other: said(lang, "pair", one=one, other=other), sentences)


def word(lang: str, key: str, otherwise: str) -> str:
    """What something is called, its own name where the language has no word for it."""
    return say(lang, key) if has(lang, key) else otherwise


def form(facts: Facts, lang: str) -> str:
    """What the form is called, and what it holds."""
    return " · ".join(word(lang, f"exporters.{name}.label", name) for name in dict.fromkeys((facts.form, facts.inside)))


def _title(facts: Facts, lang: str) -> Iterator[str]:
    others = [f"[{NAMES[one]}]({FILES[one]})" for one in FILES if one != lang]
    yield from (f"# {inline(facts.title)}", "", " · ".join(others), "")
    yield said(lang, f"about.{_kind(facts)}", base=inline(facts.base), form=inline(form(facts, lang)),
               **({} if facts.learning is None else _how(facts.learning, lang)))


def _kind(facts: Facts) -> str:
    if facts.learning is not None:
        return "tuned"
    return "mixed" if facts.source.parts else "plain"


def _how(learning: Learning, lang: str) -> dict[str, str]:
    stage, tuner = (str(learning.told.get(name, "")) for name in ("stage", "finetuning_type"))
    return {"method": word(lang, f"choices.stage.{stage}", stage),
            "tuner": word(lang, f"choices.finetuning_type.{tuner}", tuner),
            "data": listed(lang, [inline(one.name) for one in learning.data]) or said(lang, "unknown")}


def _run(facts: Facts, lang: str) -> Iterator[str]:
    if not facts.commands:
        return
    yield from section("run", lang)
    yield said(lang, "run.explained")
    for program, lines in facts.commands.items():
        kind = "python" if lines.startswith(_PYTHON) else "sh"
        name = word(lang, f"exports.card.run.programs.{program}", acceptance.runtime(lang, program))
        yield from ("", f"### {inline(name)}", "", *fenced(lines, kind))


# ---- how it was made ----

def _made(facts: Facts, lang: str) -> Iterator[str]:
    yield from section("made", lang)
    rows = [(said(lang, f"made.{name}"), value) for name, value in _facts(facts, lang)]
    yield from table(["", ""], rows)
    if len(facts.source.parts) > 1:
        yield from ("", said(lang, "made.parts_explained"), "")
        yield from table([said(lang, f"made.part.{name}") for name in ("name", "kind", "weight")],
                         ([inline(part.name.rpartition("/")[2] if part.name.startswith("/") else part.name),
                           word(lang, f"choices.finetuning_type.{part.kind}", part.kind), f"{part.weight:g}"]
                          for part in facts.source.parts))


def _facts(facts: Facts, lang: str) -> Iterator[tuple[str, str]]:
    learning = facts.learning
    yield "base", inline(facts.base_hub or facts.base)
    if learning is not None and learning.base_mark:
        yield "base_mark", code(learning.base_mark)
    if facts.architecture:
        yield "architecture", code(facts.architecture)
    if facts.parameters:
        yield "parameters", count(facts.parameters)
    if learning is not None:
        how = _how(learning, lang)
        yield "method", f"{how['method']} · {how['tuner']}"
        if learning.step is not None:
            yield "checkpoint", _checkpoint(learning, lang)
        if learning.eval_loss is not None:
            yield "eval_loss", written(learning.eval_loss, 4)
        if learning.told.get("eval_metric") and learning.eval_metric is not None:
            metric = str(learning.told["eval_metric"])
            named = inline(word(lang, f"metrics.{metric}.label", metric))
            yield "eval_metric", f"{named} {written(learning.eval_metric, 4)}"
        if day := _day(learning.told.get("created")):
            yield "trained", day
    yield "form", inline(form(facts, lang))
    if facts.spec.export_dtype != "auto":
        yield "numbers", code(facts.spec.export_dtype)
    yield "exported", time.strftime("%Y-%m-%d")
    yield "studio", _versions(learning.told if learning is not None else {}, lang)


def _checkpoint(learning: Learning, lang: str) -> str:
    key = "best" if learning.is_best else "step"
    if learning.last is None:
        return said(lang, f"made.{key}_alone", step=count(learning.step or 0))
    return said(lang, f"made.{key}_of", step=count(learning.step or 0), last=count(learning.last))


def _day(created: Any) -> str:
    try:
        return datetime.fromisoformat(str(created)).strftime("%Y-%m-%d")
    except ValueError:
        return ""


def _versions(told: Mapping[str, Any], lang: str) -> str:
    packages = told.get("packages")
    there = [f"{name} {version}" for name, version in packages.items() if version != "absent"] \
        if isinstance(packages, dict) else []
    return inline(listed(lang, [f"Fine-tuning Studio {told.get('studio_version') or __version__}", *there]))


def _data(facts: Facts, lang: str) -> Iterator[str]:
    if facts.learning is None or not facts.learning.data:
        return
    data = facts.learning.data
    yield from section("data", lang)
    with_rows = any(one.rows is not None for one in data)
    names = ["name", *(("rows", "held_out") if with_rows else ()), "fingerprint"]
    yield from table([said(lang, f"data.{name}") for name in names],
                     (_dataset(one, with_rows, lang) for one in data))
    remarks = ["explained", *(["today"] if any(one.is_today for one in data) else [])]
    yield from ("", paragraph(lang, *(said(lang, f"data.{name}") for name in remarks)))


def _dataset(one: Dataset, with_rows: bool, lang: str) -> Sequence[str]:
    unknown = said(lang, "unknown")
    rows = [unknown if value is None else count(value) for value in (one.rows, one.held_out)] if with_rows else []
    return [inline(one.name) + (f" ({inline(one.hub)})" if one.hub and one.hub != one.name else ""), *rows,
            code(one.fingerprint[:_SHORT]) if one.fingerprint else unknown]


def _settings(facts: Facts, lang: str) -> Iterator[str]:
    """What differs from the defaults with its words, then everything as a recipe."""
    if facts.learning is None:
        return
    changed = facts.learning.changed
    yield from section("settings", lang)
    known = {name: value for name, value in facts.learning.told.items() if has(lang, f"arguments.{name}.label")}
    shown = {name: value for name, value in known.items() if name in changed and name not in _PLACES}
    yield said(lang, "settings.explained" if shown else "settings.defaults")
    if shown:
        yield ""
        yield from _values(shown, lang)
    recipe = {name: _local(value) for name, value in known.items()
              if name not in _PLACES and value not in (None, "", [], {})}
    yield from ("", said(lang, "settings.all"), "")
    yield from fenced(document.dumps(recipe).rstrip("\n"), "yaml")


def _values(values: Mapping[str, Any], lang: str) -> Iterator[str]:
    yield from table([said(lang, "settings.name"), said(lang, "settings.value")],
                     ([f"`{name}` {inline(say(lang, f'arguments.{name}.label'))}", code(_bare(value))]
                      for name, value in values.items()))


def _bare(value: Any) -> str:
    """A value in one line."""
    value = _local(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else document.line(value)


def _local(value: Any) -> Any:
    """A value without the folders of this machine."""
    if isinstance(value, list):
        return [_local(one) for one in value]
    return shown(value) if isinstance(value, str) else value


def _curves(facts: Facts, lang: str) -> Iterator[str]:
    curves = facts.learning.curves if facts.learning is not None else None
    if curves is None:
        return
    yield from section("curves", lang)
    yield f"![{said(lang, 'curves.title')}]({PICTURES[lang]})"
    told = [said(lang, "curves.told", first=written(curves.loss.values[0], 3),
                 last=written(curves.smoothed.values[-1], 3), steps=count(curves.last))]
    if curves.evaluated.values:
        best = min(range(len(curves.evaluated.values)), key=curves.evaluated.values.__getitem__)
        told.append(said(lang, "curves.best", loss=written(curves.evaluated.values[best], 3),
                         step=count(curves.evaluated.steps[best])))
    yield from ("", paragraph(lang, *told))


# ---- the end ----

def _licence(facts: Facts, lang: str) -> Iterator[str]:
    yield from section("licence", lang)
    base = said(lang, "licence.base", base=inline(facts.base), licence=code(facts.base_licence)) \
        if facts.base_licence else said(lang, "licence.base_unknown", base=inline(facts.base))
    files = listed(lang, [code(name) for name in facts.licence_files])
    came = [said(lang, "licence.files", files=files)] if files else []
    yield paragraph(lang, said(lang, "licence.fill_in"), base, *came)


def _end(lang: str) -> Iterable[str]:
    return "", "---", "", said(lang, "made_by", version=__version__)


def count(number: int) -> str:
    """A whole number with narrow spaces between its thousands."""
    return f"{number:,}".replace(",", "\u202f")
