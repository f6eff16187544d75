"""A model's words as HTML that cannot do anything: Markdown and maths by mdtex2html, then only what is listed here.

mdtex2html hands raw HTML through, and the MathML it writes does not escape what stands in `\\text{…}`. So no `<`
reaches it (a sign that no text uses stands in its place), and of what comes out only known elements are written again,
without any attribute but those listed; links lead only to http, https and mailto, pictures become their words.
"""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from typing import Any

from studio.texts.markup import Html, join, tag, text

MOST = 4_000  # characters of one text; what is longer is shown as it was written
MOST_FORMULAS = 60  # they are read one within the other
MOST_MARKS = 200  # brackets, ticks, openings of formulas: the search for their ends is quadratic in them
_MARKS = ("[", "`", "\\(", "\\[")
_LESS, _AND, _DOLLAR = "\ue0f1", "\ue0f2", "\ue0f3"
_STAND_INS = {ord(_LESS): "\ufffd", ord(_AND): "\ufffd", ord(_DOLLAR): "\ufffd", 0: "\ufffd"}
_BACK = {ord(_LESS): "<", ord(_AND): "&", ord(_DOLLAR): "$", 0x200B: None}
_BROKEN = 'class="tooltip"'  # how mdtex2html marks a formula that it cannot read
_EXTENSIONS = ["fenced_code", "tables", "nl2br", "sane_lists"]
_WORD_NAMES = "p|br|em|strong|code|pre|ul|ol|li|blockquote|hr|table|thead|tbody|tr|th|td|a|div|del"
_MATHS_NAMES = (
    "math|mrow|mi|mn|mo|ms|mtext|mspace|mfrac|msqrt|mroot|msub|msup|msubsup|munder|mover|munderover|mmultiscripts|"
    "mprescripts|none|mtable|mtr|mtd|mpadded|mphantom|mstyle|merror|menclose"
)
_LOOK_NAMES = (
    "accent|accentunder|columnalign|columnlines|columnspacing|depth|display|displaystyle|fence|form|height|largeop|"
    "linethickness|lspace|mathvariant|maxsize|minsize|movablelimits|notation|rowlines|rowspacing|rspace|scriptlevel|"
    "separator|stretchy|symmetric|voffset|width"
)
_WORDS, _MATHS, _LOOKS = (frozenset(names.split("|")) for names in (_WORD_NAMES, _MATHS_NAMES, _LOOK_NAMES))
_EMPTY = frozenset(("br", "hr"))
_SILENT = frozenset(("script", "style"))
_HEADING = re.compile(r"h[1-6]\Z")
_ADDRESS = re.compile(r"(?:https?://|mailto:)\S+\Z", re.I)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.S)
_DOLLARS = re.compile(r"\$\$.+?\$\$|\$[^$\n]*\$|\$", re.S)
_FORMULA = re.compile(r"(\$\$.+?\$\$|\$[^$\n]*\$|\\\[.+?\\\]|\\\(.+?\\\))", re.S)


def render(words: str) -> Html:
    """A text with its Markdown and formulas; one that is too long or cannot be read, as it was written."""
    if not words.strip():
        return Html("")
    if len(words) > MOST or any(words.count(mark) > MOST_MARKS for mark in _MARKS) \
            or len(_FORMULA.findall(words)) > MOST_FORMULAS:
        return as_written(words)
    try:
        made = _converted(_guarded(words))
    except Exception:  # the libraries have no error of their own: a wrong formula ends in any of a dozen
        return as_written(words)
    if _BROKEN in made:
        return as_written(words)
    writer = _Allowed()
    writer.feed(made)
    return writer.html()


def as_written(words: str) -> Html:
    """A text sign by sign."""
    return tag("pre", words, class_="as-written")


def _converted(words: str) -> str:
    import mdtex2html

    return str(mdtex2html.convert(words, extensions=_EXTENSIONS))


def _guarded(words: str) -> str:
    """A text in which nothing opens a tag or an entity, and single dollars that are prices open no formula."""
    words = words.translate(_STAND_INS).replace("\r\n", "\n").replace("<", _LESS)
    parts, last = [], 0
    for code in _CODE.finditer(words):
        parts += [_outside_code(words[last:code.start()]), code[0].replace("&", _AND).replace("$", _DOLLAR)]
        last = code.end()
    return "".join([*parts, _outside_code(words[last:])])


def _outside_code(words: str) -> str:
    words = _DOLLARS.sub(_price, words)
    return "".join(part if place % 2 else part.replace("&", _AND) for place, part in enumerate(_FORMULA.split(words)))


def _price(found: re.Match[str]) -> str:
    whole = found[0]
    inside, after = whole.strip("$"), found.string[found.end():found.end() + 1]
    if whole.startswith("$$") and len(whole) > 4:
        return whole
    is_formula = len(whole) > 2 and not inside[:1].isspace() and not inside[-1:].isspace() and not after.isdigit()
    return whole if is_formula else whole.replace("$", _DOLLAR)


class _Allowed(HTMLParser):
    """Writes again what is allowed, text escaped, every element closed in its order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[Html] = []
        self._open: list[tuple[str, str]] = []  # (as it was called, as it is written)
        self._silent = 0

    def html(self) -> Html:
        """All that was written, everything closed."""
        self.close()
        while self._open:
            self._shut()
        return join(*self._parts)

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        """Open an element, if it is one of those that may be."""
        self._silent += name in _SILENT
        kept: dict[str, Any] = {}
        given = {key: value or "" for key, value in attributes}
        written = name
        if _HEADING.match(name):
            written, kept = "p", {"class_": "heading"}
        elif name == "a":
            if not _ADDRESS.match(given.get("href", "").strip()):
                return
            kept = {"href": given["href"].strip(), "rel": "noopener noreferrer"}
        elif name in _MATHS:
            kept = {key: value for key, value in given.items() if key in _LOOKS and value}
        elif name == "img":
            self.handle_data(given.get("alt", ""))
            return
        elif name not in _WORDS:
            return
        made = tag(written, **kept)
        if name in _EMPTY:
            self._parts.append(Html(made.removesuffix(f"</{written}>")))
            return
        self._parts.append(Html(made.removesuffix(f"</{written}>")))
        self._open.append((name, written))

    def handle_endtag(self, name: str) -> None:
        """Close an element that is open, and what is open within it."""
        self._silent -= bool(self._silent and name in _SILENT)
        if any(name == one for one, _ in self._open):
            while self._shut() != name:
                pass

    def handle_data(self, data: str) -> None:
        """Write text."""
        if not self._silent:
            self._parts.append(text(data.translate(_BACK)))

    def _shut(self) -> str:
        name, written = self._open.pop()
        self._parts.append(_closing(written))
        return name


@cache
def _closing(name: str) -> Html:
    return Html(tag(name)[len(name) + 2:])
