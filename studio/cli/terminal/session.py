"""The chat itself: line after line is heard, obeyed or answered, until there are no more."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

from studio.cli.terminal.commands import COMMANDS, OFF, Said, understood
from studio.cli.terminal.dialogue import Answer, Dialogue, Turn
from studio.cli.terminal.saved import save
from studio.cli.terminal.screen import Screen
from studio.cli.voice import Voice
from studio.errors import StopAsked, StudioError


class Speaker(Protocol):
    """Whoever answers."""

    def names(self) -> Sequence[str]:
        """Every lane that could be asked."""

    def ready(self, lane: str) -> str:
        """Make a lane ready to answer; its name as it is to be shown. Raises StudioError when that cannot be."""

    def answer(self, lane: str, messages: Sequence[dict[str, str]], seed_shift: int,
               on_piece: Callable[[str, str], None], into: Answer, should_stop: Callable[[], bool]) -> None:
        """Fill `into` while telling each piece (kind, text). Raises StopAsked soon after `should_stop`, StudioError."""


class Session:
    """One chat; `exit_code` is 0 until something could not be answered or understood."""

    def __init__(self, dialogue: Dialogue, speaker: Speaker, screen: Screen, voice: Voice, *, json: bool = False,
                 interactive: bool = True) -> None:
        self.dialogue = dialogue
        self.speaker = speaker
        self.screen = screen
        self.voice = voice
        self.json = json
        self.interactive = interactive
        self.exit_code = 0
        self.again = 0

    def run(self, lines: Iterable[str]) -> int:
        """Hear every line; the exit code. At a terminal what goes wrong is told and the chat goes on."""
        for line in lines:
            try:
                said = understood(line)
                if said is not None and not self.heard(said):
                    break
            except StudioError as error:
                self._tell(error)
            except KeyboardInterrupt:  # while a model was being loaded
                if not self.interactive:
                    raise
                self.screen.note(self.voice.say("interrupted"))
        return self.exit_code

    def _tell(self, error: StudioError) -> None:
        self.voice.error(error)
        if not self.interactive:
            self.exit_code = max(self.exit_code, error.exit_code)

    def heard(self, said: Said) -> bool:
        """Do what a line means; False when it ends the chat."""
        if not said.command:
            self.again = 0
            self.round(self.dialogue.ask(said.text))
        elif said.command == "quit":
            return False
        else:
            {"help": self._help, "clear": self._clear, "system": self._system, "save": self._save,
             "regenerate": self._regenerate, "model": self._model, "compare": self._compare}[said.command](said.text)
        return True

    def round(self, turn: Turn) -> None:
        """Every lane answers the last question, one after another; at a terminal Ctrl-C ends the round."""
        before, stop = dict(turn.answers), threading.Event()
        turn.answers = {}
        try:
            with pressed(stop) if self.interactive else nullcontext():
                for lane in self.dialogue.lanes:
                    self._answer(turn, lane, stop)
        except StopAsked:
            return
        finally:
            turn.answers = turn.answers or before
            self.dialogue.drop_unanswered()

    def _answer(self, turn: Turn, lane: str, stop: threading.Event) -> None:
        """One lane's answer; raises StopAsked, and what went wrong where no other lane is to be heard."""
        answer = Answer(lane)
        if len(self.dialogue.lanes) > 1 and not self.json:
            self.screen.heading(lane)
        try:
            self.speaker.answer(lane, self.dialogue.messages(lane), self.again, self.screen.piece, answer, stop.is_set)
        except StopAsked:
            answer.stopped = True
            raise
        except StudioError as error:
            if len(self.dialogue.lanes) == 1:
                raise
            self._tell(error)
        finally:
            if answer.text or answer.thinking or answer.calls or answer.reason:
                turn.answers[lane] = answer
                self._show(turn.question, answer)
            elif answer.stopped:
                self.screen.finished(answer)

    def _show(self, question: str, answer: Answer) -> None:
        """The end of an answer, whole or not."""
        for call in answer.calls:
            self.screen.call(str(call.get("name", "")), str(call.get("arguments", "")))
        self.screen.finished(answer)
        if self.json:
            self.voice.json_line(as_json(question, answer))

    def _help(self, _: str) -> None:
        for name in COMMANDS:
            self.screen.note(self.voice.say(f"chat.commands.{name}"))
        self.screen.note(self.voice.say("chat.keys"))
        self.screen.note(self.voice.say("chat.slash"))

    def _clear(self, _: str) -> None:
        self.dialogue.clear()
        self.screen.note(self.voice.say("chat.cleared"))

    def _system(self, text: str) -> None:
        if text:
            self.dialogue.system = "" if text == OFF else text
        key = "chat.system_is" if self.dialogue.system else "chat.system_none"
        self.screen.note(self.voice.say(key, text=self.dialogue.system))

    def _save(self, text: str) -> None:
        path, turns = save(self.dialogue, text)
        self.screen.note(self.voice.say("chat.saved", path=str(path), turns=turns))

    def _regenerate(self, _: str) -> None:
        if not self.dialogue.turns:
            self.screen.note(self.voice.say("chat.nothing_yet"))
            return
        self.again += 1
        self.round(self.dialogue.turns[-1])

    def _model(self, text: str) -> None:
        if text:
            self.dialogue.lanes = [self.speaker.ready(text)]
            self.screen.note(self.voice.say("chat.model_is", lane=self.dialogue.lanes[0]))
            return
        for name in self.speaker.names():
            self.screen.note(self.voice.say("chat.lane_on" if name in self.dialogue.lanes else "chat.lane", lane=name))

    def _compare(self, text: str) -> None:
        if text == OFF:
            self.dialogue.lanes = self.dialogue.lanes[:1]
        elif text:
            ready = [self.speaker.ready(name) for name in text.split()]
            self.dialogue.lanes = list(dict.fromkeys([*self.dialogue.lanes, *ready]))
        names = self.voice.say("chat.names_between").join(self.dialogue.lanes)
        self.screen.note(self.voice.say("chat.compared" if len(self.dialogue.lanes) > 1 else "chat.model_is",
                                        lane=names, lanes=names))


@contextmanager
def pressed(stop: threading.Event) -> Iterator[None]:
    """While entered, Ctrl-C sets the event and does nothing else."""
    former = signal.signal(signal.SIGINT, lambda number, frame: stop.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def as_json(question: str, answer: Answer) -> dict[str, Any]:
    """An answer as `--json` gives it, on one line."""
    return {"question": question, "model": answer.lane, "answer": answer.text, "thinking": answer.thinking,
            "tool_calls": answer.calls, "finish_reason": answer.reason, "tokens": answer.tokens,
            "stopped": answer.stopped,
            "seconds": round(answer.seconds, 3), "studio": answer.proof}
