"""What the terminal shows of an answer while it comes: words as they are, thinking faint, proof below; no control
character of a model ever reaches the terminal."""

from __future__ import annotations

import os
import re
from typing import Any, TextIO

from studio.cli.terminal.dialogue import Answer
from studio.cli.voice import Voice

# Everything that moves the cursor, colours, beeps or reorders letters; a line's end and a tab are let through.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_FAINT, _STRONG, _PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[0m"


def harmless(text: str) -> str:
    """The text without what a terminal would obey."""
    return _CONTROL.sub("", text.replace("\r\n", "\n"))


class Screen:
    """Writes answers to a stream; styles are for terminals whose user did not set NO_COLOR."""

    def __init__(self, voice: Voice, to: TextIO, *, quiet: bool = False) -> None:
        self.voice = voice
        self.to = to
        self.live = to.isatty()
        self.styled = self.live and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.quiet = quiet
        self._thinking = False
        self._column = 0

    def heading(self, lane: str) -> None:
        """Whose answer follows."""
        self._line(_STRONG, self.voice.say("chat.heading", lane=lane))

    def piece(self, kind: str, text: str) -> None:
        """The next words of an answer; `kind` is words or thinking."""
        if self.quiet or not text:
            return
        if kind == "thinking" and not self._thinking:
            self._line(_FAINT, self.voice.say("chat.thinking"))
        elif kind != "thinking" and self._thinking:
            self._end_line()
            self._line(_FAINT, self.voice.say("chat.thought"))
        self._thinking = kind == "thinking"
        self._write(_FAINT if self._thinking else "", harmless(text))

    def call(self, name: str, arguments: str) -> None:
        """A tool that the model wants to use; nobody runs it here."""
        if not self.quiet:
            self._end_line()
            self._line("", self.voice.say("chat.call", name=harmless(name), arguments=harmless(arguments)))

    def finished(self, answer: Answer) -> None:
        """The end of an answer, with a faint line on where it comes from."""
        self._thinking = False
        if self.quiet:
            return
        self._end_line()
        if self.live:
            self._line(_FAINT, proof(self.voice, answer))
            self._write("", "\n")

    def note(self, text: str) -> None:
        """A sentence of the studio's own between answers."""
        self._end_line()
        self._line("", text)

    def _line(self, style: str, text: str) -> None:
        self._write(style, text)
        self._write("", "\n")

    def _end_line(self) -> None:
        if self._column:
            self._write("", "\n")

    def _write(self, style: str, text: str) -> None:
        self.to.write(f"{style}{text}{_PLAIN}" if style and self.styled else text)
        self.to.flush()
        self._column = len(text) - text.rfind("\n") - 1 if "\n" in text else self._column + len(text)


def proof(voice: Voice, answer: Answer) -> str:
    """Which weights said it, how much and how fast, in one line."""
    said: dict[str, Any] = answer.proof
    parts = []
    if said.get("step") is not None:
        chosen = voice.word("cli.chat.chosen", said.get("chosen"))
        parts.append(voice.say("chat.step", step=said["step"], chosen=chosen))
    for name in ("base", "adapter"):
        if said.get(f"{name}_hash"):
            parts.append(voice.say(f"chat.{name}", hash=str(said[f"{name}_hash"])[:8]))
    if answer.tokens:
        parts.append(voice.say("chat.tokens", count=f"{answer.tokens:,}"))
    parts.append(voice.say("chat.seconds", seconds=f"{answer.seconds:.1f}"))
    if answer.stopped:
        parts.append(voice.say("chat.was_stopped"))
    elif answer.reason == "length":
        parts.append(voice.say("chat.was_cut"))
    if said.get("changed_on_disk"):
        parts.append(voice.say("chat.changed"))
    return voice.say("chat.between").join(parts)
