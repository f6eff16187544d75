"""Formulas in a model's words: found by `$…$`, `$$…$$`, `\\(…\\)` and `\\[…\\]`, drawn by the browser as MathML.

The library that turns LaTeX into MathML writes what stands in `\\text{…}` without escaping it, and lets `\\href` and
`\\style` through; so its tree is taken, not its text, and only what is listed here is written.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from typing import Any

from studio.ui.markup import Html, tag, text

# A longer formula is shown as it was written.
MOST = 2_000
_PAIRS = (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$"))
_NAMES = (
    "math|mrow|mi|mn|mo|ms|mtext|mspace|mfrac|msqrt|mroot|msub|msup|msubsup|munder|mover|munderover|mmultiscripts"
    "|mprescripts|none|mtable|mtr|mtd|mpadded|mphantom|mstyle|merror|menclose"
)
_LOOKS = (
    "accent|accentunder|columnalign|columnlines|columnspacing|depth|display|displaystyle|fence|form|height"
    "|largeop|linethickness|lspace|mathvariant|maxsize|minsize|movablelimits|notation|rowlines|rowspacing|rspace"
    "|scriptlevel|separator|stretchy|symmetric|voffset|width"
)
_ELEMENTS, _ATTRIBUTES = frozenset(_NAMES.split("|")), frozenset(_LOOKS.split("|"))
_NUMBER_AFTER = re.compile(r"\d")


def inline(state: Any, silent: bool) -> bool:
    """The parser's rule for a formula within a line."""
    source, at = state.src, state.pos
    for opens, closes in _PAIRS:
        if source.startswith(opens, at):
            begin = at + len(opens)
            end = source.find(closes, begin)
            formula = source[begin:end] if end > begin else ""
            if not formula.strip() or (opens == "$" and not _is_formula(source, begin, end)):
                continue
            if not silent:
                token = state.push("maths_wide" if opens in ("$$", "\\[") else "maths", "math", 0)
                token.content = formula.strip()
            state.pos = end + len(closes)
            return True
    return False


def _is_formula(source: str, begin: int, end: int) -> bool:
    """Whether single dollars hold a formula and not two prices."""
    inside = source[begin:end]
    after = source[end + 1 : end + 2]
    return not (inside[0].isspace() or inside[-1].isspace() or _NUMBER_AFTER.match(after) or "\n\n" in inside)


def block(state: Any, first: int, last: int, silent: bool) -> bool:
    """The parser's rule for a formula that has lines of its own."""
    begin = state.bMarks[first] + state.tShift[first]
    opens = state.src[begin : begin + 2]
    closes = {"$$": "$$", "\\[": "\\]"}.get(opens)
    if closes is None:
        return False
    end = state.src.find(closes, begin + 2, state.eMarks[last - 1])
    if end < 0:
        return False
    line = next(number for number in range(first, last) if end <= state.eMarks[number])
    if state.src[end + 2 : state.eMarks[line]].strip(" .,;:"):
        return False  # words go on behind it: a formula within a line
    if silent:
        return True
    token = state.push("maths_wide", "math", 0)
    token.block, token.map = True, [first, line + 1]
    token.content = state.src[begin + 2 : end].strip()
    state.line = line + 1
    return True


@lru_cache(maxsize=512)
def drawn(formula: str, wide: bool = False) -> Html:
    """A formula as MathML; one that cannot be read, as it was written."""
    written = tag("code", formula, class_="formula")
    if len(formula) > MOST:
        return written
    from latex2mathml.converter import convert_to_element

    try:
        tree = convert_to_element(formula, display="block" if wide else "inline")
        return tag("span", _shown(tree), class_="formula wide" if wide else "formula", title=formula)
    except Exception:  # the library has no error of its own: a wrong formula ends in any of a dozen
        return written


def _shown(element: Any) -> Html:
    """An element with what is allowed of it; whatever else it is called, its inside alone."""
    inside = [text(unescape(unescape(element.text or "")))]
    for child in element:
        inside += [_shown(child), text(unescape(child.tail or ""))]
    name = element.tag.rpartition("}")[2]
    if name not in _ELEMENTS:
        return Html("".join(inside))
    kept = {key: value for key, value in element.attrib.items() if key in _ATTRIBUTES}
    return tag(name, *inside, **kept)
