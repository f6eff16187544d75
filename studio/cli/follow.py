"""Following a run: one line that changes on a terminal, plain lines elsewhere, until the run has ended."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any, TextIO

from studio.cli.signals import Left, Presses
from studio.cli.told import guard, guarded, work_of
from studio.cli.voice import Voice, cut, number
from studio.errors import InputError
from studio.runs.ending import told
from studio.runs.files import RunFolder
from studio.runs.monitor import Monitor
from studio.runs.stop import ask
from studio.texts import has, say

TICK_SECONDS = 0.25
FAILED = ("failed", "lost")
ENDED = ("finished", "stopped", *FAILED)
# Phases of an export, which count tensors, bytes or files: the share is what a person wants to know.
MOVING = ("exporting", "accepting", "packing", "delivering")


def follow(folder: RunFolder, voice: Voice, presses: Presses, to: TextIO) -> Any:
    """The last glimpse of a run, once it has ended; Ctrl-C asks it to stop, again escalates.

    Raises Left when the client is told to go; the run goes on.
    """
    monitor, view, answered = Monitor(folder.path), View(voice, to), 0
    while True:
        glimpse = monitor.look()
        view.show(glimpse)
        if glimpse.state in ENDED and not glimpse.catching_up:
            view.clear()
            return glimpse
        if presses.count > answered:
            answered += 1
            view.tell(_ask(folder, voice))
            continue
        try:
            time.sleep(TICK_SECONDS)
        except Left:
            view.clear()
            voice.aside(voice.say("follow.left", run=folder.name))
            raise


def _ask(folder: RunFolder, voice: Voice) -> str:
    try:
        level = ask(folder)
    except InputError:
        return voice.say("follow.ending")
    return voice.say(f"follow.asked_{min(level, 3)}")


class View:
    """What a person sees of a run; a line is written again only when it says something else."""

    def __init__(self, voice: Voice, to: TextIO) -> None:
        self.voice = voice
        self.to = to
        self.live = to.isatty()
        self.phases = {"training", "evaluating", "saving"}  # of these the steps speak
        self.shown = ""
        self.step = 0
        self.first = True

    def show(self, glimpse: Any) -> None:
        """The glimpse as the line that changes, or what is new in it as lines."""
        if self.live:
            line = cut(self.line(glimpse), shutil.get_terminal_size((80, 24)).columns - 1)
            if line != self.shown:
                self.to.write(f"\r\x1b[2K{line}")
                self.to.flush()
                self.shown = line
            return
        self._points(glimpse)
        if glimpse.phase and glimpse.phase not in self.phases:
            self.phases.add(glimpse.phase)
            self._write(self.voice.word("cli.phases", glimpse.phase))

    def _points(self, glimpse: Any) -> None:
        """A line for each logged step since the last look; of a run that was joined late, only the latest."""
        points = [
            (step, value)
            for step, value in zip(glimpse.loss.steps, glimpse.loss.values, strict=True)
            if step > self.step
        ]
        points, self.first = points[-1:] if self.first else points, False
        for step, value in points:
            said = self.voice.say("follow.step", step=step, total=glimpse.total or "?", loss=number(value))
            said += self._measured(glimpse, self.step, step)
            self._write(said + self._pace(glimpse if step == points[-1][0] else None))
            self.step = step

    def _pace(self, glimpse: Any) -> str:
        parts = []
        if glimpse is not None and glimpse.state not in ENDED:
            if glimpse.eta_seconds is not None and glimpse.step < glimpse.total:
                parts.append(self.voice.say("follow.eta", eta=self.voice.duration(glimpse.eta_seconds)))
            if glimpse.tokens_per_second:
                parts.append(self.voice.say("follow.speed", speed=f"{glimpse.tokens_per_second:,.0f}"))
        return "".join(parts)

    def line(self, glimpse: Any) -> str:
        """Phase, step, loss, time left and speed, as far as they are known."""
        word = (
            self.voice.word("runs.state", "stopping")
            if glimpse.state == "stopping"
            else self.voice.word("cli.phases", glimpse.phase or glimpse.state)
        )
        said = f"{glimpse.name} · {word}"
        if glimpse.phase in MOVING:
            said += self._share(glimpse)
        elif glimpse.step or glimpse.total:
            said += self.voice.say("follow.steps", step=glimpse.step or 0, total=glimpse.total or "?")
        if glimpse.loss.values:
            said += self.voice.say("follow.loss", loss=number(glimpse.loss.values[-1]))
        return said + self._measured(glimpse) + self._pace(glimpse)

    def _share(self, glimpse: Any) -> str:
        if not glimpse.total:
            return ""
        return self.voice.say("follow.share", percent=int(100 * min(1.0, glimpse.step / glimpse.total)))

    def _measured(self, glimpse: Any, behind: int = -1, until: int | None = None) -> str:
        """The last evaluation's loss, and the run's metric where it has one, between two steps."""
        loss, value = (_last(curve, behind, until) for curve in (glimpse.eval_loss, glimpse.eval_metric))
        said = "" if loss is None else self.voice.say("follow.evaluation", loss=number(loss))
        if value is not None:
            said += self.voice.say("follow.metric", name=self._metric(glimpse.metric), value=number(value))
        return said

    def _metric(self, name: str) -> str:
        key = f"metrics.{name}.label"
        return say(self.voice.lang, key) if has(self.voice.lang, key) else name

    def tell(self, sentence: str) -> None:
        """A sentence between the lines, once."""
        self.clear()
        self._write(sentence)

    def clear(self) -> None:
        """Take the changing line away."""
        if self.live:
            self.to.write("\r\x1b[2K")
            self.to.flush()
            self.shown = ""

    def _write(self, line: str) -> None:
        self.to.write(f"{line}\n")
        self.to.flush()


def _last(curve: Any, behind: int, until: int | None) -> float | None:
    """The last value of a curve behind one step and up to another."""
    values = [value for step, value in zip(curve.steps, curve.values, strict=True)
              if step > behind and (until is None or step <= until)]
    return values[-1] if values else None


def ending(folder: RunFolder, glimpse: Any, voice: Voice) -> list[str]:
    """What became of a run that has ended, and what to do next."""
    if glimpse.state == "finished":
        lines = [
            voice.say(
                "ended.finished",
                run=folder.name,
                steps=glimpse.step or 0,
                duration=voice.duration(glimpse.elapsed_seconds),
                loss=number(glimpse.loss.values[-1] if glimpse.loss.values else None),
            )
        ]
        if glimpse.best_eval_loss is not None:
            lines.append(voice.say("ended.best", loss=number(glimpse.best_eval_loss), step=glimpse.best_step))
        return [*lines, voice.say("ended.where", path=str(folder.checkpoints)), *guarded(folder, voice)]
    lines = [
        voice.say(
            "ended.export_otherwise" if work_of(folder) == "export" else "ended.otherwise",
            run=folder.name,
            state=voice.word("runs.state", str(glimpse.state)),
            step=glimpse.step or 0,
        ),
        told(voice.lang, glimpse.state, glimpse.outcome, glimpse.failure),
    ]
    if glimpse.state in FAILED:
        lines.append(voice.say("ended.log", run=folder.name))
    return [*lines, voice.say("ended.resume", run=folder.name)]


def result(folder: RunFolder, glimpse: Any) -> dict[str, Any]:
    """The outcome as `--json` gives it; `eval_loss` is that of the checkpoint which the run offers as its result."""
    from studio.runs.checkpoints import result as chosen

    best = chosen(folder)
    measured = best.eval_loss if best is not None else None
    if measured is None and glimpse.eval_loss.values:
        measured = glimpse.eval_loss.values[-1]
    return {
        "run": folder.name,
        "state": str(glimpse.state),
        "steps": glimpse.step or 0,
        "train_loss": glimpse.loss.values[-1] if glimpse.loss.values else None,
        "eval_loss": measured,
        **guard(folder),
    }


def stream(json: bool) -> TextIO:
    """Where following is shown: beside the result when a machine reads that."""
    return sys.stderr if json else sys.stdout
