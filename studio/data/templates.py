"""Chat templates by name: the studio's own kinds, and those that a user writes in `data/templates/<name>.jinja`."""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError

from studio.data.jinja import REFUSALS, compiled
from studio.data.tokenizer_files import TokenizerFiles
from studio.data.turns import manners, schemas, turn_of
from studio.errors import InputError
from studio.plugins import kinds, plugin
from studio.sample import Message
from studio.workspace import Workspace

OWN = "own"
FALLBACK = "default"
SUFFIX = ".jinja"
NAME = re.compile(r"\w[\w.-]{0,63}")
MOST_BYTES = 256_000
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
_TALK = (Message("user", "1 + 1 = ?"), Message("assistant", "2"))


@dataclass(frozen=True, slots=True)
class Template:
    """One chat template: its Jinja source (None for the model's own), the token that ends an answer, if it names one.

    `last_only` says that only the last answer can be learned.
    """

    name: str
    source: str | None
    end: str | None = None
    last_only: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A template to choose from; `system` and `tools` say what it shows of a conversation."""

    name: str
    is_own: bool
    system: bool
    tools: bool


def chosen(name: str, workspace: Workspace) -> Template:
    """The template that an argument names: a kind, its alias, a user's template or the path of one.

    Raises InputError template_unknown, file_unreadable and what `preview` raises of a user's template.
    """
    known = aliases().get(name, name)
    if known in kinds("templates"):
        kind = plugin("templates", known)
        return Template(known, kind.JINJA, getattr(kind, "END", None), getattr(kind, "LAST_ONLY", False))
    path = _path(name, workspace)
    if path is None:
        names = [*kinds("templates"), *aliases(), *own(workspace)]
        near = difflib.get_close_matches(name, names, 1, 0.4)
        raise InputError("template_unknown", value=name, nearest=near[0] if near else OWN,
                         path=str(_folder(workspace) / f"{Path(name).stem or 'name'}{SUFFIX}"))
    source = _read(path)
    preview(source, _TALK)
    return Template(name, source)


@cache
def aliases() -> Mapping[str, str]:
    """The names of older recipes, with the kind that each means."""
    return {alias: name for name in kinds("templates") for alias in getattr(plugin("templates", name), "ALIASES", ())}


def own(workspace: Workspace) -> dict[str, Path]:
    """The user's templates by name, in alphabetical order."""
    return {path.stem: path for path in sorted(_folder(workspace).glob(f"*{SUFFIX}")) if NAME.fullmatch(path.stem)}


def listed(workspace: Workspace) -> list[Listed]:
    """Every template to choose from: the kinds in their order, then the user's."""
    found = [Listed(name, False, getattr(kind, "SYSTEM", True), getattr(kind, "TOOLS", False))
             for name in kinds("templates") for kind in (plugin("templates", name),)]
    return [*found, *(Listed(name, True, *_shows(path)) for name, path in own(workspace).items())]


def wanted(folder: Path | str) -> str:
    """Which template a model wants: its own when it brings one, else the kind that is for models of its name."""
    folder = Path(folder)
    if TokenizerFiles.of(folder).chat_template:
        return OWN
    names = {folder.name.lower(), folder.name.lower().rpartition("--")[2]}
    fits = [(len(pattern), name) for name in kinds("templates")
            for pattern in getattr(plugin("templates", name), "MODELS", ())
            if any(fnmatch(one, f"*{pattern}*") for one in names)]
    return max(fits)[1] if fits else FALLBACK


def save(workspace: Workspace, name: str, source: str) -> Path:
    """Keep a user's template; raises InputError template_name, template_taken and what `preview` raises."""
    if not NAME.fullmatch(name):
        raise InputError("template_name", value=name)
    if name in kinds("templates") or name in aliases():
        raise InputError("template_taken", value=name)
    preview(source, _TALK)
    folder = _folder(workspace)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, prefix=".", delete=False) as aside:
        aside.write(source)
    os.replace(aside.name, folder / f"{name}{SUFFIX}")
    return folder / f"{name}{SUFFIX}"


def preview(source: str, messages: Sequence[Message | Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = (),
            special: Mapping[str, str] | None = None, add_generation_prompt: bool = False) -> str:
    """What a template makes of a conversation; raises InputError template_line_broken, or template_own_broken."""
    try:
        manner = manners(source)[0]
        turns = [turn_of(one, manner) if isinstance(one, Message) else dict(one) for one in messages]
        return compiled(source)(messages=turns, tools=schemas(tools), documents=None,
                                add_generation_prompt=add_generation_prompt, **(special or SPECIAL))
    except REFUSALS as error:
        raise broken(error) from error


def broken(error: Exception) -> InputError:
    """The error of a user's template that does not work, with the line where it is known."""
    line = line_of(error)
    reason = str(error) or type(error).__name__
    if line is None:
        return InputError("template_own_broken", reason=reason)
    return InputError("template_line_broken", line=line, reason=reason)


def line_of(error: BaseException) -> int | None:
    """The line of a template at which it failed."""
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    found, trace = None, error.__traceback__
    while trace is not None:  # jinja puts the template's lines into the traceback
        if trace.tb_frame.f_code.co_filename == "<template>":
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _folder(workspace: Workspace) -> Path:
    return workspace.data / "templates"


def _path(name: str, workspace: Workspace) -> Path | None:
    """The file of a user's template, by its name or its path."""
    if not name.endswith(SUFFIX):
        return own(workspace).get(name)
    return next((path for path in (Path(name).expanduser(), workspace.root / name, _folder(workspace) / name)
                 if path.is_file()), None)


def _read(path: Path) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read(MOST_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("file_unreadable", path=str(path), reason=str(error)) from error


def _shows(path: Path) -> tuple[bool, bool]:
    """Whether a user's template shows a system message and tools."""
    try:
        source = _read(path)
        system = preview(source, (Message("system", "\uf8e1"), *_TALK))
    except InputError:
        return False, False
    return "\uf8e1" in system, "tools" in source
