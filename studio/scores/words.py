"""What differs between two answers, word by word; Chinese and Japanese by character."""

from __future__ import annotations

import difflib
import re

SAME, GONE, NEW = "same", "gone", "new"
MOST = 1_500  # words of a side; the comparison takes the square of that
_WORD = re.compile(r"\d+(?:\.\d+)?|[^\W\d_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+|\s+|.", re.S)


def difference(before: str, after: str) -> list[tuple[str, str]]:
    """(same, gone or new; text) in reading order; very long texts are told as one that went and one that came."""
    if before == after:
        return [(SAME, after)] if after else []
    one, other = _WORD.findall(before), _WORD.findall(after)
    if len(one) > MOST or len(other) > MOST:
        return [(kind, text) for kind, text in ((GONE, before), (NEW, after)) if text]
    found: list[tuple[str, str]] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append((SAME, "".join(one[a:b])))
            continue
        found += [(way, text) for way, text in ((GONE, "".join(one[a:b])), (NEW, "".join(other[c:d]))) if text]
    return found
