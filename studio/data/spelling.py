"""A template learned by heart: what it writes between the contents of a sequence of roles.

A template is rendered once with texts that note what is done to them. One that only puts contents into place, perhaps
without the white space around them, writes the same between any other contents; joining them takes a tenth of the time
of rendering. Where it asks something of a content ("is there a </think> in it?") the answer is noted as a condition.
Where it looks closer than can be noted, nothing is learned and every conversation is rendered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from studio.data.jinja import REFUSALS, Environment
from studio.data.signposts import Signposts

OPEN, CLOSE = "\uf8e3", "\uf8e4"
Span = tuple[int, int]
Step = tuple[str, tuple[Any, ...]]
_MARK = re.compile(f"{OPEN}([0-9]+){CLOSE}")
# What builds a text piece by piece; what is made of noted texts there is noted no longer.
_UNNOTED = (nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.AssignBlock)
_HARMLESS = frozenset({"trim", "default", "d", "length", "count", "list", "first", "last", "selectattr", "rejectattr",
                       "string", "items", "_joined"})


class _LooksClosely(Exception):
    """A template does to a content what cannot be noted."""


@dataclass
class _Notes:
    """What a template did: the texts that it used, and the answers that it was given about them."""

    used: list[tuple[int, tuple[Step, ...]]] = field(default_factory=list)
    told: list[tuple[int, tuple[Step, ...], str, tuple[Any, ...], bool]] = field(default_factory=list)


class _Closed(str):
    """A text that nobody may look at; it can be written and lengthened."""

    def __add__(self, other: str) -> _Closed:
        return _Closed("".join((self, other)))

    def __radd__(self, other: str) -> _Closed:
        return _Closed("".join((other, self)))

    def __str__(self) -> str:
        return self


class _Noted(_Closed):
    """The content of one turn; its characters are a mark."""

    notes: _Notes
    place: int
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, notes: _Notes, place: int, steps: tuple[Step, ...] = ()) -> _Noted:
        """The content of the turn at `place` after these steps."""
        made = cls(f"{OPEN}{len(notes.used)}{CLOSE}")
        notes.used.append((place, steps))
        made.notes, made.place, made.steps = notes, place, steps
        return made


def _closed(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise _LooksClosely(name)
    return refuse


def _step(name: str) -> Callable[..., _Noted]:
    def stepped(self: _Noted, chars: str | None = None) -> _Noted:
        return _Noted.of(self.notes, self.place, (*self.steps, (name, (chars,))))
    return stepped


def _question(name: str, usual: bool) -> Callable[..., bool]:
    def asked(self: _Noted, *values: Any) -> bool:
        if any(isinstance(value, _Closed) or not isinstance(value, str) for value in values):
            raise _LooksClosely(name)
        self.notes.told.append((self.place, self.steps, name, values, usual))
        return usual
    return asked


_LEFT_ALONE = {"__new__", "__init__", "__class__", "__getattribute__", "__setattr__", "__delattr__", "__dir__",
               "__doc__", "__init_subclass__", "__subclasshook__", "__sizeof__", "__add__", "__str__", "__reduce__",
               "__reduce_ex__", "__getstate__", "__getnewargs__"}
for _name in {*dir(str), "__bool__", "__rmod__", "__rmul__"} - _LEFT_ALONE:
    setattr(_Closed, _name, _closed(_name))
for _name in ("strip", "lstrip", "rstrip"):
    setattr(_Noted, _name, _step(_name))
for _name, _usual in (("__contains__", False), ("startswith", False), ("endswith", False), ("__eq__", False),
                      ("__ne__", True), ("__bool__", True)):
    setattr(_Noted, _name, _question(_name, _usual))


class _Sums(NodeTransformer):
    """`a ~ b` as a sum of texts, which can be noted."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:
        """The terms as a list under the filter that joins them."""
        self.generic_visit(node)
        return nodes.Filter(nodes.List(node.nodes), "_joined", [], [], None, None, lineno=node.lineno)


class _NotingEnvironment(Environment):
    """The template language in which noted texts are handed only to what respects them."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = {name: call if name in _HARMLESS else _wary(call) for name, call in self.filters.items()}
        self.filters["_joined"] = _joined

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        if any(tree.find(kind) for kind in _UNNOTED):
            raise _LooksClosely("macro")
        return _Sums().visit(tree)


def _wary(call: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that refuses noted texts; jinja's own hints about its first argument are kept."""
    def wary(*values: Any, **named: Any) -> Any:
        if any(isinstance(one, _Closed) for one in (*values, *named.values())):
            raise _LooksClosely("filter")
        if any(isinstance(one, list | tuple) and any(isinstance(part, _Closed) for part in one) for one in values):
            raise _LooksClosely("filter")
        return call(*values, **named)

    if hasattr(call, "jinja_pass_arg"):
        wary.jinja_pass_arg = call.jinja_pass_arg  # type: ignore[attr-defined]
    return wary


def _joined(parts: Sequence[Any]) -> str:
    text = ""
    for part in parts:
        text = text + (part if isinstance(part, str) else str(part))
    return text


@dataclass(frozen=True, slots=True)
class _Segment:
    """A content's place, what is done to it, what stands before it, and whether an answer is expected there."""

    before: str
    place: int
    steps: tuple[Step, ...]
    opening: int | None


class Spelling:
    """The text of one sequence of roles, learned by heart."""

    def __init__(self, segments: Sequence[_Segment], rest: str, notes: _Notes) -> None:
        self._segments, self._rest = tuple(segments), rest
        self._told = tuple(notes.told)
        self.uses = 0
        self.posts: Signposts | None = None

    @property
    def fixed(self) -> list[tuple[str, int | None]]:
        """What is written before each content, and how much of its end belongs to an answer there; then the rest."""
        return [*((one.before, one.opening) for one in self._segments), (self._rest, None)]

    @classmethod
    def learned(cls, source: str, roles: Sequence[str], openings: Sequence[str], **values: Any) -> Spelling | None:
        """The spelling of turns with these roles; None when the template looks at contents too closely.

        `openings` are what the model says before the words of each answer, `values` what the template may mention.
        """
        notes = _Notes()
        turns = [{"role": role, "content": _Noted.of(notes, place)} for place, role in enumerate(roles)]
        try:
            text = _NotingEnvironment().from_string(source).render(messages=turns, **values)
        except (_LooksClosely, *REFUSALS):
            return None
        parts = _MARK.split(text)
        answers = [place for place, role in enumerate(roles) if role == "assistant"]
        segments = []
        for before, index in zip(parts[::2], parts[1::2], strict=False):
            place, steps = notes.used[int(index)]
            opening = openings[answers.index(place)] if place in answers else None
            length = len(opening) if opening and before.endswith(opening) else 0
            segments.append(_Segment(before, place, steps, None if opening is None else length))
        shown = [one.place for one in segments if one.opening is not None]
        return cls(segments, parts[-1], notes) if shown == answers and OPEN not in "".join(parts[::2]) else None

    def spelled(self, contents: Sequence[str]) -> tuple[str, list[Span]] | None:
        """The text of these contents and the answers' places; None when they are not of the usual kind."""
        for place, steps, question, values, usual in self._told:
            if _asked(_done(contents[place], steps), question, values) is not usual:
                return None
        text: list[str] = []
        spans: list[Span] = []
        at = 0
        for one in self._segments:
            content = contents[one.place]
            if one.steps:
                content = _done(content, one.steps)
            text += (one.before, content)
            at += len(one.before)
            if one.opening is not None:
                spans.append((at - one.opening, at + len(content)))
            at += len(content)
        text.append(self._rest)
        self.uses += 1
        return "".join(text), spans


def _done(content: str, steps: tuple[Step, ...]) -> str:
    for name, values in steps:
        content = getattr(content, name)(*values)
    return content


def _asked(content: str, question: str, values: tuple[Any, ...]) -> bool:
    return bool(content) if question == "__bool__" else bool(getattr(content, question)(*values))
