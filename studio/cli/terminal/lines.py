"""Where lines come from: a person at a terminal, with editing and a history, or a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from studio.cli.terminal.commands import COMMANDS
from studio.cli.terminal.leaving import Leaving


def piped() -> Iterator[str]:
    """Every line of stdin; letters that are no UTF-8 become question marks."""
    stream = sys.stdin
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(encoding="utf-8", errors="replace")
    for line in stream:
        yield line.lstrip("\ufeff").rstrip("\n")


def typed(
    history: Path, mark: str, names: Sequence[str], on_interrupt: Callable[[], None], leaving: Leaving
) -> Iterator[str]:
    """Every line that is typed at the terminal until Ctrl-D; `mark` stands before each, `names` complete by Tab.

    Ctrl-C empties the line and calls `on_interrupt`. Arrow up and down go through what was typed, earlier days too.
    """
    session = _session(history, names)
    leaving.editor = session.app
    while True:
        try:
            yield session.prompt(mark)
        except KeyboardInterrupt:
            on_interrupt()
        except EOFError:
            return


def _session(history: Path, names: Sequence[str]) -> Any:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.output import create_output

    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _break_the_line(event: Any) -> None:
        event.current_buffer.insert_text("\n")

    words = [*(f"/{name}" for name in COMMANDS), *names]
    return PromptSession(
        history=_history(history),
        completer=WordCompleter(words, WORD=True),
        complete_while_typing=False,
        key_bindings=keys,
        output=create_output(stdout=sys.stdout if sys.stdout.isatty() else sys.stderr),
    )


def _history(path: Path) -> Any:
    """What was typed before, kept in a file that only the user may read; in memory where that cannot be written."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        return FileHistory(str(path))
    except OSError:
        return InMemoryHistory()
