"""Text that was read in the wrong encoding once: UTF-8 as Latin letters or as GBK, or with replacement signs.

What can be undone is undone by ftfy, and for UTF-8 read as GBK by turning the mistake round.
"""

from __future__ import annotations

import re

from studio.plugins.checks import Case, Values, shown

ORDER = 55
SEVERITY = "warning"
FIX = "mend"
NEEDS = ""

# The replacement sign, and what GBK makes of two of them (U+951F U+65A4 U+62F7) or of unset memory.
_LOST = re.compile(r"\ufffd|(?:\u951f\u65a4\u62f7)+|\u70eb\u70eb\u70eb|\u5c6f\u5c6f\u5c6f")
_GBK_RUN = re.compile(r"[^\x00-\x7f]{3,}")
_CHINESE = re.compile(r"[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef\u2014\u2018-\u201d\u2026]{2,}")


def see(case: Case) -> Values | None:
    """A damaged piece."""
    text = case.text
    if text.isascii():
        return None
    lost = _LOST.search(text)
    if lost:
        return {"text": shown(text[max(0, lost.start() - 16):lost.end() + 16])}
    mended = mend(text)
    if mended == text:
        return None
    place = next((at for at, (one, other) in enumerate(zip(text, mended, strict=False)) if one != other), 0)
    return {"text": shown(text[max(0, place - 16):place + 24])}


def mend(text: str) -> str:
    """The text as it was meant; unchanged where nothing is certain."""
    if text.isascii():
        return text
    from ftfy import fix_encoding
    from ftfy.badness import is_bad

    if is_bad(text):
        fixed = fix_encoding(text)
        if "\ufffd" not in fixed:
            text = fixed
    return _GBK_RUN.sub(_turned_round, text)


def _turned_round(run: re.Match[str]) -> str:
    """UTF-8 that was read as GBK, as it was; other text stays.

    The GBK bytes of Chinese that was read right are next to never UTF-8, and never that of Chinese throughout.
    """
    found = run[0]
    try:
        back = found.encode("gb18030").decode("utf-8")
    except UnicodeError:
        return found
    return back if _CHINESE.fullmatch(back) else found
