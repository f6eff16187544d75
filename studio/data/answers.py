"""Where in a rendered conversation the assistant's words stand, whatever the template does.

A conversation is rendered a second time with marks in the place of contents. What stands around a mark is the
template's; what stands in the place of a mark in the true rendering is the content as the template shows it. Common
templates need the marked rendering once per sequence of roles; those that look into contents (and cut white space or
drop earlier thinking) are marked conversation by conversation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Protocol

from studio.data.jinja import REFUSALS
from studio.data.turns import CLOSE, OPEN, Turn, is_plain, mark, marked

Span = tuple[int, int]


class Render(Protocol):
    """A template at work."""

    def __call__(self, turns: Sequence[Turn], add_generation_prompt: bool = False) -> str:
        """The turns as text, with the opening of a next answer if asked for."""


class AnswerFinder:
    """Finds answers in the renderings of one template; `render` may raise, which `spans` lets pass."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._pieces: dict[tuple[str, ...], tuple[str, ...] | None] = {}
        self._openings: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._trims = False

    def spans(self, turns: Sequence[Turn], full: str, render: Render | None = None,
              tail: Callable[[str], int] | None = None) -> list[Span] | None:
        """The (start, end) of what the assistant says in each of its turns in `full`, their rendering.

        That is its words and what the template makes it say before them. None when an answer cannot be told. A
        conversation with tools or thinking needs the `render` that it was rendered with, and `tail`, which tells how
        much of a text that follows the last thing said belongs to the turn.
        """
        if render is not None and tail is not None:
            return _in_order([_said(render, turns, place, full, tail) for place, turn in enumerate(turns)
                              if turn["role"] == "assistant"])
        roles = tuple(turn["role"] for turn in turns)
        found = self._words(roles, turns, full)
        if found is None or not any(self.openings(roles)):
            return found
        return [(_opened(full, start, opening), end)
                for (start, end), opening in zip(found, self.openings(roles), strict=True)]

    def openings(self, roles: tuple[str, ...]) -> tuple[str, ...]:
        """What the template writes after its generation prompt and before the words of each assistant turn.

        The generation prompt ends sooner in templates that let the model open an empty thinking part or a channel
        itself: a model that is to get from the prompt to the words must learn to say that too. White space alone is
        no opening; there is none where the generation prompt says something else or the template has none.
        """
        if roles not in self._openings:
            pieces = self.pieces(roles)
            places = [place for place, role in enumerate(roles) if role == "assistant"]
            self._openings[roles] = tuple(self._opening(roles[:place], pieces[place]) if pieces else ""
                                          for place in places)
        return self._openings[roles]

    def _opening(self, roles: tuple[str, ...], piece: str) -> str:
        if not roles:
            return ""
        try:
            asked, plain = (self._render(_marks(roles), add_generation_prompt=one) for one in (True, False))
        except REFUSALS:
            return ""
        prompt = asked.rpartition(mark(len(roles) - 1))[2]
        rest = piece[len(prompt):] if asked != plain and piece.startswith(prompt) else ""
        return rest if rest.strip() else ""

    def _words(self, roles: tuple[str, ...], turns: Sequence[Turn], full: str) -> list[Span] | None:
        pieces = self.pieces(roles)
        if pieces:
            plain = [turn["content"] for turn in turns]
            for trims in (self._trims, not self._trims):
                found = _fit(pieces, turns, [one.strip() for one in plain] if trims else plain, full)
                if found is not None:
                    self._trims = trims
                    return found
        return _in_order([_one(self._render, turns, place, full) for place, turn in enumerate(turns)
                          if turn["role"] == "assistant"])

    def pieces(self, roles: tuple[str, ...]) -> tuple[str, ...] | None:
        """What the template writes around the contents of turns with these roles: one piece more than turns.

        None when the template refuses the roles or does not write every content once and in order.
        """
        if roles not in self._pieces:
            self._pieces[roles] = self._marked(roles)
        return self._pieces[roles]

    def _marked(self, roles: tuple[str, ...]) -> tuple[str, ...] | None:
        rest = self._render(_marks(roles))
        pieces = []
        for place in range(len(roles)):
            piece, found, rest = rest.partition(mark(place))
            if not found:
                return None
            pieces.append(piece)
        pieces.append(rest)
        return tuple(pieces) if OPEN not in "".join(pieces) else None


def _in_order(each: Sequence[Span | None]) -> list[Span] | None:
    """The spans when all are there, one after the other."""
    found = [span for span in each if span is not None]
    ordered = all(left[1] <= right[0] for left, right in itertools.pairwise(found))
    return found if len(found) == len(each) and ordered else None


def _one(render: Render, turns: Sequence[Turn], place: int, full: str) -> Span | None:
    """The words at `place`, from a rendering in which only this content is a mark."""
    content = turns[place]["content"]
    text = render([{**turn, "content": mark(place)} if turn is turns[place] else turn for turn in turns])
    if text.count(mark(place)) != 1:
        return None
    before, _, after = text.partition(mark(place))
    start = _common(before, full)
    end = len(full) - _common(after[::-1], full[::-1])
    return _whole(full, start, end, content) or _part(full, start, end, content)


def _said(render: Render, turns: Sequence[Turn], place: int, full: str, tail: Callable[[str], int]) -> Span | None:
    """Everything that the model has to say at `place`: from the generation prompt to the end of words or calls."""
    if is_plain([turns[place]]):
        span = _one(render, turns, place, full)
        return span and (_lead(render, turns, place, full, span[0]), span[1])
    text = render([*turns[:place], marked(turns[place], place), *turns[place + 1:]])
    first, last = text.find(OPEN), text.rfind(CLOSE) + 1
    if first < 0 or not full.startswith(text[:first]):
        return None
    after = text[last:]
    end = len(full) - _common(after[::-1], full[::-1])
    changed = len(after) - (len(full) - end)  # the mark of an argument stands in quotes, a number does not
    if end < first or changed > 2:
        return None
    if turns[place].get("tool_calls"):
        shown = sum(text.count(mark(f"{place}.{at}.name")) == 1 for at in range(len(turns[place]["tool_calls"])))
        if shown < len(turns[place]["tool_calls"]):
            return None
        end += tail(_until_next(render, turns, place, after)) - changed
    return _lead(render, turns, place, full, first), end


def _until_next(render: Render, turns: Sequence[Turn], place: int, after: str) -> str:
    """What of the text behind a turn's words stands before the words of the next turn."""
    if place + 1 == len(turns) or not turns[place + 1]["content"]:
        return after
    text = render([*turns[:place], marked(turns[place], place), {**turns[place + 1], "content": mark(place + 1)},
                   *turns[place + 2:]])
    return text[text.rfind(CLOSE, 0, text.find(mark(place + 1))) + 1:].partition(mark(place + 1))[0]


def _lead(render: Render, turns: Sequence[Turn], place: int, full: str, start: int) -> int:
    """Where the model takes over from the template before the words at `start`; white space alone it need not say.

    What stands between the turn before and the words is compared with what follows that turn in a prompt.
    """
    if not place:
        return start
    before = [*turns[:place - 1], marked(turns[place - 1], place - 1)]
    try:
        asked, plain = (_behind(render(before, add_generation_prompt=one)) for one in (True, False))
        text = render([*before, *turns[place:]])
    except REFUSALS:
        return start
    piece = _behind(text[:len(text) - len(full) + start])
    if asked is None or plain is None or piece is None:
        return start
    begun = _common(asked, piece)
    if begun < len(plain) or (asked == plain and not turns[place].get("tool_calls")):
        return start
    if begun < len(asked):  # it went another way than the prompt: back to where a sign of the template ends
        begun = max([len(plain), *(piece.rfind(sign, len(plain), begun) + 1 for sign in "\n>]|")])
    return start - len(piece) + begun if piece[begun:].strip() else start


def _behind(text: str) -> str | None:
    """What stands behind the last mark."""
    _, found, rest = text.rpartition(CLOSE)
    return rest if found else None


def _opened(full: str, start: int, opening: str) -> int:
    """Where the opening of an answer begins; white space of the answer may stand between it and the words."""
    place = start
    while not full.endswith(opening, 0, place):
        if not full[place - 1:place].isspace():
            return start
        place -= 1
    return place - len(opening)


def _marks(roles: tuple[str, ...]) -> list[Turn]:
    return [{"role": role, "content": mark(place)} for place, role in enumerate(roles)]


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
