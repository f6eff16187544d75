"""The chat template language: jinja in a sandbox, with the filters and functions that model templates expect."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

# What a template raises when it cannot spell a conversation: its own refusal, or Python's about a value.
REFUSALS = (TemplateError, TypeError, ValueError, KeyError, AttributeError, IndexError, ArithmeticError,
            RecursionError)


@lru_cache(maxsize=16)
def compiled(source: str) -> Callable[..., str]:
    """The rendering function of a chat template; raises jinja2.TemplateError for one that is not jinja."""
    return _environment().from_string(source).render


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment()


class Environment(ImmutableSandboxedEnvironment):
    """The sandbox with the blocks, filters and functions of model templates."""

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
        self.filters["tojson"] = _tojson
        self.globals.update(raise_exception=_refuse, strftime_now=_now, dict=_Dictionaries(), namespace=_Names)


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}` marks what the assistant wrote; for rendering it is not there."""

    tags = frozenset({"generation"})  # type: ignore[assignment]

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The body of the block as if the tag were not there."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None,
            separators: tuple[str, str] | None = None, sort_keys: bool = False) -> str:
    """Plain JSON: jinja's own filter would escape HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: str) -> None:
    """A template says no to a conversation."""
    raise TemplateError(message)


def _now(pattern: str) -> str:
    return datetime.now().strftime(pattern)


class _Dictionaries:
    """`dict(…)` without the type's attributes, which lead out of a sandbox."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        """A new dict."""
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        """A new dict with the given keys."""
        return dict.fromkeys(*args, **kwargs)


class _Names(Namespace):
    """`namespace(…)` whose attributes may not begin with an underscore."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # a template may name an attribute "self"
        values = dict(*args[1:], **kwargs)
        for name in values:
            _no_underscore(name)
        Namespace.__init__(args[0], values)

    def __setitem__(self, name: str, value: Any) -> None:
        _no_underscore(name)
        Namespace.__setitem__(self, name, value)


def _no_underscore(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"namespace attribute {name!r}")
