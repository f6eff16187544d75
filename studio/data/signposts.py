"""Signposts: an answer's tokens found by the special tokens around it, without asking where each token stands.

A template learned by heart writes a known order of special tokens. Where a row's tokens hold exactly those, the tokens
between two of them are the answer and what the template writes before it. Encoding without places is a tenth cheaper
than with them; whatever is not as expected is encoded the careful way.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from studio.data.answers import Span

# How often what the signposts say is compared with the careful way: at first, and then now and again.
_COMPARED_FIRST, _COMPARED_EVERY = 8, 256
_PROBES = ("Why?", "1", "\u00e9")
Fixed = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class _Answer:
    """The special tokens before and behind an answer, by their places in the order, and the tokens between."""

    before: int
    lead: tuple[int, ...]
    behind: int


class Signposts:
    """The special tokens of one sequence of roles; see `of`."""

    def __init__(self, order: Sequence[int], answers: Sequence[_Answer]) -> None:
        self._order, self._answers = tuple(order), tuple(answers)
        self._counts = tuple(Counter(order).items())
        self._uses = 0
        self.trusted = True

    @classmethod
    def of(cls, fixed: Sequence[Fixed], tokenizer: Tokenizer, ends: Collection[int]) -> Signposts | None:
        """The signposts of a text made of `fixed` texts with a content behind each but the last.

        With each stands how many of its last characters an answer that follows it begins with; None where no answer
        follows. None when an answer has no special token before it, or no end directly behind it.
        """
        signs = {token.content: one for one, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        eager = {token.content for token in tokenizer.get_added_tokens_decoder().values()
                 if token.lstrip or token.rstrip or token.single_word}
        pattern = re.compile("|".join(map(re.escape, sorted(signs, key=len, reverse=True))) or "(?!)")
        found = [list(pattern.finditer(text)) for text, _ in fixed]
        order = [signs[one.group()] for part in found for one in part]
        if any(one.group() in eager for part in found for one in part):
            return None
        answers, behind = [], 0
        for place, (text, opening) in enumerate(fixed):
            behind += len(found[place])
            if opening is None:
                continue
            following = found[place + 1]
            if not found[place] or not following or following[0].start() or order[behind] not in ends:
                return None
            sign = found[place][-1]
            lead = _lead(tokenizer, sign.group(), text[sign.end():len(text) - opening])
            if lead is None:
                return None
            answers.append(_Answer(behind - 1, lead, behind))
        return cls(order, answers)

    def spans(self, ids: list[int]) -> list[Span] | None:
        """The [start, end) tokens of each answer with its end token; None when the tokens are not as expected."""
        places, at = [], -1
        try:
            for sign in self._order:
                at = ids.index(sign, at + 1)
                places.append(at)
        except ValueError:
            return None
        if any(ids.count(sign) != count for sign, count in self._counts):
            return None
        spans = []
        for answer in self._answers:
            start = places[answer.before] + 1
            first = start + len(answer.lead)
            if tuple(ids[start:first]) != answer.lead:
                return None
            spans.append((first, places[answer.behind] + 1))
        return spans

    def due(self) -> bool:
        """Whether what is said of the next row is to be compared with the careful way."""
        self._uses += 1
        return self._uses <= _COMPARED_FIRST or self._uses % _COMPARED_EVERY == 0


def _lead(tokenizer: Tokenizer, sign: str, lead: str) -> tuple[int, ...] | None:
    """The tokens of what stands between a special token and an answer; None where the two cannot be parted."""
    found = set()
    for probe in _PROBES:
        encoding = tokenizer.encode(sign + lead + probe, add_special_tokens=False)
        stop = encoding.char_to_token(len(sign + lead))
        if stop is None or encoding.token_to_chars(stop)[0] < len(sign + lead):
            return None
        if lead and (stop < 2 or encoding.token_to_chars(1)[0] != len(sign)):
            return None
        found.add(tuple(encoding.ids[1:stop]))
    return found.pop() if len(found) == 1 else None
