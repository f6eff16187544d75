"""What two replays of the same rows have in common: tokens, logits, perplexity, spelling, ends, the adapters' strength.

A replay is what a child left in its folder; nothing here knows which program made it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # a child that replays need not know where rows come from
    from studio.exports.rows import Row

ANSWERS, FACTS, LOGITS, BASE_LOGITS = "answers.jsonl", "facts.json", "logits.f32", "base.f32"
SHOWN, _SNIPPET, _BLOCK = 3, 80, 16
_SURE = 4  # times the noise that fewer bits make of an adapter's strength
TIE = 1e-3  # two tokens so close together are both the likeliest
Pair = tuple["Row", Mapping[str, Any], Mapping[str, Any]]  # a row, what the source and what the result made of it


@dataclass(frozen=True)
class Replay:
    """What one program made of the rows: `facts` {vocabulary, ends, …}, a line for every row, logits of some tokens.

    `logits` is `(tokens, vocabulary)`, mapped from its file; None where the program gives none. `base` is what a
    source's model says at the same places without its adapters.
    """

    facts: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]
    logits: Any = None
    base: Any = None

    @classmethod
    def read(cls, folder: Path) -> Replay:
        """The replay that a child left in its folder."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        lines = [json.loads(line) for line in (folder / ANSWERS).read_text(encoding="utf-8").splitlines()]
        return cls(facts, lines, *(_mapped(folder / name, int(facts["vocabulary"])) for name in (LOGITS, BASE_LOGITS)))


def _mapped(path: Path, vocabulary: int) -> Any:
    if not path.is_file() or not path.stat().st_size:
        return None
    return np.memmap(path, np.float32, "r").reshape(-1, vocabulary)


def measure(rows: Sequence[Row], source: Replay, result: Replay) -> dict[str, Any]:
    """Everything that the verdict is made of, by the names of acceptance.json."""
    pairs = list(zip(rows, source.lines, result.lines, strict=True))
    begun = [_begun(mine, other) for _, mine, other in pairs]
    missed = _missed(pairs, source.logits)
    agreed = [one <= TIE for one in missed] or begun
    weighed = [1.0 - min(1.0, one) for one in missed] or begun
    spelling, endings = _spelling(pairs), _endings(pairs, result)
    difference = _difference(source.logits, result.logits)
    strength, doubt = _strength(source, result)
    distance = _distance(source.logits, result.logits)
    broken = difference == math.inf or any(value is None for line in result.lines for value in line["nats"])
    return {"rows": len(rows), "tokens": len(agreed), "numbers": not broken, "token_agreement": _rounded(_mean(agreed)),
            "weighed_agreement": _rounded(_mean(weighed)),
            "answer_agreement": _rounded(_mean(begun)),
            "answers_same": sum(mine["said"] == other["said"] and mine["ended"] == other["ended"]
                                for _, mine, other in pairs),
            "adapter_strength": None if broken else strength, "adapter_doubt": doubt,
            "logit_distance": None if broken else distance,
            "max_logit_difference": None if broken else difference,
            "perplexity": {"source": _perplexity(source.lines), "result": _perplexity(result.lines)},
            "template": spelling["text"] and spelling["tokens"], "spelling": spelling,
            "ends": len(endings["known"]) == len(endings["wanted"]) and not endings["runs_on"], "endings": endings,
            "chat": _chat(pairs)}


def _missed(pairs: Sequence[Pair], logits: Any) -> list[float]:
    """For every token that was asked for, by how much the source likes its own choice better than the result's.

    0 where both choose the same, else from the source's logits, or at least the distance of its first two. Nothing
    where the result's program tells no logits.
    """
    found, offset = [], 0
    for row, mine, other in pairs:
        kept = {} if logits is None else {place: offset + k for k, place in enumerate(row.kept)}
        for place, (best, gap, said) in enumerate(zip(mine["best"], mine["gap"], other["best"], strict=False)):
            known = place in kept and said < logits.shape[1]
            short = float(logits[kept[place], best] - logits[kept[place], said]) if known else gap
            found.append(0.0 if best == said else short)
        offset += len(row.kept)
    return found


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
    for start in range(0, len(mine), _BLOCK):
        left, right = (one[start:start + _BLOCK, :width] for one in (mine, other))
        never = np.isneginf(left) & np.isneginf(right)
        apart = np.abs(np.where(never, 0.0, left) - np.where(never, 0.0, right))
        if not np.isfinite(apart).all():
            return math.inf
        largest = max(largest, float(apart.max(initial=0.0)))
    return float(f"{largest:.6g}")


def _distance(mine: Any, other: Any) -> float | None:
    """How far the result's logits lie from the source's, as a share of how far these tell tokens apart.

    Seen on a model of 1M: 0.001 for F16, 0.01 for Q8_0, 0.06 for Q4_K_M, 0.12 for Q2_K; 0.5 for a transposed matrix.
    """
    if mine is None or other is None or len(mine) != len(other):
        return None
    width, apart, whole = min(mine.shape[1], other.shape[1]), 0.0, 0.0
    for start in range(0, len(mine), _BLOCK):
        left, right = (_centred(one[start:start + _BLOCK, :width]) for one in (mine, other))
        apart, whole = apart + float(((left - right)**2).sum()), whole + float((left**2).sum())
    return float(f"{math.sqrt(apart / whole):.6g}") if whole and math.isfinite(apart) else None


def _strength(source: Replay, result: Replay) -> tuple[float | None, float]:
    """(how strongly the adapters act in the result, how far from 1 noise alone may bring that).

    What they change of the base's logits is a direction; the result's change is measured along it. Rounding goes its
    own way, hardly along this one, so that even a form of few bits tells an adapter worked in twice, or not at all.
    """
    both = (source.base, source.logits, result.logits)
    if any(one is None for one in both) or len({len(one) for one in both}) > 1:
        return None, 0.0
    width, along, length, rest = min(one.shape[1] for one in both), 0.0, 0.0, 0.0
    for start in range(0, len(source.base), _BLOCK):
        base, mine, other = (_centred(one[start:start + _BLOCK, :width]) for one in both)
        wanted, found = mine - base, other - base
        along += float((found * wanted).sum())
        length += float((wanted * wanted).sum())
        rest += float((found * found).sum())
    if not length or not math.isfinite(along + rest):
        return None, 0.0
    strength = along / length
    noise = math.sqrt(max(0.0, rest / length - strength**2))
    return round(strength, 4), round(_SURE * noise / math.sqrt(len(source.base)), 4)


def _centred(logits: Any) -> Any:
    """Logits as far as they tell tokens apart."""
    finite = np.where(np.isneginf(logits), 0.0, logits).astype(np.float64)
    return finite - finite.mean(1, keepdims=True)


def _perplexity(lines: Sequence[Mapping[str, Any]]) -> float | None:
    nats = [value for line in lines for value in line["nats"]]
    if not nats or any(value is None for value in nats):
        return None
    mean = sum(nats) / len(nats)
    return float(f"{math.exp(min(mean, 700.0)):.8g}")


def _spelling(pairs: Sequence[Pair]) -> dict[str, Any]:
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


def _endings(pairs: Sequence[Pair], result: Replay) -> dict[str, Any]:
    """Which end tokens training has taught, which of them stop the result, and how many answers came to an end."""
    wanted = sorted({row.end for row, _, _ in pairs if row.end is not None})
    known = [one for one in wanted if one in set(result.facts["ends"])]
    over = sum(_runs_on(*pair) for pair in pairs)
    return {"wanted": wanted, "known": known, "source": sum(bool(mine["ended"]) for _, mine, _ in pairs),
            "result": sum(bool(other["ended"]) for _, _, other in pairs), "runs_on": over}


def _runs_on(row: Row, mine: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the result says the end that training has taught and talks on until it is cut.

    One that never comes to its end has only found another word likelier, as fewer bits may.
    """
    return bool(mine["ended"]) and not other["ended"] and row.end in other["said"]


def _chat(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """The first few conversations with the answers of both."""
    found = []
    for row, mine, other in pairs[:SHOWN]:
        prompt = str(row.turns[-1].get("content") or "") if row.turns else row.text[:_SNIPPET]
        found.append({"prompt": prompt, "reference": row.reference, "source": mine["answer"],
                      "result": other["answer"]})
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 1.0


def _rounded(value: float) -> float:
    """Four digits, never up to a whole."""
    return math.floor(value * 10_000) / 10_000
