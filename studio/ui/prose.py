"""A model's words as HTML: Markdown, maths and code, block by block; markup that a model writes is shown, never run.

Three things that a model may write are not done: HTML (it is escaped), pictures (they stay links, since fetching one
calls another machine) and addresses other than http, https and mailto (they stay text).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from studio.texts import say
from studio.ui import maths
from studio.ui.markup import Html, join, tag

# A block longer than this is shown as it was written: the parser's time grows faster than the text.
MOST = 20_000
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_GOES_ON = re.compile(r"^(?:\s|[-*+] |\d{1,9}[.)] |>|\|)")
_ADDRESS = re.compile(r"(?:https?://|mailto:)[^\s]+\Z", re.IGNORECASE)
_MATHS_ENDS = ("$$", "\\]")


def render(text: str, lang: str) -> Html:
    """A whole text."""
    return join(*blocks(text, lang))


def blocks(text: str, lang: str) -> list[Html]:
    """A text's blocks in their order; of a growing text all but the last stay as they are, and are rendered once."""
    return [_block(source, lang) for source in split(text)]


def split(text: str) -> list[str]:
    """The sources of a text's blocks: cut at empty lines, never within a fence, maths, a list or a table."""
    found: list[list[str]] = [[]]
    closes = ""  # what ends the fence or the maths that is open
    for line in text.replace("\r\n", "\n").split("\n"):
        if closes:
            closes = "" if _ends(line, closes) else closes
        else:
            if not line.strip():
                found[-1].append(line)
                continue
            if found[-1] and not found[-1][-1].strip() and not _GOES_ON.match(line):
                found.append([])
            closes = _opened(line)
        found[-1].append(line)
    return [source for lines in found if (source := "\n".join(lines).strip("\n")).strip()]


def _opened(line: str) -> str:
    """What a line leaves open: the mark of its fence or of its maths."""
    fence = _FENCE.match(line)
    if fence:
        return fence[1]
    if line.count("$$") % 2:
        return "$$"
    return "\\]" if line.rfind("\\[") > line.rfind("\\]") else ""


def _ends(line: str, closes: str) -> bool:
    if closes in _MATHS_ENDS:
        return closes in line
    bare = line.strip()
    return len(bare) >= len(closes) and set(bare) == {closes[0]}


@lru_cache(maxsize=4096)
def _block(source: str, lang: str) -> Html:
    if len(source) > MOST:
        return tag("pre", source, class_="as-written")
    return Html(_parser().render(source, {"lang": lang}))


@cache
def _parser() -> Any:
    """The parser, with our rules; imported when the first answer is shown."""
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 30})
    made.enable(["table", "strikethrough"])
    made.validateLink = lambda url: bool(_ADDRESS.match(url.strip()))  # type: ignore[method-assign]
    made.inline.ruler.before("escape", "maths", maths.inline)
    made.block.ruler.before("fence", "maths", maths.block, {"alt": ["paragraph", "list", "blockquote"]})
    for name, rule in _RULES.items():
        made.add_render_rule(name, rule)
    return made


def _code(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    """Code with what it is written in, and a press that copies it."""
    token, lang = tokens[at], env["lang"]
    kind = (token.info or "").strip().split(" ")[0][:24]
    copy = tag("button", say(lang, "page.prose.copy"), type="button", class_="tool", data_copy_code=True)
    head = tag("div", tag("span", kind, class_="quiet"), copy, class_="code-head")
    return tag("div", head, tag("pre", tag("code", token.content.rstrip("\n")), tabindex="0"), class_="code-block")


def _link(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    """A link that opens a page of its own and tells it nothing."""
    opened = tag("a", href=tokens[at].attrGet("href"), target="_blank", rel="noopener noreferrer")
    return opened.removesuffix("</a>")


def _picture(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    """A picture as a link to it."""
    token = tokens[at]
    address = token.attrGet("src") or ""
    return tag("a", token.content or address, href=address, target="_blank", rel="noopener noreferrer")


def _formula(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    token = tokens[at]
    return maths.drawn(token.content, wide=token.type == "maths_wide")


def _table_opens(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    return '<div class="scroll" tabindex="0"><table>'


def _table_closes(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    return "</table></div>"


_RULES = {
    "fence": _code,
    "code_block": _code,
    "link_open": _link,
    "image": _picture,
    "maths": _formula,
    "maths_wide": _formula,
    "table_open": _table_opens,
    "table_close": _table_closes,
}
