"""`install [PART]`: what some forms of export and kinds of evaluation need besides, listed or installed."""

from __future__ import annotations

import sys
import time

from studio.cli.voice import Voice, cut, table
from studio.cli.words import Call, Option, Verb
from studio.errors import InputError
from studio.exports import optional
from studio.prepare.progress import PLAIN_LINE_SECONDS, Step
from studio.texts import say

COLUMNS = 100


def work(call: Call) -> int:
    """Install a part, or list them all; 0 when it is there."""
    voice = Voice(call.lang)
    if not call.words:
        return _list(voice, call)
    name = call.words[0]
    known = {one.name: one for one in optional.listed()}
    if name not in known:
        raise InputError("part_unknown", value=name, known=list(known))
    if known[name].installed:
        voice.out(voice.say("install.there", part=name))
        return 0
    voice.aside(voice.say("install.builds" if known[name].builds else "install.fetches", part=name,
                          megabytes=known[name].megabytes))
    shown = _Line(voice)
    try:
        optional.install(name, shown.show, call.options.get("wheels", ""))
    finally:
        shown.end()
    voice.out(voice.say("install.done", part=name))
    return 0


def _list(voice: Voice, call: Call) -> int:
    found = optional.listed()
    if call.has("json"):
        voice.json([{"name": one.name, "installed": one.installed, "versions": one.versions, "pins": list(one.pins),
                     "megabytes": one.megabytes} for one in found])
        return 0
    rows = [(one.name, voice.say("install.installed" if one.installed else "install.absent"), f"{one.megabytes} MB",
             say(voice.lang, f"parts.{one.name}.help")) for one in found]
    for text in table(rows, right=(2,)):
        voice.out(text)
    return 0


class _Line:
    """The line that tells what pip is doing: rewritten on a terminal, else one now and then."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.began = time.monotonic()
        self.live = sys.stderr.isatty()
        self.shown, self.shown_at = "", 0.0

    def show(self, step: Step) -> None:
        """Say what is being done."""
        now = time.monotonic()
        if step.key == self.shown and now - self.shown_at < (0.2 if self.live else PLAIN_LINE_SECONDS):
            return
        self.shown, self.shown_at = step.key, now
        said = cut(optional.line(self.voice.lang, step, self.began), COLUMNS)
        sys.stderr.write(f"\r\x1b[2K{said}" if self.live else f"{said}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the terminal clean."""
        if self.live:
            sys.stderr.write("\r\x1b[2K")


VERBS = (Verb("install", (Option("wheels", "DIR"), Option("json")), work, words="[PART]", at_most=1),)
