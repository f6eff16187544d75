"""Whether what was exported is still the same model: what two replays of the same rows have in common, and a verdict.

`acceptance.json` beside the artefact:
    state                 passed · lossy · failed · unchecked
    form, runtime         what was made, and which program opened it
    rows, from            how many rows were replayed; {origin: held_out|dataset|shipped, names, why}
    token_agreement       share of the rows' tokens that both would have said next
    answer_agreement      share of freely written answers that begin alike, token by token, 1.0 when all are the same
    max_logit_difference  over the tokens whose logits are compared; None where the runtime gives none
    perplexity            {source, result} of the rows' answers
    template              whether the runtime itself spells every prompt as training did, text and ids
    spelling              {text, tokens, missing, expected, found}: what of it is the same, the first place that is not
    ends                  whether what ends answers in training stops the result
    endings               {wanted, known, source, result, runs_on}: end tokens; how many answers ended or did not stop
    chat                  [{prompt, reference, source, result}]: a few answers of both, for show
    reasons               [{code, …}]: why the state is what it is; each is a sentence `exports.acceptance.<code>`
    notes                 [{code, …}]: what else is to be known of the test
    seconds
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.texts import has, say

if TYPE_CHECKING:  # a child that replays need not know where rows come from
    from studio.exports.rows import Row
    from studio.plugins.exporters import Bound, Limits

NAME = "acceptance.json"
PASSED, LOSSY, FAILED, UNCHECKED = "passed", "lossy", "failed", "unchecked"
ANSWERS, FACTS, LOGITS = "answers.jsonl", "facts.json", "logits.f32"
SHOWN, _SNIPPET = 3, 80
TIE = 1e-3  # two tokens so close together are both the likeliest
Reason = dict[str, Any]


@dataclass(frozen=True)
class Replay:
    """What one program made of the rows: `facts` {vocabulary, ends, …}, a line for every row, logits of some tokens.

    `logits` is `(tokens, vocabulary)`, mapped from its file; None where the program gives none.
    """

    facts: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]
    logits: Any = None

    @classmethod
    def read(cls, folder: Path) -> Replay:
        """The replay that a child left in its folder."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        lines = [json.loads(line) for line in (folder / ANSWERS).read_text(encoding="utf-8").splitlines()]
        path = folder / LOGITS
        logits = None
        if path.is_file() and path.stat().st_size:
            logits = np.memmap(path, np.float32, "r").reshape(-1, int(facts["vocabulary"]))
        return cls(facts, lines, logits)


def measure(rows: Sequence[Row], source: Replay, result: Replay) -> dict[str, Any]:
    """Everything that the verdict is made of, by the names of acceptance.json."""
    pairs = list(zip(rows, source.lines, result.lines, strict=True))
    begun = [_begun(mine, other) for _, mine, other in pairs]
    agreed = [same for _, mine, other in pairs for same in _agreed(mine, other)] or begun
    spelling, endings = _spelling(pairs), _endings(pairs, result)
    difference = _difference(source.logits, result.logits)
    broken = difference == math.inf or any(value is None for line in result.lines for value in line["nats"])
    return {"rows": len(rows), "tokens": len(agreed), "numbers": not broken, "token_agreement": _rounded(_mean(agreed)),
            "answer_agreement": _rounded(_mean(begun)),
            "answers_same": sum(mine["said"] == other["said"] and mine["ended"] == other["ended"]
                                for _, mine, other in pairs),
            "max_logit_difference": None if broken else difference,
            "perplexity": {"source": _perplexity(source.lines), "result": _perplexity(result.lines)},
            "template": spelling["text"] and spelling["tokens"], "spelling": spelling,
            "ends": len(endings["known"]) == len(endings["wanted"]) and not endings["runs_on"], "endings": endings,
            "chat": _chat(pairs)}


def judge(found: Mapping[str, Any], limits: Limits) -> tuple[str, list[Reason]]:
    """(state, reasons) of what was measured."""
    reasons = _broken(found)
    if not reasons:
        lost = _beyond(found, limits.passed)
        too_much = _beyond(found, limits.lossy)
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
    values = {name: _shown(lang, name, value) for name, value in reason.items() if name != "code"}
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
    return {"state": state, "token_agreement": None, "answer_agreement": None, "max_logit_difference": None,
            "perplexity": {"source": None, "result": None}, "template": None, "spelling": None, "ends": None,
            "endings": None, "chat": [],
            "reasons": [{"code": code, **values}]}


# ---- measures ----

def _agreed(mine: Mapping[str, Any], other: Mapping[str, Any]) -> list[bool]:
    """For every token that was asked for, whether both find the same the likeliest; a tie counts as the same.

    Nothing where the result's program tells no logits.
    """
    if not other["best"]:
        return []
    return [best == said or (gap <= TIE and second == said)
            for best, second, gap, said in zip(mine["best"], mine["second"], mine["gap"], other["best"], strict=True)]


def _begun(mine: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Which share of the longer answer is the same from its beginning on."""
    said, heard = ([*one["said"], *([-1] if one["ended"] else [])] for one in (mine, other))
    same = next((place for place, (a, b) in enumerate(zip(said, heard, strict=False)) if a != b),
                min(len(said), len(heard)))
    return same / max(len(said), len(heard), 1)


def _difference(mine: Any, other: Any) -> float | None:
    """The largest difference of two logits, a block of tokens at a time; infinite where one of them is no number."""
    if mine is None or other is None or len(mine) != len(other):
        return None
    width, largest = min(mine.shape[1], other.shape[1]), 0.0
    for start in range(0, len(mine), 16):
        left, right = (one[start:start + 16, :width] for one in (mine, other))
        never = np.isneginf(left) & np.isneginf(right)
        apart = np.abs(np.where(never, 0.0, left) - np.where(never, 0.0, right))
        if not np.isfinite(apart).all():
            return math.inf
        largest = max(largest, float(apart.max(initial=0.0)))
    return float(f"{largest:.6g}")


def _perplexity(lines: Sequence[Mapping[str, Any]]) -> float | None:
    nats = [value for line in lines for value in line["nats"]]
    if not nats or any(value is None for value in nats):
        return None
    mean = sum(nats) / len(nats)
    return float(f"{math.exp(min(mean, 700.0)):.8g}")


def _spelling(pairs: Sequence[tuple[Row, Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, Any]:
    """How the runtime itself spells the prompts: the same text, the same ids; the first place where it does not."""
    texts = [(row, line) for row, _, line in pairs if row.turns]
    wrong = next(((row.prompt_text, line["text"]) for row, line in texts if line["text"] != row.prompt_text), None)
    same = [_same_ids(row, line) for row, _, line in pairs]
    unlike = next(((row, line) for (row, _, line), one in zip(pairs, same, strict=True) if not one), None)
    expected = found = ""
    if wrong is not None:
        expected, found = _apart(wrong[0], wrong[1] or "")
    elif unlike is not None:
        expected, found = _apart(_ids(_own_ids(unlike[0])), _ids(unlike[1]["ids"]))
    missing = any(line["text"] is None for _, line in texts)
    return {"text": wrong is None, "tokens": all(same), "missing": missing, "expected": expected, "found": found}


def _own_ids(row: Row) -> Sequence[int]:
    """The ids that a runtime should make: of the prompt, or of the whole plain text."""
    return row.prompt if row.turns else row.bare


def _same_ids(row: Row, line: Mapping[str, Any]) -> bool:
    return list(_own_ids(row)) == list(line["ids"])


def _ids(ids: Sequence[int]) -> str:
    return " ".join(map(str, ids))


def _apart(expected: str, found: str) -> tuple[str, str]:
    """The pieces of two texts where they part."""
    place = next((k for k, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b),
                 min(len(expected), len(found)))
    start = max(0, place - _SNIPPET // 4)
    return expected[start:start + _SNIPPET], found[start:start + _SNIPPET]


def _endings(pairs: Sequence[tuple[Row, Mapping[str, Any], Mapping[str, Any]]], result: Replay) -> dict[str, Any]:
    """Which end tokens training has taught, which of them stop the result, and how many answers came to an end."""
    wanted = sorted({row.end for row, _, _ in pairs if row.end is not None})
    known = [one for one in wanted if one in set(result.facts["ends"])]
    over = sum(_runs_on(mine, other) for _, mine, other in pairs)
    return {"wanted": wanted, "known": known, "source": sum(bool(mine["ended"]) for _, mine, _ in pairs),
            "result": sum(bool(other["ended"]) for _, _, other in pairs), "runs_on": over}


def _runs_on(mine: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the result says all that the source says and then does not end."""
    said = list(mine["said"])
    return bool(mine["ended"]) and list(other["said"])[:len(said)] == said and len(other["said"]) > len(said)


def _chat(pairs: Sequence[tuple[Row, Mapping[str, Any], Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The first few conversations with the answers of both."""
    found = []
    for row, mine, other in pairs[:SHOWN]:
        prompt = str(row.turns[-1].get("content") or "") if row.turns else row.text[:_SNIPPET]
        found.append({"prompt": prompt, "reference": row.reference, "source": mine["answer"],
                      "result": other["answer"]})
    return found


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
    if not found["numbers"]:
        reasons.append({"code": "no_numbers"})
    return reasons


def _beyond(found: Mapping[str, Any], bound: Bound) -> list[Reason]:
    """Which figures are further away than a bound allows."""
    reasons: list[Reason] = []
    if found["token_agreement"] < bound.agreement:
        reasons.append({"code": "tokens", "value": found["token_agreement"], "limit": bound.agreement})
    difference = found["max_logit_difference"]
    if bound.logit is not None and difference is not None and difference > bound.logit:
        reasons.append({"code": "logits", "value": difference, "limit": bound.logit})
    before, after = found["perplexity"]["source"], found["perplexity"]["result"]
    if before and after and after / before > bound.perplexity:
        reasons.append({"code": "perplexity", "source": before, "result": after, "limit": bound.perplexity})
    return reasons


# ---- words ----

def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 1.0


def _rounded(value: float) -> float:
    """Four digits, never up to a whole."""
    return math.floor(value * 10_000) / 10_000


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
