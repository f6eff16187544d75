"""SentencePiece models without its library, against its algorithm written out slowly."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.data import sentencepiece
from studio.data.chat import ChatTokenizer
from studio.data.tokenizer_files import TokenizerFiles
from studio.errors import InputError
from studio.sample import Message, Sample
from tests.data.replay import SHARED

FOLDER = SHARED / "tokenizers/mistral"
FILE = FOLDER / "tokenizer.model.v1"
real = pytest.mark.skipif(not FILE.is_file(), reason="../shared/data/tokenizers/mistral is absent")


def slowly(pieces: sentencepiece.Pieces, text: str) -> list[int]:
    """SentencePiece's own way: join the two neighbours that make the best piece, the leftmost of equals."""
    places = {one: place for place, one in enumerate(pieces.texts)}
    parts = list("▁" + text.replace(" ", "▁")) if text else []
    while True:
        pairs = [(-pieces.scores[places[one + other]], place)
                 for place, (one, other) in enumerate(pairwise(parts)) if one + other in places]
        if not pairs:
            break
        place = min(pairs)[1]
        parts[place:place + 2] = [parts[place] + parts[place + 1]]
    ids = [[places[part]] if part in places else [places[f"<0x{byte:02X}>"] for byte in part.encode()]
           for part in parts]
    return [one for part in ids for one in part]


@real
def test_ids_are_those_of_the_algorithm_and_texts_come_back() -> None:
    pieces, tokenizer = sentencepiece.read(FILE), sentencepiece.tokenizer(FILE)
    assert len(pieces.texts) == 32000 == tokenizer.get_vocab_size()
    words = st.text(st.sampled_from("abcdefgh tion ing12 30,.\n\t你好世界😀é\u0301▁"), max_size=60)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(words)
    def holds(text: str) -> None:
        assert tokenizer.encode(text, add_special_tokens=False).ids == slowly(pieces, text)
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert tokenizer.decode(ids) == text.replace("▁", " ")

    holds()


@real
def test_a_folder_with_such_a_model_alone_is_a_tokenizer() -> None:
    files = TokenizerFiles.of(FOLDER)
    assert files.special == {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    chat = ChatTokenizer.load(FOLDER, "mistral")
    row = chat.encode(Sample((Message("user", "Hi"), Message("assistant", "Hello, 世界!"))))
    assert row.ids[0] == chat.bos_id == 1 and row.ids[-1] == chat.eos_ids[0] == 2
    assert chat.decode(row.ids[slice(*row.spans[0])]) == "Hello, 世界!"


@real
def test_another_model_changes_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(FILE.read_bytes())
    before = TokenizerFiles.of(tmp_path).fingerprint()
    (tmp_path / "tokenizer.model").write_bytes(FILE.read_bytes() + b"\x22\x00")
    assert TokenizerFiles.of(tmp_path).fingerprint() != before


@real
@pytest.mark.parametrize("kept", [1, 7, 1000, 400_000])
def test_a_model_that_is_cut_off_is_one_clear_refusal(kept: int, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(FILE.read_bytes()[:kept])
    with pytest.raises(InputError) as refused:
        ChatTokenizer.load(tmp_path, "mistral")
    assert refused.value.code == "tokenizer_broken"


def test_a_list_of_ranks_under_the_same_name_is_no_such_model(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_text("IQ== 0\nIg== 1\n", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        TokenizerFiles.of(tmp_path)
    assert refused.value.code == "tokenizer_slow"
