"""What the data verbs share: the dataset and the model that were named, whole numbers, and how far the work is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.cli.voice import Voice
from studio.cli.words import Call, Option, Refused
from studio.errors import InputError, StudioError
from studio.workspace import STARTER, Workspace

JSON = Option("json")
ROWS = Option("rows", "N")
LOOKING = (Option("model", "MODEL", key="model_name_or_path"), Option("template", "TEMPLATE", key="template"),
           Option("cutoff-len", "N", key="cutoff_len"), ROWS, JSON)
_TICK_SECONDS = 0.1


@dataclass(frozen=True)
class Asked:
    """What was asked of a dataset: which one, for which model, how long a row may be, how many rows.

    `names_model` says that anything about the model was said at all.
    """

    voice: Voice
    workspace: Workspace
    entry: Any
    model: str
    template: str
    cutoff_len: int
    rows: int | None
    json: bool
    names_model: bool

    @property
    def folder(self) -> Path:
        """The model's folder; raises InputError model_not_here or model_missing."""
        from studio.data.model import locate

        found = locate(self.model, self.workspace)
        if found is None:
            raise InputError("model_not_here", name=self.model)
        return found

    def chat(self) -> Any:
        """The model's tokenizer and template; raises InputError for what is wrong with them."""
        from studio.data.chat import ChatTokenizer

        return ChatTokenizer.load(self.folder, self.template, workspace=self.workspace)


def dataset(call: Call) -> str:
    """The dataset's name or path, as it is or as a recipe spells it: `dataset=NAME`."""
    return call.words[0].removeprefix("dataset=")


def asked(call: Call) -> Asked:
    """The call's options read and its dataset found; raises Refused with everything that is wrong."""
    from studio.data.catalogue import Catalogue
    from studio.data.options import Reading

    errors: list[StudioError] = []
    cutoff_len = whole(call, "cutoff-len", errors, 8, 1_048_576)
    rows = whole(call, "rows", errors, 1)
    workspace, entry = Workspace.at(call.root), None
    try:
        entry = Catalogue(workspace).find(dataset(call))
    except InputError as error:
        errors.append(error)
    refuse(errors)
    return Asked(Voice(call.lang), workspace, entry, call.options.get("model", STARTER),
                 call.options.get("template", Reading.template),
                 cutoff_len or Reading.cutoff_len, rows, call.has("json"),
                 any(name in call.options for name in ("model", "template", "cutoff-len")))


def whole(call: Call, name: str, errors: list[StudioError], least: int, most: int | None = None) -> int | None:
    """An option that is a whole number; what is none is added to the errors."""
    said = call.options.get(name)
    if said is None:
        return None
    if not said.isascii() or not said.isdigit() or int(said) < least or (most is not None and int(said) > most):
        code = "option_number" if most is None else "option_range"
        errors.append(InputError(code, option=f"--{name}", value=said, least=least, most=most))
        return None
    return int(said)


def refuse(errors: list[StudioError]) -> None:
    """Raise what is wrong, if anything is."""
    if errors:
        raise errors[0] if len(errors) == 1 else Refused(errors)


@contextmanager
def progress(voice: Voice, key: str = "data.reading") -> Iterator[Any]:
    """A function that hears (done, total) and shows it on one line that changes, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    last = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > _TICK_SECONDS:
            last = time.monotonic()
            said = voice.say(key, done=f"{done:,}", total=f"{total:,}")
            print(f"\r\x1b[2K{said}", end="", file=sys.stderr, flush=True)

    try:
        yield tell
    finally:
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
