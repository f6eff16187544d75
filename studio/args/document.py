"""YAML as the studio reads and writes it: YAML 1.2 scalars, no duplicate keys, Chinese as Chinese.

PyYAML follows YAML 1.1, in which `5e-5` is a text, `on` is true and `1:30` is 90; the loader here does not.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from studio.errors import InputError

_BASE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc,valid-type]
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


_SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", (r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+|\.[0-9]+[eE][-+]?[0-9]+)"
               r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), "-+0123456789."),
)
for _name, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def _int(loader: Any, node: Any) -> int:
    text = node.value
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _mapping(loader: Any, node: Any, deep: bool = False) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, list | dict):
            raise InputError("yaml_key", line=key_node.start_mark.line + 1)
        if key in found:
            raise InputError("yaml_duplicate", key=key, line=key_node.start_mark.line + 1)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` and every YAML 1.1 reader take back as the same value."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """A text that either dialect could read as something else is quoted."""
    plain = "\n" not in text and isinstance(_scalar_or_none(text), str)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text_node)


def loads(text: str) -> Any:
    """The value of a YAML text; raises InputError (`yaml_syntax`, `yaml_tab`, `yaml_duplicate`) with the line."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        lines = text.splitlines()
        line = min(mark.line + 1, len(lines)) if mark else 0
        if line and "\t" in lines[line - 1]:
            raise InputError("yaml_tab", line=line) from None
        raise InputError("yaml_syntax", line=line, reason=error.problem or "") from None
    except yaml.YAMLError as error:
        raise InputError("yaml_syntax", line=0, reason=str(error).splitlines()[0]) from None


def dumps(value: Any) -> str:
    """YAML text of plain values, keys in their order."""
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, default_flow_style=False, width=110)


def line(value: Any) -> str:
    """YAML of plain values on one line, as a command line or a cell of a table needs it."""
    text = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, default_flow_style=True,
                     width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML (or JSON) file; raises InputError when it is missing, unreadable or not a mapping."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("file_missing", path=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("file_unreadable", path=str(path), reason=str(error)) from None
    value = loads(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError("yaml_not_mapping", path=str(path), kind=type(value).__name__)
    return {str(key): item for key, item in value.items()}


def scalar(text: str) -> Any:
    """A value as typed on the command line: YAML where it is YAML, else the text itself."""
    try:
        return loads(text)
    except InputError:
        return text


def _scalar_or_none(text: str) -> Any:
    """How a plain text would be read; None where it must be quoted."""
    try:
        return text if loads(text) == text and yaml.safe_load(text) == text else None
    except (InputError, yaml.YAMLError, ValueError):
        return None
