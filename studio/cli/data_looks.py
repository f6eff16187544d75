"""`data check`, `stats`, `preview` and `tokenize`: what a dataset is and what training makes of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from studio.cli.datasets import JSON, LOOKING, Asked, asked, progress
from studio.cli.voice import Voice, number, table
from studio.cli.words import Call, Option, Verb

PREVIEWED = 3
BATCH = 8
_GREEN, _PLAIN = "\x1b[32m", "\x1b[0m"


def check(call: Call) -> int:
    """Format, encoding, usable rows and every problem with examples; tokens are looked at when a model is named."""
    from studio.data.check import check as checked

    want = asked(call)
    chat = want.chat() if want.names_model else None
    entry = replace(want.entry, num_samples=want.rows) if want.rows else want.entry
    with progress(want.voice) as tell:
        found = checked(entry, chat=chat, cutoff_len=want.cutoff_len, lang=call.lang, tell=tell)
    if want.json:
        shown = ("code", "count", "examples")
        want.voice.json({**found, "problems": [{key: one[key] for key in shown} for one in found["problems"]]})
        return 0
    for line in _checked(want.voice, want.entry.name, found):
        want.voice.out(line)
    return 0


def _checked(voice: Voice, name: str, found: dict[str, Any]) -> Iterator[str]:
    yield voice.say("data.check.head", name=name, format=found["format"] or "–", encoding=found["encoding"] or "–")
    yield voice.say("data.rows", rows=f"{found['rows']:,}", usable=f"{found['usable_rows']:,}")
    for problem in found["problems"]:
        yield voice.say("data.check.problem", count=f"{problem['count']:,}", what=trouble(voice, problem["code"]))
        for one in problem["examples"]:
            yield voice.say("data.check.example", file=one["file"], line=one["line"], why=one["why"])
    if not found["problems"]:
        yield voice.say("data.check.good")


def trouble(voice: Voice, code: str) -> str:
    """The words for a problem's code: a check of the doctor, or a reason why rows are skipped."""
    said = voice.word("data.doctor.checks", f"{code}.title")
    return voice.word("data.skipped", code) if said == f"{code}.title" else said


def stats(call: Call) -> int:
    """Lengths, turns, languages, and what a cutoff_len would do."""
    from studio.data.statistics import measure

    want = asked(call)
    chat = want.chat()
    with progress(want.voice) as tell:
        found = measure(want.entry, chat, want.cutoff_len, tell, limit=want.rows)
    if want.json:
        want.voice.json({"rows": found.rows, "tokens": found.tokens, "trained_tokens": found.trained_tokens,
                         "cut_rows": found.cut_rows, "percentiles": found.percentiles})
        return 0
    for line in _measured(want.voice, found):
        want.voice.out(line)
    return 0


def _measured(voice: Voice, found: Any) -> Iterator[str]:
    yield voice.say("data.rows", rows=f"{found.rows:,}", usable=f"{found.used:,}")
    for reason, count in found.skipped.items():
        yield voice.say("dry.skipped", count=f"{count:,}", reason=voice.word("data.skipped", reason))
    yield voice.say("dry.tokens", tokens=f"{found.tokens:,}", trained=f"{found.trained_tokens:,}")
    yield ""
    yield from _lengths(voice, found)
    yield ""
    counted = ((f"{found.languages[name]:,}", voice.say(f"data.languages.{name}")) for name in found.languages)
    yield voice.say("data.stats.languages", found=", ".join(f"{word} {count}" for count, word in counted))
    yield voice.say("data.stats.turns", found=", ".join(f"{turns}: {rows:,}" for turns, rows in found.turns.items()))
    yield voice.say("data.stats.padding", batch=BATCH, tokens=f"{found.padding(BATCH):,}")
    yield ""
    yield from _cutoffs(voice, found)


def _lengths(voice: Voice, found: Any) -> list[str]:
    figures = {name: lengths.describe() for name, lengths in found.lengths.items()}
    heads = ["", *(voice.say(f"data.stats.{name}") for name in figures)]
    names = list(next(iter(figures.values())))
    rows = [heads, *([name, *(number(one[name], 6) for one in figures.values())] for name in names)]
    return table(rows, right=range(1, len(heads)))


def _cutoffs(voice: Voice, found: Any) -> Iterator[str]:
    if not found.suggested:
        return
    heads = [voice.say(f"data.stats.{name}") for name in ("cutoff", "cut", "lost", "left")]
    whole = max(1, found.lengths["trained"].total)
    rows = [[str(one.cutoff_len), f"{one.cut_rows:,}", f"{one.lost_rows:,}",
             f"{100 * one.trained_tokens / whole:.1f} %"] for one in found.cutoffs]
    yield from table([heads, *rows], right=range(4))
    yield voice.say("data.stats.suggested", value=found.suggested)


def preview(call: Call) -> int:
    """The first rows exactly as training has them."""
    from studio.data.preview import preview as rows_of

    want = asked(call)
    rows = list(rows_of(want.entry, want.chat(), want.rows or PREVIEWED, want.cutoff_len))
    if want.json:
        want.voice.json([row.plain() for row in rows])
        return 0
    for place, row in enumerate(rows):
        if place:
            want.voice.out()
        for line in _previewed(want, row):
            want.voice.out(line)
    if not rows:
        want.voice.aside(want.voice.say("data.preview.none"))
    return 0


def _previewed(want: Asked, row: Any) -> Iterator[str]:
    voice = want.voice
    for side, slide in enumerate(row.slides):
        figures = {"tokens": len(slide.ids), "trained": slide.trained, "cut": slide.cut}
        yield (voice.say("data.preview.rejected", **figures) if side else
               voice.say("data.preview.head", file=row.place.file, line=row.place.line, **figures))
        yield _marked(slide, sys.stdout.isatty())
        for name, values in (("input_ids", slide.ids), ("labels", slide.labels)):
            yield f"{name}: {' '.join(map(str, values))}"


def _marked(slide: Any, colour: bool) -> str:
    """The text with what is learned in colour, or between ⟦ and ⟧ where there are no colours."""
    left, right = (_GREEN, _PLAIN) if colour else ("⟦", "⟧")
    return "".join(f"{left}{words}{right}" if state == "trained" else words for words, state in slide.parts())


def tokenize(call: Call) -> int:
    """Write the token rows that training uses, where it looks for them."""
    from studio.data.options import Reading
    from studio.data.tokenise import tokenise

    want = asked(call)
    options = Reading(None, want.template, cutoff_len=want.cutoff_len, max_samples=want.rows,
                      tokenized_path=call.options.get("tokenized-path"))
    with progress(want.voice) as tell:
        found = tokenise(want.entry, want.folder, want.workspace, options, on_progress=tell)
    counts = found.counts
    if want.json:
        want.voice.json({"path": str(found.folder), "found": found.found, "rows": counts.read, "used": counts.used,
                         "skipped": dict(counts.skipped), "tokens": counts.tokens,
                         "trained_tokens": counts.trained_tokens, "cut_rows": counts.cut})
        return 0
    for line in _kept(want.voice, found):
        want.voice.out(line)
    return 0


def _kept(voice: Voice, found: Any) -> Iterator[str]:
    counts = found.counts
    yield voice.say("data.rows", rows=f"{counts.read:,}", usable=f"{counts.used:,}")
    for reason, count in counts.skipped.items():
        yield voice.say("dry.skipped", count=f"{count:,}", reason=voice.word("data.skipped", reason))
        for file, line in counts.examples[reason]:
            yield voice.say("data.check.place", file=file, line=line)
    yield voice.say("dry.tokens", tokens=f"{counts.tokens:,}", trained=f"{counts.trained_tokens:,}")
    yield voice.say("data.tokenize.found" if found.found else "data.tokenize.made", path=found.folder)


_WHAT = "NAME_OR_PATH"
VERBS = (
    Verb("data check", LOOKING, check, _WHAT, 1, 1),
    Verb("data stats", LOOKING, stats, _WHAT, 1, 1),
    Verb("data preview", LOOKING, preview, _WHAT, 1, 1),
    Verb("data tokenize", (*LOOKING[:-1], Option("tokenized-path", "DIR", key="tokenized_path"), JSON), tokenize,
         _WHAT, 1, 1),
)
