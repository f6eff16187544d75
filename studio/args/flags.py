"""Arguments as words of a command line: `lora_rank=8`, and the older spellings `--lora_rank 8`, `--do_train`.

A text argument takes its word as it stands, unless that spells null or begins with a quote (then it is YAML).
A list splits at commas, unless it is written as YAML (`[a, "b, c"]`). Everything else is a YAML scalar or mapping.
What `to_flags` writes `from_flags` reads back as the very same values.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from studio.args import document as yaml
from studio.args.fields import Argument, Kind
from studio.errors import InputError

PROGRAM = ("python", "launch.py", "train")
_ASSIGNMENT = re.compile(r"([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)
_OPTION = re.compile(r"--([A-Za-z_][\w.-]*)(?:=(.*))?", re.DOTALL)
_NULLS = ("null", "Null", "NULL")
_TRUTHS = frozenset({"true", "false", "yes", "no", "on", "off", "0", "1"})


def to_flags(values: Mapping[str, Any], declared: Mapping[str, Argument]) -> list[str]:
    """One `key=value` word for each value, in their order; nothing is shell-quoted yet."""
    return [f"{name}={_spelled(value, _kind(name, declared))}" for name, value in values.items()]


def from_flags(words: Sequence[str], declared: Mapping[str, Argument]) -> dict[str, Any]:
    """The values of a command line's words; a key given twice has its last value.

    Raises:
        InputError: `flag_stray` names every word that is neither a flag nor a flag's value.
    """
    values, stray = read(words, declared)
    if stray:
        raise InputError("flag_stray", words=" ".join(stray))
    return values


def read(words: Sequence[str], declared: Mapping[str, Argument]) -> tuple[dict[str, Any], list[str]]:
    """The values of the words, and the words that say nothing."""
    names = _names(declared)
    values: dict[str, Any] = {}
    stray: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if found := _ASSIGNMENT.fullmatch(word):
            name, text = _name(found[1], names), found[2]
        elif found := _OPTION.fullmatch(word):
            name, text = _name(found[1], names), found[2]
            if text is None and (bare := _bare(name, names)) is not None:
                name, text = bare
            elif text is None:
                text = left.pop(0) if left and _is_value(left[0], names.get(name), names) else "true"
        else:
            stray.append(word)
            continue
        values[name] = _value(text, names[name].kind if name in names else None)
    return values, stray


def command(values: Mapping[str, Any], declared: Mapping[str, Argument]) -> str:
    """The command, quoted for a shell, that trains with these values."""
    return shlex.join([*PROGRAM, *to_flags(values, declared)])


def _names(declared: Mapping[str, Argument]) -> dict[str, Argument]:
    """Every argument by its name and by those of older recipes."""
    return {name: a for a in declared.values() for name in (*a.aliases, a.name)}


def _kind(name: str, declared: Mapping[str, Argument]) -> Kind | None:
    return declared[name].kind if name in declared else None


def _name(written: str, names: Mapping[str, Argument]) -> str:
    """`lora-rank` is `lora_rank`; a key that is no argument keeps its spelling."""
    plain = written.replace("-", "_")
    return plain if plain in names else written


def _bare(name: str, names: Mapping[str, Argument]) -> tuple[str, str] | None:
    """`--no_double_quantization` is `double_quantization=false`."""
    positive = name[3:] if name.startswith(("no_", "no-")) else ""
    return (positive, "false") if positive in names and names[positive].kind is Kind.BOOL else None


def _is_value(word: str, a: Argument | None, names: Mapping[str, Argument]) -> bool:
    """Whether the word behind `--key` is its value: not the next flag, and a truth value where one belongs."""
    if a is not None and a.kind is Kind.BOOL:
        return word.lower() in _TRUTHS
    if found := _OPTION.fullmatch(word):
        return False
    found = _ASSIGNMENT.fullmatch(word)
    return not (found and _name(found[1], names) in names)


def _value(text: str, kind: Kind | None) -> Any:
    """What a word's text says where an argument of this kind is asked for; an undeclared key's is YAML."""
    if text in _NULLS:
        return None
    if kind is Kind.TEXT:
        quoted = yaml.scalar(text) if text[:1] in ("'", '"') else text
        return quoted if isinstance(quoted, str) else text
    if kind is Kind.LIST:
        listed = yaml.scalar(text) if text.startswith("[") else None
        return listed if isinstance(listed, list) else [part.strip() for part in text.split(",") if part.strip()]
    return yaml.scalar(text)


def _spelled(value: Any, kind: Kind | None) -> str:
    """The shortest plain spelling that reads back as the value, else YAML on one line."""
    if isinstance(value, str) and kind is Kind.TEXT:
        plain = value
    elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        plain = ",".join(value)
    else:
        return yaml.line(value)
    return plain if "\0" not in plain and _value(plain, kind) == value else yaml.line(value)
