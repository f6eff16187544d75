"""HTML from values: the one place where text is escaped; everything else builds on `tag`."""

from __future__ import annotations

from html import escape
from typing import Any


class Html(str):
    """Text that is already HTML; only this module makes it."""


def text(value: Any) -> Html:
    """A value as it may stand in HTML."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def tag(name: str, /, *inside: Any, **attributes: Any) -> Html:
    """An element; `class_` is class, `data_run` is data-run, None and False leave an attribute out."""
    written = "".join(
        _attribute(key, value) for key, value in attributes.items() if value is not None and value is not False
    )
    return Html(f"<{name}{written}>{join(*inside)}</{name}>")


def join(*parts: Any) -> Html:
    """Several pieces one after the other; None says nothing."""
    return Html("".join(text(part) for part in parts if part is not None))


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
