"""Keys of older recipes (LLaMA-Factory, ChatGLM-Efficient-Tuning) under today's names, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.args.fields import Argument, Kind
from studio.errors import Problem
from studio.specs.older_keys import ANY, ANYWAY, CONVERTED, NOT_YET, OFF, REMEDIES, VALUES, VALUES_NOT_YET, true

_EITHER_LENGTH = 512  # what ChatGLM-Efficient-Tuning takes for the length that is not given


@dataclass
class _Translation:
    """Values under today's names, the key that each came from, and the problems met on the way."""

    values: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def put(self, name: str, value: Any, key: str) -> None:
        """Set `name` once; another value from a second key is a problem."""
        if name in self.values and self.values[name] != value:
            self.problems.append(Problem("said_twice", name, {"first": self.origin[name], "second": key}))
            return
        self.values[name] = value
        self.origin[name] = key


def translate(draft: Mapping[str, Any], declared: Mapping[str, Argument],
              aliases: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """The draft under today's names and the problems of keys that cannot be taken; order is kept.

    A key that nobody knows stays as it is: the caller refuses it with the nearest known one.
    """
    done = _Translation()
    for key, value in draft.items():
        if key not in _JOINED:
            _one(key, value, done, declared, aliases)
    _lengths(draft, done)
    _precision(draft, done)
    return done.values, done.problems


def _one(key: str, value: Any, done: _Translation, declared: Mapping[str, Argument],
         aliases: Mapping[str, str]) -> None:
    """Translate one key that stands for itself."""
    name = key if key in declared else aliases.get(key, "")
    if not name and key in CONVERTED:
        name, convert = CONVERTED[key]
        value = convert(value)
        if value is None:
            return
    if not name:
        if key not in ANYWAY and key not in NOT_YET:
            done.put(key, value, key)
        elif not _done_anyway(key, value):
            done.problems.append(Problem(REMEDIES.get(key, "not_yet"), key, {"name": key, "value": value}))
        return
    if name == "warmup_steps" and isinstance(value, float) and 0 < value < 1:
        name = "warmup_ratio"  # transformers 5 reads a warmup_steps below 1 as a share
    a, value = declared[name], _today(name, value, declared[name])
    if value in VALUES_NOT_YET.get(name, ()) and value not in a.choices:
        code = REMEDIES.get(name, "value_not_yet")
        done.problems.append(Problem(code, name, {"value": value, "choices": a.choices, "name": name}))
        return
    done.put(name, value, key)


def _today(name: str, value: Any, a: Argument) -> Any:
    """The value as it is spelled today; an absent list or mapping is an empty one."""
    if value is None and a.kind is Kind.LIST:
        return []
    if value is None and a.kind is Kind.DICT:
        return {}
    if isinstance(value, str | bool | None):  # others may not be hashed
        return VALUES.get(name, {}).get(value, value)
    return value


def _done_anyway(key: str, value: Any) -> bool:
    usual = ANYWAY.get(key, OFF)
    return ANY in usual or value in usual


def _lengths(draft: Mapping[str, Any], done: _Translation) -> None:
    """`max_source_length` + `max_target_length` of the older systems together are today's `cutoff_len`."""
    keys = ("max_source_length", "max_target_length")
    given = [key for key in keys if draft.get(key) is not None]
    wrong = [key for key in given if not str(draft[key]).isdigit()]
    done.problems += [Problem("not_int", key, {"value": draft[key]}) for key in wrong]
    if given and not wrong:
        total = sum(int(draft[key]) if key in given else _EITHER_LENGTH for key in keys)
        done.put("cutoff_len", total, " + ".join(given))


def _precision(draft: Mapping[str, Any], done: _Translation) -> None:
    """`bf16` and `fp16` together are today's `compute_type`: neither of them is 32 bits, as they say."""
    given = [key for key in ("bf16", "fp16") if draft.get(key) is not None]
    wanted = [key for key in given if true(draft[key])]
    if len(wanted) == 2:
        done.problems.append(Problem("said_twice", "compute_type", {"first": "bf16", "second": "fp16"}))
    elif given and ("compute_type" not in done.values or wanted):
        done.put("compute_type", wanted[0] if wanted else "fp32", " + ".join(wanted or given))


_JOINED = ("max_source_length", "max_target_length", "bf16", "fp16")
