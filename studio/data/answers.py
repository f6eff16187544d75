"""Where in a rendered conversation the assistant's words stand, whatever the template does.

A conversation is rendered a second time with marks in the place of contents. What stands around a mark is the
template's; what stands in the place of a mark in the true rendering is the content as the template shows it. Common
templates need the marked rendering once per sequence of roles; those that look into contents (and cut white space or
drop earlier thinking) are marked conversation by conversation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

Turn = dict[str, str]
Span = tuple[int, int]
Render = Callable[[Sequence[Turn]], str]
OPEN, CLOSE = "\uf8e1", "\uf8e2"


def mark(place: int) -> str:
    """A text that no content has, for the content of the turn at `place`."""
    return f"{OPEN}{place}{CLOSE}"


class AnswerFinder:
    """Finds answers in the renderings of one template; `render` may raise, which `spans` lets pass."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._pieces: dict[tuple[str, ...], tuple[str, ...] | None] = {}
        self._clean: Callable[[str], str] = str

    def spans(self, turns: Sequence[Turn], full: str) -> list[Span] | None:
        """The (start, end) of each assistant turn's words in `full`, its rendering; None when one cannot be told."""
        pieces = self.pieces(tuple(turn["role"] for turn in turns))
        if pieces:
            for clean in (self._clean, str, str.strip):
                found = _fit(pieces, turns, [clean(turn["content"]) for turn in turns], full)
                if found is not None:
                    self._clean = clean
                    return found
        each = [self._one(turns, place, full) for place, turn in enumerate(turns) if turn["role"] == "assistant"]
        found = [span for span in each if span is not None]
        ordered = all(left[1] <= right[0] for left, right in itertools.pairwise(found))
        return found if len(found) == len(each) and ordered else None

    def pieces(self, roles: tuple[str, ...]) -> tuple[str, ...] | None:
        """What the template writes around the contents of turns with these roles: one piece more than turns.

        None when the template refuses the roles or does not write every content once and in order.
        """
        if roles not in self._pieces:
            self._pieces[roles] = self._marked(roles)
        return self._pieces[roles]

    def _marked(self, roles: tuple[str, ...]) -> tuple[str, ...] | None:
        rest = self._render([{"role": role, "content": mark(place)} for place, role in enumerate(roles)])
        pieces = []
        for place in range(len(roles)):
            piece, found, rest = rest.partition(mark(place))
            if not found:
                return None
            pieces.append(piece)
        pieces.append(rest)
        return tuple(pieces) if OPEN not in "".join(pieces) else None

    def _one(self, turns: Sequence[Turn], place: int, full: str) -> Span | None:
        """The answer at `place`, from a rendering in which only this content is a mark."""
        content = turns[place]["content"]
        marked = [{**turn, "content": mark(place)} if turn is turns[place] else turn for turn in turns]
        text = self._render(marked)
        if text.count(mark(place)) != 1:
            return None
        before, _, after = text.partition(mark(place))
        start = _common(before, full)
        end = len(full) - _common(after[::-1], full[::-1])
        return _whole(full, start, end, content) or _part(full, start, end, content)


def _fit(pieces: Sequence[str], turns: Sequence[Turn], contents: Sequence[str], full: str) -> list[Span] | None:
    """The answers' places if `full` is just these contents between the pieces."""
    found, text, at = [], [pieces[0]], len(pieces[0])
    for turn, content, piece in zip(turns, contents, pieces[1:], strict=True):
        if turn["role"] == "assistant":
            found.append((at, at + len(content)))
        text += (content, piece)
        at += len(content) + len(piece)
    return found if at == len(full) and "".join(text) == full else None


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    if other.startswith(one):
        return len(one)
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(other))


def _whole(full: str, start: int, end: int, content: str) -> Span | None:
    """The span of the whole content, with or without the white space around it, that ends where the marks end."""
    words = content.strip()
    if full[start:end] in (content, words):
        return start, end
    stop = len(full[:end].rstrip())
    first = stop - len(words)
    if words and first >= 0 and full.startswith(words, first):
        return first, stop
    return _respaced(full, start, stop, words)


def _respaced(full: str, start: int, stop: int, words: str) -> Span | None:
    """The span of a content whose white space the template set anew, as templates do around a thinking part."""
    wanted = "".join(words.split())
    for first in range(max(0, start - 64), min(start + 1, stop)):
        if not full[first].isspace() and "".join(full[first:stop].split()) == wanted:
            return first, stop
    return None


def _part(full: str, start: int, end: int, content: str) -> Span | None:
    """The span of what the template left of a content, such as an earlier answer without its thinking."""
    shown = full[start:end].strip()
    if not shown or shown not in content:
        return None
    first = full.index(shown, start)
    return first, first + len(shown)
