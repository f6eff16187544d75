"""What a run may be called: letters of any script, digits, `-`, `_` and `.`."""

from __future__ import annotations

import re
import time
import unicodedata
from pathlib import Path
from typing import Any

from studio.errors import InputError

MOST_CHARACTERS = 100
MOST_BYTES = 200
_MARKS = "-_."
_STEP, _STAMP = re.compile(r"step-\d+"), re.compile(r"^\d{8}-\d{6}-")  # a checkpoint, and how a run's name begins


def checked(name: str) -> str:
    """The name in composed Unicode form; raises InputError with one code for each thing that can be wrong."""
    name = unicodedata.normalize("NFC", name)
    if not name:
        raise InputError("name_empty")
    if "/" in name or "\\" in name or name in (".", ".."):
        raise InputError("name_path", name=_visible(name))
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") for letter in name):
        raise InputError("name_control", name=_visible(name))
    if name[0] in "-.":
        raise InputError("name_start", name=_visible(name), character=name[0])
    for letter in name:
        if not _allowed(letter):
            raise InputError("name_character", name=_visible(name), character=letter)
    if len(name) > MOST_CHARACTERS or len(name.encode()) > MOST_BYTES:
        raise InputError("name_long", count=len(name), most=MOST_CHARACTERS, bytes=len(name.encode()),
                         most_bytes=MOST_BYTES)
    return name


def suggested(spec: Any, now: float | None = None) -> str:
    """`<date>-<time>-<model>-<stage>-<tuner>`, always a name that `checked` takes; an export has its form instead."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    path = Path(spec.model_name_or_path.rstrip("/\\"))
    name = f"{path.parent.name}-{path.name}" if _STEP.fullmatch(path.name) else path.name
    model = _cleaned(_STAMP.sub("", name))[:40].strip(_MARKS) or "model"
    while len(model.encode()) > 100:
        model = model[:-1]
    kind = getattr(spec, "finetuning_type", "") or getattr(spec, "export_to", "")
    return "-".join(part for part in (stamp, model, spec.stage, kind) if part)


def from_output_dir(output_dir: str, saves: Path) -> str:
    """The name that a recipe's `output_dir` means: `saves/a/b` is `a-b`; raises InputError when it leaves saves."""
    path = Path(output_dir.strip())
    if path.is_absolute():
        if not path.is_relative_to(saves):
            raise InputError("name_path", name=_visible(output_dir))
        path = path.relative_to(saves)
    parts = [part for part in path.parts if part != "."]
    if ".." in parts or "\\" in output_dir:
        raise InputError("name_path", name=_visible(output_dir))
    if len(parts) > 1 and parts[0] in ("saves", "output", "outputs"):
        parts = parts[1:]
    return checked("-".join(parts))


def numbered(name: str, number: int) -> str:
    """The same name for the second, third, … run that would have it."""
    ending = f"-{number}"
    while len(name) + len(ending) > MOST_CHARACTERS or len((name + ending).encode()) > MOST_BYTES:
        name = name[:-1]
    return name + ending


def _allowed(letter: str) -> bool:
    if letter in _MARKS:
        return True
    kind = unicodedata.category(letter)
    selector = 0xFE00 <= ord(letter) <= 0xFE0F or 0xE0100 <= ord(letter) <= 0xE01EF
    return kind[0] in "LN" or (kind in ("Mn", "Mc") and not selector)


def _cleaned(text: str) -> str:
    kept = "".join(letter if _allowed(letter) else "-" for letter in unicodedata.normalize("NFC", text))
    return re.sub(r"-{2,}", "-", kept)


def _visible(name: str) -> str:
    """The name as an error sentence can show it: short, control characters spelled out."""
    shown = name if len(name) <= 60 else name[:60] + "…"
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in shown)
