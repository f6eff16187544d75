"""What a typed line means: words for the model, or one of the commands that begin with a slash."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from studio.errors import InputError

# command: whether words may follow, must follow or must not
COMMANDS = {
    "help": "none",
    "clear": "none",
    "system": "may",
    "save": "may",
    "regenerate": "none",
    "model": "may",
    "compare": "may",
    "quit": "none",
}
OFF = "off"


@dataclass(frozen=True)
class Said:
    """A line as it is meant: a command with what follows it, or `command` "" and the words for the model."""

    command: str
    text: str


def understood(line: str) -> Said | None:
    """What a line means; None when it is empty. Two slashes in front send the words with one.

    Raises InputError: chat_command_unknown, chat_command_takes_none.
    """
    text = line.strip()
    if not text:
        return None
    if not text.startswith("/") or text.startswith("//"):
        return Said("", text.removeprefix("/"))
    name, _, rest = text[1:].partition(" ")
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1, 0.4)
        raise InputError("chat_command_unknown", value=f"/{name}", nearest=f"/{near[0] if near else 'help'}")
    if rest.strip() and COMMANDS[name] == "none":
        raise InputError("chat_command_takes_none", value=f"/{name}", words=rest.strip())
    return Said(name, rest.strip())
