"""Words of components: said once when built, said again for all in one event, in the served page too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from studio.texts import LANGUAGES, say

Said = str | Callable[[str], Any]


class Words:
    """Every component that carries words, with what it says in each language; values of fields are never touched."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._said: list[tuple[Any, Mapping[str, Said]]] = []
        self._first: list[tuple[Any, Mapping[str, Said]]] = []

    def __call__(self, kind: Callable[..., Any], said: Mapping[str, Said], **props: Any) -> Any:
        """Build a component; `said` maps its properties to sentence keys or to functions of the language."""
        component = kind(**spoken(said, self.lang), **props)
        self._said.append((component, said))
        return component

    def first(self, kind: Callable[..., Any], said: Mapping[str, Said], **props: Any) -> Any:
        """Build a component that speaks so in the page as it is first served; from then on its own events speak."""
        component = kind(**spoken(said, self.lang), **props)
        self._first.append((component, said))
        return component

    @property
    def components(self) -> list[Any]:
        """The outputs of the relabelling event."""
        return [component for component, _ in self._said]

    def again(self, lang: str) -> list[Any]:
        """One update per component: its words and nothing else."""
        return [gr.update(**spoken(said, lang)) for _, said in self._said]

    def of_config(self, lang: str) -> dict[int, dict[str, Any]]:
        """The same by component id, for the page as it is first served."""
        return {component._id: spoken(said, lang) for component, said in (*self._said, *self._first)}


def spoken(said: Mapping[str, Said], lang: str) -> dict[str, Any]:
    """Properties of a component in one language."""
    return {name: say(lang, words) if isinstance(words, str) else words(lang) for name, words in said.items()}


def preferred(accepted: str, fallback: str) -> str:
    """The first of our languages in an Accept-Language header, else the fallback."""
    for part in accepted.split(","):
        wanted = part.split(";")[0].strip().lower().split("-")[0]
        if wanted in LANGUAGES:
            return wanted
    return fallback
