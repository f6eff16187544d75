"""A renderer that replays recorded renderings of a chat template, for templates whose source is not at hand.

The recordings show five conversations. What stands between their contents is the template's; filled with other
contents it gives what the template would write for them, as far as it does not look into contents. That assumption is
checked: the pieces taken from one conversation must reproduce the recording of another one with the same roles.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
RECORDINGS = SHARED / "template_renderings.json"
SPECIAL = re.compile(r"<BOS>|<EOS>|<PAD>|<UNK>|<\|[^<>|\s]{1,40}\|>|<｜[^<>｜]{1,40}｜>|<(?:start|end)_of_turn>"
                     r"|<seed:\w+>|\[/?(?:INST|SYSTEM_PROMPT)\]|<\|[^<>\s]{1,30}\|>|<\|?turn\|?>|<sep>")


def recordings() -> dict[str, Any]:
    """The recorded conversations and renderings; nothing when the shared data is absent."""
    return json.loads(RECORDINGS.read_text(encoding="utf-8")) if RECORDINGS.is_file() else {}


@dataclass
class Replay:
    """One template's pieces: around one turn, and around a system text and two turns."""

    one: list[str]
    two: list[str] | None
    system_shown: bool
    prompt: str | None

    @classmethod
    def of(cls, conversations: dict[str, Any], rendered: dict[str, Any]) -> Replay | str:
        """The replay of a template, or why its recordings do not allow one."""
        if not isinstance(rendered["one_turn"], str):
            return "refuses one_turn"
        one = _pieces(rendered["one_turn"], _contents(conversations["one_turn"]))
        if one is None:
            return "contents not found in one_turn"
        if _fill(one, _contents(conversations["one_turn_zh"])) != rendered["one_turn_zh"]:
            return "one_turn and one_turn_zh differ in more than their contents"
        opened = rendered["generation_prompt"]
        prompt = opened.rpartition("Tell me a joke.")[2] if isinstance(opened, str) else None
        text, contents = rendered["system_two_turns"], _contents(conversations["system_two_turns"])
        two = _pieces(text, contents) if isinstance(text, str) else None
        if two is None and isinstance(text, str):
            return cls(one, _pieces(text, contents[1:]), False, prompt)
        return cls(one, two, True, prompt)

    def render(self, *, messages: Sequence[dict[str, str]], add_generation_prompt: bool = False, **_: Any) -> str:
        """The rendering of one or two turns, with a system text or without, or the beginning of one."""
        contents = [message["content"] for message in messages]
        if messages[-1]["role"] == "user":
            if self.prompt is None:
                raise TemplateError("the generation prompt is not recorded")
            return "".join(contents) + (self.prompt if add_generation_prompt else "")
        roles = "".join(message["role"][0] for message in messages)
        if roles == "ua":
            return _fill(self.one, contents)
        if self.two is not None and roles == "suaua":
            return _fill(self.two, contents if self.system_shown else contents[1:])
        if self.two is not None and roles == "uaua":
            return _fill([self.one[0], *self.two[-4:]], contents)
        raise TemplateError(f"not recorded: {roles}")


def _contents(conversation: list[dict[str, str]]) -> list[str]:
    return [message["content"] for message in conversation]


def _pieces(text: str, contents: list[str]) -> list[str] | None:
    """What stands between the contents; searched from the end, since templates begin with words of their own."""
    pieces: list[str] = []
    for content in reversed(contents):
        text, found, rest = text.rpartition(content)
        if not found:
            return None
        pieces.insert(0, rest)
    return [text, *pieces]


def _fill(pieces: list[str], contents: Sequence[str]) -> str:
    return "".join(word for pair in zip(pieces, [*contents, ""], strict=True) for word in pair)
