"""SentencePiece models read without its library: the pieces out of the protobuf file, as a tokenizer of `tokenizers`.

The format is `sentencepiece_model.proto` of google/sentencepiece: field 1 holds the pieces (text, score, type), field 2
how the model was trained (3: its type, 35: whether unknown characters become bytes, 41 and 42: begin and end), field 3
how a text is normalised before (2: a character map, 3: whether a space is put in front).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

UNKNOWN, CONTROL, USER, BYTE = 2, 3, 4, 6
UNIGRAM, BPE = 1, 2
SPACE = "▁"


@dataclass(frozen=True)
class Pieces:
    """A model's pieces in the order of their ids, and how it cuts texts into them."""

    texts: tuple[str, ...]
    scores: tuple[float, ...]
    kinds: tuple[int, ...]
    model: int
    bytes_for_unknown: bool
    space_in_front: bool
    character_map: bytes
    begin: int
    end: int

    @property
    def special(self) -> dict[str, str]:
        """bos_token, eos_token and unk_token by name."""
        places = {"bos_token": self.begin, "eos_token": self.end,
                  "unk_token": self.kinds.index(UNKNOWN) if UNKNOWN in self.kinds else -1}
        return {name: self.texts[place] for name, place in places.items() if 0 <= place < len(self.texts)}


def looks_like_one(path: Path) -> bool:
    """Whether a file begins as a SentencePiece model does: with a piece."""
    with open(path, "rb") as file:
        return file.read(1) == b"\x0a"


def read(path: Path) -> Pieces:
    """The pieces of a model file; raises ValueError when it is none."""
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=2)
def _read(path: Path, changed: int, size: int) -> Pieces:
    texts, scores, kinds = [], [], []
    trained: dict[int, Any] = {}
    normalised: dict[int, Any] = {}
    for number, value in _fields(path.read_bytes()):
        if number == 1:
            piece = dict(_fields(value))
            texts.append(piece[1].decode("utf-8"))
            scores.append(struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0)
            kinds.append(piece.get(3, 1))
        elif number == 2:
            trained = dict(_fields(value))
        elif number == 3:
            normalised = dict(_fields(value))
    model = trained.get(3, UNIGRAM)
    if not texts or model not in (UNIGRAM, BPE):
        raise ValueError(f"SentencePiece {model}")
    return Pieces(tuple(texts), tuple(scores), tuple(kinds), model, bool(trained.get(35, 0)),
                  bool(normalised.get(3, 1)), normalised.get(2, b""), _id(trained.get(41, 1)), _id(trained.get(42, 2)))


def _id(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value  # -1: there is none


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: numbers as int, everything else as bytes."""
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        kind = key & 7
        if kind == 0:
            value: Any
            value, at = _number(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
            value, at = data[at:at + length], at + length
        elif kind == 2:
            length, at = _number(data, at)
            value, at = data[at:at + length], at + length
        else:
            raise ValueError(f"protobuf {kind}")
        if at > len(data):
            raise ValueError(f"protobuf {at} > {len(data)}")
        yield key >> 3, value


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, and the place behind it."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("protobuf")
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def tokenizer(path: Path) -> Tokenizer:
    """The model as a tokenizer that gives the same ids; raises ValueError."""
    pieces = read(path)
    unknown = pieces.special.get("unk_token")
    if pieces.model == BPE:
        vocabulary = {text: place for place, text in enumerate(pieces.texts)}
        made = Tokenizer(models.BPE(vocabulary, list(_merges(pieces)), unk_token=unknown, fuse_unk=True,
                                    byte_fallback=pieces.bytes_for_unknown))
    else:
        made = Tokenizer(models.Unigram(list(zip(pieces.texts, pieces.scores, strict=True)),
                                        unk_id=pieces.kinds.index(UNKNOWN), byte_fallback=pieces.bytes_for_unknown))
    steps: list[Any] = [normalizers.Precompiled(pieces.character_map)] if pieces.character_map else []
    steps += [normalizers.Prepend(SPACE)] if pieces.space_in_front else []
    made.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", SPACE)])
    back: list[Any] = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    made.decoder = decoders.Sequence([*back, decoders.Strip(" ", 1, 0)] if pieces.space_in_front else back)
    signs = [one for one in zip(pieces.texts, pieces.kinds, strict=True) if one[1] in (UNKNOWN, CONTROL, USER)]
    made.add_tokens([AddedToken(text, special=kind != USER, normalized=False) for text, kind in signs])
    return made


@lru_cache(maxsize=2)
def _merges(pieces: Pieces) -> tuple[tuple[str, str], ...]:
    """Every way to make a piece of two, the best piece first; of one piece, the way with the earlier pieces first."""
    places = {text: place for place, (text, kind) in enumerate(zip(pieces.texts, pieces.kinds, strict=True))
              if kind not in (UNKNOWN, CONTROL, BYTE)}
    found = [(-pieces.scores[place], places[text[:cut]], places[text[cut:]], text[:cut], text[cut:])
             for text, place in places.items() for cut in range(1, len(text))
             if text[:cut] in places and text[cut:] in places]
    return tuple((left, right) for *_, left, right in sorted(found))
