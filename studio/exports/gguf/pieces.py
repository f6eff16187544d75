"""SentencePiece's way of merging as llama.cpp does it, to know beforehand whether a tokenizer is one of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SPACE = "▁"


def scores(vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> list[float]:
    """A score for every piece, so that merging the best pair first follows the order of the merges."""
    last = -float(len(merges) + 1)
    found = [last] * (max(vocabulary.values()) + 1)
    for rank, (left, right) in enumerate(merges):
        place = vocabulary.get(left + right)
        if place is not None and found[place] == last:
            found[place] = -float(rank + 1)
    return found


def encode(text: str, vocabulary: Mapping[str, int], values: Sequence[float], space_in_front: bool) -> list[int]:
    """The ids of a text without special tokens; what is no piece becomes bytes. For short texts: quadratic."""
    signs = list((SPACE if space_in_front else "") + text.replace(" ", SPACE))
    while True:
        best = max(((values[vocabulary[pair]], -place) for place, pair in _pairs(signs) if pair in vocabulary),
                   default=None)
        if best is None:
            break
        place = -best[1]
        signs[place:place + 2] = [signs[place] + signs[place + 1]]
    found: list[int] = []
    for sign in signs:
        if sign in vocabulary:
            found.append(vocabulary[sign])
        else:
            found += [vocabulary.get(f"<0x{byte:02X}>", -1) for byte in sign.encode()]
    return found


def _pairs(signs: Sequence[str]) -> list[tuple[int, str]]:
    return [(place, signs[place] + signs[place + 1]) for place in range(len(signs) - 1)]
