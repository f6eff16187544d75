"""Whether what was exported is still the same model: what two replays of the same rows have in common, and a verdict.

`acceptance.json` beside the artefact:
    state                 passed · lossy · failed · unchecked
    form, runtime         what was made, and which program opened it
    rows, from            how many rows were replayed; {origin: held_out|dataset|shipped, names, why}
    token_agreement       share of the rows' tokens that both would have said next
    weighed_agreement     the same; a token on which they part counts as far as the source was sure of it, in nats
    answer_agreement      share of freely written answers that begin alike, token by token, 1.0 when all are the same
    adapter_strength      how strongly the adapters act, 1.0 as in training; None without adapters or logits
    adapter_doubt         how far from 1 the noise of fewer bits alone may bring that
    logit_distance        root mean square of the differences, as a share of the spread of the source's logits
    max_logit_difference  over the tokens whose logits are compared; None where the runtime gives none
    perplexity            {source, result} of the rows' answers
    template              whether the runtime itself spells every prompt as training did, text and ids
    spelling              {text, tokens, missing, expected, found}: what of it is the same, the first place that is not
    ends                  whether what ends answers in training stops the result
    endings               {wanted, known, source, result, runs_on}: end tokens; how many answers ended, or went on
    chat                  [{prompt, reference, source, result}]: a few answers of both, for show
    reasons               [{code, …}]: why the state is what it is; each is a sentence `exports.acceptance.<code>`
    notes                 [{code, …}]: what else is to be known of the test
    seconds
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.texts import has, say

if TYPE_CHECKING:
    from studio.plugins.exporters import Bound, Limits

NAME = "acceptance.json"
PASSED, LOSSY, FAILED, UNCHECKED = "passed", "lossy", "failed", "unchecked"
DISTANCE = 0.4  # of logits, beyond which no loss of bits brings them
STRENGTH = 0.25  # how far an adapter's strength may be from that of the training
Reason = dict[str, Any]
_NOTHING: Mapping[str, Any] = {
    "token_agreement": None, "weighed_agreement": None, "answer_agreement": None, "adapter_strength": None,
    "logit_distance": None, "max_logit_difference": None, "perplexity": {"source": None, "result": None},
    "template": None, "spelling": None, "ends": None, "endings": None, "chat": []}


def judge(found: Mapping[str, Any], limits: Limits) -> tuple[str, list[Reason]]:
    """(state, reasons) of what was measured."""
    reasons = _broken(found)
    if not reasons:
        lost = _beyond(found, limits.passed, "token_agreement")
        too_much = _beyond(found, limits.lossy, "weighed_agreement")  # where nothing is sure, a turn of two is no harm
        if not too_much:
            if limits.passed.agreement >= 1 and not lost and found["answers_same"] < found["rows"]:
                lost = [{"code": "loss_answers", "value": found["answers_same"], "rows": found["rows"]}]
            return (LOSSY if lost else PASSED), [{**one, "code": f"loss_{one['code'].removeprefix('loss_')}"}
                                                 for one in lost]
        reasons = [{**one, "code": f"far_{one['code']}"} for one in too_much]
    return FAILED, reasons


def told(lang: str, verdict: Mapping[str, Any]) -> tuple[str, list[str]]:
    """A verdict in words: its sentence, then every reason with its remedy and every note."""
    state = str(verdict.get("state") or UNCHECKED)
    headline = say(lang, f"exports.acceptance.states.{state}", agreement=_percent(verdict.get("token_agreement")),
                   rows=verdict.get("rows") or 0, runtime=runtime(lang, str(verdict.get("runtime") or "")))
    lines = [*verdict.get("reasons", ()), *verdict.get("notes", ())]
    return headline, [sentence(lang, one) for one in lines]


def sentence(lang: str, reason: Mapping[str, Any]) -> str:
    """A reason or note in words."""
    is_share = str(reason["code"]).endswith("_tokens")
    values = {name: _percent(value) if is_share and isinstance(value, float) else _shown(lang, name, value)
              for name, value in reason.items() if name != "code"}
    return say(lang, f"exports.acceptance.{reason['code']}", **values)


def runtime(lang: str, name: str) -> str:
    """What a runtime is called."""
    key = f"exports.runtimes.{name}"
    return say(lang, key) if has(lang, key) else name


def unchecked(code: str, **values: Any) -> dict[str, Any]:
    """The figures of an artefact that could not be opened, for want of a program or of memory."""
    return _unmeasured(UNCHECKED, code, values)


def refused(code: str, **values: Any) -> dict[str, Any]:
    """The figures of an artefact that its own program does not open."""
    return _unmeasured(FAILED, code, values)


def _unmeasured(state: str, code: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"state": state, **_NOTHING, "reasons": [{"code": code, **values}]}


# ---- verdict ----

def _broken(found: Mapping[str, Any]) -> list[Reason]:
    """What no form may have: another template, other tokens, no end, numbers that are none."""
    spelling, endings, reasons = found["spelling"], found["endings"], []
    shown = {"expected": spelling["expected"], "found": spelling["found"]}
    if not spelling["text"]:
        reasons.append({"code": "template_lost"} if spelling["missing"] else {"code": "template_differs", **shown})
    elif not spelling["tokens"]:
        reasons.append({"code": "tokens_differ", **shown})
    if not found["ends"]:
        lost = [one for one in endings["wanted"] if one not in endings["known"]] or endings["wanted"]
        reasons.append({"code": "end_lost", "value": lost, "rows": endings["runs_on"]})
    strength = found["adapter_strength"]
    if strength is not None and abs(strength - 1) > max(STRENGTH, found["adapter_doubt"]):
        reasons.append({"code": "adapter_strength", "value": strength})
    distance = found["logit_distance"]
    if distance is not None and distance > DISTANCE:
        reasons.append({"code": "far_apart", "value": distance, "limit": DISTANCE})
    if not found["numbers"]:
        reasons.append({"code": "no_numbers"})
    return reasons


def _beyond(found: Mapping[str, Any], bound: Bound, agreement: str) -> list[Reason]:
    """Which figures are further away than a bound allows."""
    reasons: list[Reason] = []
    if found[agreement] < bound.agreement:
        reasons.append({"code": "tokens", "value": found["token_agreement"], "weighed": found["weighed_agreement"],
                        "limit": bound.agreement})
    difference = found["max_logit_difference"]
    if bound.logit is not None and difference is not None and difference > bound.logit:
        reasons.append({"code": "logits", "value": difference, "limit": bound.logit})
    before, after = found["perplexity"]["source"], found["perplexity"]["result"]
    if before and after and after / before > bound.perplexity:
        reasons.append({"code": "perplexity", "source": before, "result": after, "limit": bound.perplexity})
    return reasons


# ---- words ----

def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.4g} %"


def _shown(lang: str, name: str, value: Any) -> str:
    if name in ("expected", "found"):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    if name == "runtime":
        return runtime(lang, str(value))
    if isinstance(value, str) and value.startswith("@") and has(lang, value[1:]):
        return say(lang, value[1:])
    return str(value)
