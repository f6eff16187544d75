"""HTML from values, as the page writes it: `studio.texts.markup` is the one place where text is escaped."""

from __future__ import annotations

from studio.texts.markup import Html, join, tag, text

__all__ = ["Html", "join", "tag", "text"]
