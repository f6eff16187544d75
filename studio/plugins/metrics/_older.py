"""BLEU-4 and ROUGE as the older ChatGLM tuning systems computed them: jieba, rouge-chinese, nltk.

ROUGE-1 and -2 and the parting into sentences are rouge-chinese's; its table for the longest common subsequence takes
gigabytes from a few thousand words on, so that length is counted here bit by bit (Hyyrö 2004), to the same number.
jieba's search through an unbroken run of Chinese is quadratic: such a run is parted after 2,000 characters.
"""

from __future__ import annotations

import contextlib
import re
from functools import cache, lru_cache
from typing import Any, NamedTuple

from studio.plugins.metrics import remembered
from studio.workspace import Workspace

PIECE = 2000
# A piece ends behind a sign that jieba never joins to a word, so that parting there changes nothing.
_PIECES = re.compile(rf"[\s\S]{{1,{PIECE}}}(?<![\w+#&._%-])|[\s\S]{{1,{PIECE}}}")


class Rouge(NamedTuple):
    """F-measures of one pair, 0 to 1."""

    one: float
    two: float
    longest: float


NOTHING = Rouge(0.0, 0.0, 0.0)


@lru_cache(maxsize=4)  # the three metrics ask for the same pair one after the other
def rouge(answer: str, reference: str) -> Rouge:
    """ROUGE-1, -2 and -L; all 0 when either side has no word."""
    from rouge_chinese import rouge_score

    ours, theirs = words(answer), words(reference)
    if not "".join(ours).strip() or not "".join(theirs).strip():
        return NOTHING
    our_sentences, their_sentences = sentences(" ".join(ours)), sentences(" ".join(theirs))
    one, two = (rouge_score.rouge_n(our_sentences, their_sentences, n)["f"] for n in (1, 2))
    return Rouge(one, two, _longest(our_sentences, their_sentences))


def _longest(ours: list[str], theirs: list[str]) -> float:
    said = [word for sentence in ours for word in sentence.split(" ")]
    wanted = [word for sentence in theirs for word in sentence.split(" ")]
    same = common_subsequence(wanted, said)
    precision, recall = same / len(said), same / len(wanted)
    return 2.0 * precision * recall / (precision + recall + 1e-8)


def common_subsequence(a: list[str], b: list[str]) -> int:
    """The length of the longest common subsequence, in as many steps as the longer list has words."""
    if len(a) > len(b):
        a, b = b, a
    places: dict[str, int] = {}
    for place, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(a)) - 1
    row = every
    for word in b:
        at = row & places.get(word, 0)
        row = ((row + at) | (row - at)) & every
    return len(a) - row.bit_count()


def sentences(text: str) -> list[str]:
    """The sentences that rouge-chinese counts in a text of words with spaces between."""
    return [" ".join(sentence.split()) for sentence in _scorer().cut_sent(text) if sentence]


@cache
def _scorer() -> Any:
    from rouge_chinese import Rouge as Scorer

    return Scorer()


@remembered
def words(text: str) -> tuple[str, ...]:
    """A text cut into words by jieba."""
    cut = _jieba().lcut
    if len(text) <= PIECE:
        return tuple(cut(text))
    return tuple(word for piece in _PIECES.findall(text) for word in cut(piece))


@cache
def _jieba() -> Any:
    """jieba, silent, with its dictionary's cache in the workspace rather than in the folder that all users share."""
    import jieba

    jieba.setLogLevel(60)
    folder = Workspace.at().cache / "jieba"
    with contextlib.suppress(OSError):  # a workspace that cannot be written to: jieba reads its dictionary every time
        folder.mkdir(parents=True, exist_ok=True)
    jieba.dt.tmp_dir = str(folder)
    return jieba


@cache
def _bleu() -> tuple[Any, Any]:
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    return sentence_bleu, SmoothingFunction().method3


def bleu4(answer: str, reference: str) -> float:
    """BLEU-4 over characters with nltk's third smoothing; 0 for an empty answer."""
    sentence_bleu, smoothing = _bleu()
    return float(sentence_bleu([list(reference)], list(answer), smoothing_function=smoothing))
