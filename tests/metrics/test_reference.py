"""The metrics of older systems and of sacrebleu equal what those libraries say, on real pairs."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import jieba
import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_chinese import Rouge
from sacrebleu.metrics import BLEU, CHRF

from studio.plugins import plugin
from studio.plugins.metrics import Row, _older, signature, tokens
from tests.metrics.pairs import HERE, REFERENCE, real_pairs

OLDER = {"rouge-1": "rouge1", "rouge-2": "rouge2", "rouge-l": "rougel", "bleu-4": "bleu4_char"}
needs_shared = pytest.mark.skipif(not (HERE and REFERENCE.is_file()),
                                  reason="needs the shared data beside the checkout")


def value(name: str, answer: str, reference: str, row: Row | None = None) -> float | None:
    return plugin("metrics", name).score(answer, reference, row or Row())


@needs_shared
@pytest.mark.parametrize("known", json.loads(REFERENCE.read_text("utf-8")) if REFERENCE.is_file() else [],
                         ids=lambda known: known["pred"][:16])
def test_the_reference_file_is_met_to_four_digits(known: dict[str, Any]) -> None:
    for older, name in OLDER.items():
        assert round(100 * value(name, known["pred"], known["label"]), 4) == known[older], older


def test_a_known_pair_scores_as_the_older_systems_said() -> None:
    scores = {older: round(100 * value(name, "98+83=171", "98+83=181"), 4) for older, name in OLDER.items()}
    assert scores == {"rouge-1": 80.0, "rouge-2": 75.0, "rouge-l": 80.0, "bleu-4": 75.0624}


@needs_shared
@pytest.mark.slow
def test_bleu_and_rouge_equal_the_bare_libraries_on_a_thousand_pairs() -> None:
    rouge, method = Rouge(), SmoothingFunction().method3
    for answer, reference in zip(*real_pairs(), strict=True):
        said, wanted = " ".join(jieba.cut(answer)), " ".join(jieba.cut(reference))
        told = rouge.get_scores(said, wanted)[0] if said.split() and wanted.split() else None
        for older, name in OLDER.items():
            if older == "bleu-4":
                bare = sentence_bleu([list(reference)], list(answer), smoothing_function=method)
            else:
                bare = told[older]["f"] if told else 0.0
            assert value(name, answer, reference) == pytest.approx(bare, abs=1e-12), (older, answer)


@needs_shared
@pytest.mark.parametrize(("name", "options", "bare"), [
    ("corpus_bleu", {}, BLEU(tokenize="zh", effective_order=True)),
    ("corpus_bleu", {"corpus_bleu_tokenize": "13a"}, BLEU()),
    ("chrf", {}, CHRF()),
    ("chrf", {"chrf_word_order": 2}, CHRF(word_order=2)),
])
def test_corpus_scores_equal_sacrebleu_whole_and_in_parts(name: str, options: dict[str, Any], bare: Any) -> None:
    answers, references = real_pairs()
    metric, row = plugin("metrics", name), Row(options=options)
    wanted = bare.corpus_score(answers, [references]).score
    assert 100 * metric.whole(answers, references, options) == pytest.approx(wanted, abs=1e-9)
    parts = [metric.parts(answer, reference, row) for answer, reference in zip(answers, references, strict=True)]
    columns = zip(*parts, strict=True)
    assert 100 * metric.total([sum(column) for column in columns], options) == pytest.approx(wanted, abs=1e-9)
    told = signature(metric, options).split("|")
    assert told[0] == {"corpus_bleu": "BLEU", "chrf": "chrF2"}[name] + "+" * options.get("chrf_word_order", 0)
    assert set(str(bare.get_signature()).split("|")) - set(told) <= {"eff:no"}


@needs_shared
def test_token_f1_and_distinct_equal_a_plain_count_on_a_thousand_pairs() -> None:
    answers, references = real_pairs()
    seen: Counter[tuple[str, ...]] = Counter()
    for answer, reference in zip(answers, references, strict=True):
        said, wanted = Counter(tokens(answer)), Counter(tokens(reference))
        same = sum(min(count, wanted[word]) for word, count in said.items())
        if same:
            precision, recall = same / said.total(), same / wanted.total()
            assert value("token_f1", answer, reference) == pytest.approx(2 * precision * recall / (precision + recall))
        else:
            assert value("token_f1", answer, reference) == float(not said and not wanted)
        words = tokens(answer)
        seen.update(words[place:place + 2] for place in range(len(words) - 1))
    assert plugin("metrics", "distinct").whole(answers, references) == len(seen) / seen.total()


@needs_shared
def test_a_long_text_cut_in_pieces_has_the_same_words() -> None:
    text = "\n".join(real_pairs()[1][:200])
    assert len(text) > 5 * _older.PIECE
    assert list(_older.words(text)) == jieba.lcut(text)


@needs_shared
def test_older_numbers_by_hand_agree_with_the_last_number_of_the_answers() -> None:
    answers, _ = real_pairs()
    plain = [text for text in answers if re.fullmatch(r"\D*\d{1,9}\D*", text) and not re.search(r"[/.,\u2212-]", text)]
    assert len(plain) > 20
    for text in plain:
        assert value("last_number", text, re.findall(r"\d+", text)[-1]) == 1
