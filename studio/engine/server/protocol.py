"""A request's body becomes an Ask: every field is looked at here, once, and what is wrong is refused by its name.

The bounds are those of `specs/chat`. Keys of OpenAI's that change nothing here are taken; others are refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from studio.args.fields import Argument, Kind
from studio.args.problems import of_bounds
from studio.engine.server.errors import OutOfBounds, Refusal
from studio.errors import Problem
from studio.specs.chat import ASKED, SAMPLING

MOST_STOPS, LONGEST_STOP, MOST_TOP_LOGPROBS = 16, 1000, 20
_SAMPLED = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
# What OpenAI's clients may send and what changes nothing here.
_HARMLESS = frozenset({
    "user", "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "parallel_tool_calls", "reasoning_effort", "verbosity", "prediction", "best_of", "add_special_tokens",
    "skip_special_tokens", "include_stop_str_in_output", "length_penalty", "stream_options", "moderation"})
_COMMON = frozenset({"model", "stream", "stop", "logit_bias", "prefix_ids"})
CHAT_KEYS = frozenset({"messages", "tools", "tool_choice", "functions", "function_call", "response_format", "logprobs",
                       "top_logprobs", "continue_final_message", "add_generation_prompt", "chat_template_kwargs",
                       "modalities"})
TEXT_KEYS = frozenset({"prompt", "suffix", "echo", "logprobs", "response_format"})


@dataclass(frozen=True)
class Ask:
    """How an answer is to be made, whatever the route it was asked on.

    `max_tokens` None leaves it to the context; `logprobs` is how many alternatives are wanted with each token.
    """

    model: str
    stream: bool = False
    usage: bool = False
    n: int = 1
    max_tokens: int | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    num_beams: int = 1
    length_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    prefix_ids: tuple[int, ...] = ()
    grammar: Mapping[str, Any] | None = None

    @property
    def rows(self) -> int:
        """How many rows of the batch it takes."""
        return max(self.n, self.num_beams)


def parse(raw: bytes) -> dict[str, Any]:
    """The body as a mapping; raises Refusal body_not_json, body_not_object."""
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refusal("body_not_json", reason=error.msg, line=error.lineno, column=error.colno) from error
    if not isinstance(said, dict):
        raise Refusal("body_not_object", kind=type(said).__name__)
    return said


def common(said: Mapping[str, Any], own: frozenset[str], least_tokens: int = 1) -> Ask:
    """The part that all routes of answers share; keys beside `own` that nobody knows are refused by name."""
    _refuse_unknown(said, own)
    values = _arguments(said, least_tokens)
    stream = wanted(said, "stream", bool, False)
    options = wanted(said, "stream_options", dict, {})
    beams = values["num_beams"]
    if beams > 1 and stream:
        raise Refusal("beams_stream", 400, "num_beams")
    if beams < values["n"] and beams > 1:
        raise Refusal("beams_fewer", 400, "n", value=values["n"], most=beams)
    sampling = {name: values[name] for name in _SAMPLED if values[name] != SAMPLING[name].default
                or name == "temperature"}
    if values["answer_seed"] is not None:
        sampling["seed"] = values["answer_seed"]
    if bias := _biases(said):
        sampling["logit_bias"] = bias
    return Ask(model_name(said), stream, bool(options.get("include_usage")), values["n"], values["max_new_tokens"],
               sampling, beams, number(said, "length_penalty", 1.0), _stops(said),
               prefix_ids=ids(said.get("prefix_ids") or [], "prefix_ids"))


def _refuse_unknown(said: Mapping[str, Any], own: frozenset[str]) -> None:
    known = own | _COMMON | _HARMLESS | ASKED.keys()
    for name in said:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), 1, 0.3)
            raise Refusal("body_key_unknown", 400, name, name=name, nearest=near[0] if near else "model")


def model_name(said: Mapping[str, Any]) -> str:
    """The name of what is to answer; raises Refusal model_missing_in_body."""
    name = said.get("model")
    if name is None or name == "":
        raise Refusal("body_needs", 400, "model", name="model")
    if not isinstance(name, str):
        raise OutOfBounds(Problem("not_text", "model", {"value": name}), 400)
    return name


def _arguments(said: Mapping[str, Any], least_tokens: int) -> dict[str, Any]:
    """Every argument of SAMPLING, as the body has it under its own or another name."""
    values: dict[str, Any] = {name: a.default for name, a in SAMPLING.items()}
    values["max_new_tokens"] = None
    for key, a in ASKED.items():
        value = said.get(key)
        if value is None:
            continue
        value = _typed(key, value, a)
        problem = of_bounds(key, value, a)
        if problem and not (a.name == "max_new_tokens" and value == least_tokens):
            raise OutOfBounds(problem)
        values[a.name] = value
    return values


def _typed(key: str, value: Any, a: Argument) -> Any:
    """A number of the right kind; whole floats are taken for integers, as JSON has only numbers."""
    if isinstance(value, float) and a.kind is Kind.INT and value.is_integer():
        value = int(value)
    fits = isinstance(value, int) if a.kind is Kind.INT else isinstance(value, int | float)
    if isinstance(value, bool) or not fits:
        raise OutOfBounds(Problem(f"not_{a.kind.value}", key, {"value": value}), 400)
    return value


def wanted(said: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    """A field of this type; null is the default. Raises Refusal body_type."""
    value = said.get(key)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise Refusal("body_type", 400, key, name=key, value=type(value).__name__, kind=kind.__name__)
    return value


def number(said: Mapping[str, Any], key: str, default: float) -> float:
    """A field that is a number; raises OutOfBounds."""
    value = said.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OutOfBounds(Problem("not_float", key, {"value": value}), 400)
    return float(value)


def whole(said: Mapping[str, Any], key: str, default: int | None, least: int, most: int) -> int | None:
    """A field that is a whole number within bounds; raises OutOfBounds."""
    value = said.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise OutOfBounds(Problem("not_int", key, {"value": value}), 400)
    if not least <= value <= most:
        code, bound = ("at_least", least) if value < least else ("at_most", most)
        raise OutOfBounds(Problem(code, key, {"value": value, "bound": bound}))
    return value


def _stops(said: Mapping[str, Any]) -> tuple[str, ...]:
    value = said.get("stop")
    if value is None:
        return ()
    found = [value] if isinstance(value, str) else value
    right = isinstance(found, list) and all(isinstance(one, str) and 0 < len(one) <= LONGEST_STOP for one in found)
    if not right or len(found) > MOST_STOPS:
        raise Refusal("body_stop", 400, "stop", most=MOST_STOPS, longest=LONGEST_STOP)
    return tuple(found)


def _biases(said: Mapping[str, Any]) -> dict[str, float]:
    value = wanted(said, "logit_bias", dict, {})
    for key, bias in value.items():
        is_number = isinstance(bias, int | float) and not isinstance(bias, bool)
        if not key.isascii() or not key.isdigit() or not is_number or not -100 <= bias <= 100:
            raise Refusal("body_bias", 400, "logit_bias", value=f"{key}: {bias}")
    return dict(value)


def ids(value: Any, key: str) -> tuple[int, ...]:
    """A list of token ids; raises Refusal body_ids."""
    if not isinstance(value, list) or not all(isinstance(one, int) and not isinstance(one, bool) and one >= 0
                                              for one in value):
        raise Refusal("body_ids", 400, key, name=key)
    return tuple(value)


def prompts(said: Mapping[str, Any], key: str) -> list[str | tuple[int, ...]]:
    """One or several texts or lists of token ids."""
    value = said.get(key)
    if value is None:
        raise Refusal("body_needs", 400, key, name=key)
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value:
        raise Refusal("body_prompts", 400, key, name=key)
    if all(isinstance(one, int) for one in value):
        return [ids(value, key)]
    if all(isinstance(one, str) for one in value):
        return list(value)
    return [ids(one, key) for one in value]


def grammar(said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What `response_format` asks for, as the host understands it."""
    asked = wanted(said, "response_format", dict, None)
    kind = asked.get("type") if asked else "text"
    if asked is None or kind == "text":
        return None
    if kind == "json_object":
        return {"type": "json"}
    held = asked.get("json_schema")
    schema = (held or {}).get("schema") if isinstance(held, Mapping) else None
    if kind != "json_schema" or not isinstance(schema, Mapping):
        raise Refusal("body_format", 400, "response_format")
    return {"type": "schema", "schema": schema}
