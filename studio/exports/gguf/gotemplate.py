"""A chat template in Ollama's language, made of what the template of training writes around marked words.

Nothing is guessed: what was made is rendered here and compared with the Jinja on conversations of every kind that
Ollama has, and a template that cannot be said is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from studio.data.jinja import REFUSALS
from studio.errors import InputError

Turn = tuple[str, str]
Render = Callable[[Sequence[Turn]], str]
PLAIN = "{{ .Prompt }}"
_MARK = "\ue000{}\ue001"
_TEXTS = ("12+3=?", "a {b} {{c}} %}", "Why?\n\nSo:\n1. x", "\uc548\ub155, \uc138\uacc4!", 'said "so" \\ it',
          "ok")


@dataclass(frozen=True)
class _Pieces:
    """What stands before the first question, around a system message, behind questions and answers."""

    head: str
    before_system: str | None
    after_system: str
    answer: str
    question: str
    last: str


def made(render: Render, begin: str = "") -> str:
    """The Go template for what `render` writes of (role, words) turns that end with a question.

    `begin` is left out where it stands first: Ollama puts the begin token there itself. Raises InputError
    ollama_template.
    """
    try:
        found = _pieces(render)
        text = _spelled(found, begin)
        _prove(text, render, begin, found.before_system is not None)
    except REFUSALS as error:
        raise InputError("ollama_template", reason=str(error) or type(error).__name__) from error
    return text


def _pieces(render: Render) -> _Pieces:
    """Read the pieces out of marked conversations; raises ValueError where they differ from turn to turn."""
    head, answer, question, again, between, last = _between(render, ("user", "assistant") * 2 + ("user",))
    first, only = _between(render, ("user",))
    if (head, answer, question, last) != (first, again, between, only):
        raise ValueError("turns")
    try:
        before, after, *_ = _between(render, ("system", "user"))
    except REFUSALS:
        return _Pieces(head, None, "", answer, question, last)
    return _Pieces(head, before, after, answer, question, last)


def _between(render: Render, roles: Sequence[str]) -> list[str]:
    """What is written before, between and behind the words of the turns; raises ValueError where some are not."""
    marks = [_MARK.format(place) for place in range(len(roles))]
    text, found = render(list(zip(roles, marks, strict=True))), []
    for mark in marks:
        before, there, text = text.partition(mark)
        if not there:
            raise ValueError(roles[marks.index(mark)])
        found.append(before)
    return [*found, text]


def _spelled(found: _Pieces, begin: str) -> str:
    head = _literal(found.head.removeprefix(begin))
    if found.before_system is not None:
        before, after = _literal(found.before_system.removeprefix(begin)), _literal(found.after_system)
        head = f"{{{{ if .System }}}}{before}{{{{ .System }}}}{after}{{{{ else }}}}{head}{{{{ end }}}}"
    return (head + "{{ range $i, $_ := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}"
            '{{ if eq .Role "user" }}{{ .Content }}'
            f"{{{{ if $last }}}}{_literal(found.last)}{{{{ else }}}}{_literal(found.answer)}{{{{ end }}}}"
            '{{ else if eq .Role "assistant" }}{{ .Content }}'
            f"{{{{ if not $last }}}}{_literal(found.question)}{{{{ end }}}}"
            "{{ end }}{{ end }}")


def _literal(text: str) -> str:
    """A text as a template has it: its own braces are said as a string."""
    return text.replace("{{", '{{ "{{" }}')


def _prove(text: str, render: Render, begin: str, with_system: bool) -> None:
    """Raises ValueError at the first conversation that the two spell differently."""
    for turns in _conversations(with_system):
        system = "\n\n".join(words for role, words in turns if role == "system")
        if rendered(text, system, [one for one in turns if one[0] != "system"]) != render(turns).removeprefix(begin):
            raise ValueError(" ".join(role for role, _ in turns))


def _conversations(with_system: bool) -> list[list[Turn]]:
    found: list[list[Turn]] = []
    for start in range(len(_TEXTS)):
        for turns in (1, 3, 5):
            words = [_TEXTS[(start + place) % len(_TEXTS)] for place in range(turns + 1)]
            talk = [("assistant" if place % 2 else "user", words[place]) for place in range(turns)]
            found += [talk, [("system", words[-1]), *talk]] if with_system else [talk]
    return found


# ---- rendering ----

_TAG = re.compile(r"\{\{ (.*?) \}\}", re.DOTALL)


def rendered(template: str, system: str, messages: Sequence[Turn]) -> str:
    """What Ollama makes of a template that `made` wrote; raises ValueError for other templates."""
    nodes, rest = _parsed([*_tokens(template)], 0)
    if rest:
        raise ValueError("end")
    return _run(nodes, {".System": system, ".Messages": messages})


def _tokens(template: str) -> list[tuple[bool, str]]:
    """(whether it is an action, text) of all parts."""
    parts = _TAG.split(template)
    return [(place % 2 == 1, part) for place, part in enumerate(parts) if part or place % 2]


def _parsed(tokens: list[tuple[bool, str]], at: int) -> tuple[list[Any], list[str]]:
    """The nodes up to the end of a block, and the words that ended it; [] at the end of the template."""
    nodes: list[Any] = []
    while tokens:
        action, text = tokens.pop(0)
        if not action:
            nodes.append(text)
        elif text.startswith(("if ", "range ")):
            nodes.append(_block(text, tokens))
        elif text == "end" or text.startswith("else"):
            return nodes, text.split(" ", 2)
        else:
            nodes.append(("say", text))
    return nodes, []


def _block(opening: str, tokens: list[tuple[bool, str]]) -> tuple[Any, ...]:
    kind, _, about = opening.partition(" ")
    inner, ended = _parsed(tokens, 0)
    other: list[Any] = []
    if ended[:2] == ["else", "if"]:
        other = [_block(f"if {ended[2]}", tokens)]
    elif ended == ["else"]:
        other, ended = _parsed(tokens, 0)
    return (kind, about, inner, other)


def _run(nodes: Sequence[Any], values: dict[str, Any]) -> str:
    found = []
    for node in nodes:
        if isinstance(node, str):
            found.append(node)
        elif node[0] == "say":
            found.append(_said(node[1], values))
        elif node[0] == "if":
            found.append(_run(node[2] if _holds(node[1], values) else node[3], values))
        else:
            for place, (role, words) in enumerate(values[".Messages"]):
                inner = {**values, ".Role": role, ".Content": words, "last": place == len(values[".Messages"]) - 1}
                found.append(_run(node[2], inner))
    return "".join(found)


def _said(text: str, values: dict[str, Any]) -> str:
    if text.startswith("$last := "):
        return ""
    return text[1:-1] if text.startswith('"') else str(values[text])


def _holds(condition: str, values: dict[str, Any]) -> bool:
    if condition.startswith('eq .Role "'):
        return bool(values[".Role"] == condition[10:-1])
    return bool({"$last": values.get("last"), "not $last": not values.get("last"),
                 ".System": values.get(".System")}[condition])
