"""Refusals in OpenAI's form: a status, a stable code, the parameter that is wrong, a sentence in the user's language.

    {"error": {"message": …, "type": "invalid_request_error", "param": "temperature", "code": "at_most"}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.errors import Problem, StudioError
from studio.texts import errors as spoken
from studio.texts import has

# Codes under which OpenAI's clients know an error, and the status of errors that the floors below raise.
_OPENAI = {
    "lane_unknown": "model_not_found", "lane_unknown_near": "model_not_found", "lane_unserved": "model_not_found",
    "model_missing": "model_not_found", "checkpoint_unknown": "model_not_found", "api_key_wrong": "invalid_api_key",
    "prompt_too_long_for_context": "context_length_exceeded", "queue_full": "rate_limit_exceeded"}
_STATUS = {"lane_unknown": 404, "lane_unknown_near": 404, "model_missing": 404, "checkpoint_unknown": 404,
           "lane_no_checkpoint": 503, "checkpoint_incomplete": 503, "lane_memory_short": 507, "rows_memory_short": 503}
# What the worker finds wrong with a request, and the parameter that says so.
_ASKED_WRONGLY = {"grammar_kind": "response_format", "grammar_broken": "response_format",
                  "grammar_unspellable": "response_format", "answer_ids": "prompt", "beams_many": "num_beams",
                  "prompt_too_long_for_context": "messages"}
_OF_FILES = ("model_", "tokenizer_", "template_", "adapter_")  # what is wrong with the files of a name
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_RETRY_SECONDS = {"lane_no_checkpoint": 30, "checkpoint_incomplete": 3, "rows_memory_short": 5}


class Refusal(StudioError):
    """What the server says no to: `errors.<code>` with this status; `param` is the body's key that is wrong."""

    def __init__(self, code: str, status: int = 400, param: str | None = None, retry_seconds: int | None = None,
                 **values: Any) -> None:
        super().__init__(code, **values)
        self.status = status
        self.param = param
        self.retry_seconds = retry_seconds


class OutOfBounds(Refusal):
    """An argument whose value breaks a bound or has the wrong type, in the words of `problems.<code>`."""

    def __init__(self, problem: Problem, status: int = 422) -> None:
        super().__init__(problem.code, status, problem.field, **problem.values)
        self.problem = problem


def refusal(error: StudioError) -> Refusal:
    """What the floors below refuse, as the server says it."""
    if isinstance(error, Refusal):
        return error
    param = _ASKED_WRONGLY.get(error.code)
    is_theirs = error.exit_code == 2 or param or error.code.startswith(_OF_FILES)
    status = _STATUS.get(error.code, 400 if is_theirs else 500)
    found = Refusal(error.code, status, "model" if status == 404 else param, _RETRY_SECONDS.get(error.code))
    found.values = dict(error.values)
    return found


def body(error: StudioError, lang: str) -> dict[str, Any]:
    """The JSON of an error."""
    found = refusal(error)
    kind = "server_error" if found.status >= 500 else _TYPES.get(found.status, "invalid_request_error")
    return {"error": {"message": sentence(found, lang), "type": kind, "param": found.param,
                      "code": _OPENAI.get(found.code, found.code)}}


def sentence(error: StudioError, lang: str) -> str:
    """The error in the user's language."""
    if isinstance(error, OutOfBounds):
        return spoken.of_problem(lang, error.problem)
    if not has(lang, f"errors.{error.code}"):
        error = StudioError("unexpected", kind=error.code, reason=", ".join(map(str, error.values.values())))
    return spoken.of_error(lang, error)


def headers(error: Refusal) -> Mapping[str, str]:
    """Retry-After where coming back helps."""
    found = {"Retry-After": str(error.retry_seconds)} if error.retry_seconds else {}
    return {**found, "WWW-Authenticate": "Bearer"} if error.status == 401 else found
