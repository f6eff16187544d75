"""What is asked of a model: messages read and checked, answers in the making."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.errors import InputError


@dataclass(frozen=True)
class Request:
    """One wish for `n` answers to a prompt, as the front sends it."""

    id: Any
    lane: str
    ids: tuple[int, ...]
    prefix_ids: tuple[int, ...] = ()
    max_tokens: int = 16
    n: int = 1
    sampling: Mapping[str, Any] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    end_ids: frozenset[int] = frozenset()
    logprobs: int | None = None
    prompt_logprobs: bool = False
    grammar: Mapping[str, Any] | None = None
    num_beams: int = 1
    length_penalty: float = 1.0
    skip_special: bool = True
    came: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, message: Mapping[str, Any], vocabulary: int, context: int) -> Request:
        """The wish in a message; its length is cut to what the context leaves.

        Raises InputError answer_ids for ids that the model does not have, prompt_too_long_for_context.
        """
        ids = tuple(map(int, message["ids"]))
        begun = tuple(map(int, message.get("prefix_ids") or ()))
        strange = next((one for one in (*ids, *begun) if not 0 <= one < vocabulary), None)
        if strange is not None or not ids + begun:
            raise InputError("answer_ids", value=strange, most=vocabulary - 1)
        long = len(ids) + len(begun)
        wanted = int(message.get("max_tokens") or 0)
        if context and long + min(wanted, 1) > context:
            raise InputError("prompt_too_long_for_context", length=long, most=context)
        return cls(message["id"], message.get("lane") or "", ids, begun,
                   min(wanted, context - long) if context else wanted, max(1, int(message.get("n") or 1)),
                   message.get("sampling") or {}, tuple(message.get("stop") or ()),
                   frozenset(map(int, message.get("end_ids") or ())), message.get("logprobs"),
                   bool(message.get("prompt_logprobs")), message.get("grammar"), int(message.get("num_beams") or 1),
                   float(message.get("length_penalty") or 1.0), bool(message.get("skip_special", True)))

    @property
    def prompt(self) -> tuple[int, ...]:
        """All that the model reads before it says its first token."""
        return self.ids + self.prefix_ids

    @property
    def noted_from(self) -> int | None:
        """From which place of the prompt on the chances of the next id are wanted; None when none are."""
        if self.prompt_logprobs:
            return 0
        return max(0, len(self.ids) - 1) if self.prefix_ids and self.logprobs is not None else None
