"""The verdict on an export: what two replays have in common, judged by the form's limits, said in both languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.exports import acceptance
from studio.exports.acceptance import FAILED, LOSSY, PASSED
from studio.exports.comparison import Replay, measure
from studio.exports.rows import Row
from studio.plugins.exporters import EXACT, Bound, Limits
from studio.texts import sentences

ROUGH = Limits(Bound(0.98, 0.25, 1.01), Bound(0.5, None, 1.5))
END = 2


def row(number: int = 0) -> Row:
    return Row(number, ({"role": "user", "content": "1 + 1 = ?"},), (), "", "<u>1 + 1 = ?<a>", (5, 6, 7),
               (5, 6, 7, 8, 9, END), (3, 4, 5), END, 16, "2", kept=(0, 1, 2))


def line(**more: Any) -> dict[str, Any]:
    return {"number": 0, "text": "<u>1 + 1 = ?<a>", "ids": [5, 6, 7], "said": [8, 9], "ended": True, "answer": "2",
            "best": [8, 9, END], "second": [1, 1, 1], "gap": [3.0, 3.0, 3.0], "nats": [0.1, 0.2, 0.3], **more}


def sure() -> np.ndarray:
    """Logits that say 8, 9 and the end, each by a distance of 3."""
    numbers = np.zeros((3, 10), np.float32)
    numbers[[0, 1, 2], [8, 9, END]] = 3.0
    return numbers


def replay(logits: Any = None, ends: tuple[int, ...] = (END,), **more: Any) -> Replay:
    numbers = sure() if logits is None else logits
    return Replay({"vocabulary": 10, "ends": list(ends)}, [line(**more)], numbers)


def verdict(result: Replay, limits: Limits = EXACT, source: Replay | None = None) -> tuple[str, list[str]]:
    state, reasons = acceptance.judge(measure([row()], source or replay(), result), limits)
    return state, [one["code"] for one in reasons]


def test_the_same_model_passes() -> None:
    assert verdict(replay()) == (PASSED, [])


def test_a_text_that_is_spelled_otherwise_fails_and_says_where() -> None:
    found = measure([row()], replay(), replay(text="<user>1 + 1 = ?<a>", ids=[4, 6, 7]))
    assert found["template"] is False
    assert found["spelling"]["expected"].startswith("<u>")
    assert found["spelling"]["found"].startswith("<user>")
    state, reasons = acceptance.judge(found, ROUGH)
    assert state == FAILED
    assert [one["code"] for one in reasons] == ["template_differs"]


def test_a_result_without_a_template_fails() -> None:
    assert verdict(replay(text=None, ids=[]), ROUGH) == (FAILED, ["template_lost"])


def test_the_same_text_in_other_tokens_fails() -> None:
    assert verdict(replay(ids=[5, 6, 6, 7]), ROUGH) == (FAILED, ["tokens_differ"])


def test_an_end_token_that_the_result_does_not_know_fails_it() -> None:
    assert verdict(replay(ends=(1,)), ROUGH) == (FAILED, ["end_lost"])


def test_an_answer_that_goes_on_behind_its_end_fails() -> None:
    assert verdict(replay(said=[8, 9, END, 4], ended=False), ROUGH) == (FAILED, ["end_lost"])


def test_an_answer_that_finds_another_word_likelier_than_its_end_has_not_lost_it() -> None:
    assert "end_lost" not in verdict(replay(said=[8, 9, 4, 4], ended=False), ROUGH)[1]


def test_numbers_that_are_none_fail() -> None:
    broken = sure()
    broken[1, 4] = np.nan
    assert verdict(replay(broken), ROUGH) == (FAILED, ["no_numbers"])
    assert verdict(replay(nats=[0.1, None, 0.3]), ROUGH) == (FAILED, ["no_numbers"])


def test_a_difference_within_the_form_s_limits_is_a_loss_and_beyond_them_a_failure() -> None:
    assert verdict(replay(sure() + 0.01)) == (LOSSY, ["loss_logits"])
    assert verdict(replay(sure() + 1)) == (FAILED, ["far_logits"])
    assert verdict(replay(best=[8, 1, END]), ROUGH) == (LOSSY, ["loss_tokens"])
    assert verdict(replay(best=[1, 1, END]), ROUGH) == (FAILED, ["far_tokens"])
    assert verdict(replay(nats=[0.3, 0.4, 0.5]), ROUGH) == (LOSSY, ["loss_perplexity"])
    assert verdict(replay(nats=[1.3, 1.4, 1.5]), ROUGH) == (FAILED, ["far_perplexity"])


def test_a_tie_of_the_source_is_no_disagreement() -> None:
    near = sure()
    near[1, 1] = 3.0 - 1e-5
    assert verdict(replay(near, best=[8, 1, END]), source=replay(near)) == (PASSED, [])


def test_a_token_that_the_source_was_not_sure_of_is_a_loss_but_no_failure() -> None:
    unsure = sure()
    unsure[:2, 1] = 2.9
    source = replay(unsure)
    assert verdict(replay(unsure, best=[1, 1, END]), ROUGH, source) == (LOSSY, ["loss_tokens"])
    assert verdict(replay(unsure, best=[4, 4, END]), ROUGH, source) == (FAILED, ["far_tokens"])


def test_logits_that_no_loss_of_bits_explains_fail_whatever_the_form_allows() -> None:
    turned = sure()[:, ::-1].copy()
    assert verdict(replay(turned), Limits(Bound(0.0, None, 99.0), Bound(0.0, None, 99.0))) == (FAILED, ["far_apart"])


@pytest.mark.parametrize(("strength", "codes"), [(1.0, []), (2.0, ["adapter_strength"]), (0.0, ["adapter_strength"])])
def test_an_adapter_is_to_act_as_strongly_as_in_training(strength: float, codes: list[str]) -> None:
    dice = np.random.default_rng(0)
    base, change, noise = (dice.normal(size=(3, 10)).astype(np.float32) * size for size in (1, 0.05, 0.01))
    source = replay(sure() + base + change)
    source = Replay(source.facts, source.lines, source.logits, sure() + base)
    assert verdict(replay(sure() + base + strength * change + noise), ROUGH, source)[1] == codes


def test_a_program_that_tells_no_logits_is_judged_by_its_answers() -> None:
    mute = {"best": [], "second": [], "gap": [], "nats": []}
    silent = Replay({"vocabulary": 10, "ends": [END]}, [line(**mute)], None)
    assert verdict(silent, ROUGH) == (PASSED, [])
    other = Replay({"vocabulary": 10, "ends": [END]}, [line(**{**mute, "said": [1, 2]})], None)
    assert verdict(other, ROUGH) == (FAILED, ["far_tokens"])


def test_a_verdict_is_said_in_both_languages_with_every_reason() -> None:
    found = measure([row()], replay(), replay(ends=(), text="x", ids=[1]))
    state, reasons = acceptance.judge(found, EXACT)
    told = {"state": state, "runtime": "llama_cpp", **found, "notes": [{"code": "shipped_rows_plain"}],
            "reasons": [{**one, "runtime": "llama_cpp"} for one in reasons]}
    for lang in ("en", "zh"):
        headline, lines = acceptance.told(lang, json.loads(json.dumps(told)))
        assert "llama.cpp" in headline
        assert len(lines) == len(reasons) + 1
        assert not any("{" in one for one in lines)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_reason_can_be_said_with_what_it_brings(lang: str) -> None:
    given = {"expected": "a", "found": "b", "runtime": "transformers", "value": 0.5, "weighed": 0.9, "limit": 1.0,
             "source": 1.0, "result": 2.0, "rows": 3, "reason": "@errors.questions_unnamed", "name": "x",
             "part": "onnx", "needed": 3.0, "free": 1.0, "bits": 4}
    front = "exports.acceptance."
    codes = [key.removeprefix(front) for key in sentences(lang) if key.startswith(front)]
    for code in codes:
        if not code.startswith("states."):
            assert "{" not in acceptance.sentence(lang, {"code": code, **given})


def test_a_replay_is_read_as_the_child_left_it(tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text(json.dumps({"vocabulary": 4, "ends": [2]}))
    (tmp_path / "answers.jsonl").write_text(json.dumps(line()) + "\n")
    np.arange(8, dtype=np.float32).tofile(tmp_path / "logits.f32")
    found = Replay.read(tmp_path)
    assert found.logits.shape == (2, 4)
    assert found.lines[0]["said"] == [8, 9]
