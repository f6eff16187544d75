"""Which language a text is written in, as far as its letters tell: zh, en (any Latin text) or other."""

from __future__ import annotations

import re

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_OTHER = re.compile(r"[\u0370-\u1fff\u3040-\u30ff\uac00-\ud7af]")
_MOST = 20_000  # characters that are looked at


def language(text: str) -> str:
    """zh, en or other: the script with the most weight; a Chinese character weighs as much as three letters."""
    shown = text[:_MOST]
    if shown.isascii():
        return "en" if _LATIN.search(shown) else "other"
    han, latin, other = 3 * len(_HAN.findall(shown)), len(_LATIN.findall(shown)), 2 * len(_OTHER.findall(shown))
    if max(han, latin, other) == 0 or other > max(han, latin) or other > 0.3 * han > 0.3 * latin:
        return "other"
    return "zh" if han >= latin else "en"
