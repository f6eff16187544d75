"""Text comes while tokens come: never half a character, never part of a stop string, and in the end all of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from studio.data.tokenizer_files import TokenizerFiles
from studio.engine.server.words import Vocabulary, Words
from studio.workspace import PROJECT, Workspace

SHARED = PROJECT.parent / "shared" / "data"
FOLDERS = {"starter": Workspace(PROJECT).starter} | {
    name.rpartition("/")[2]: SHARED / name
    for name in ("tokenizers/qwen2.5", "tokenizers/minimind", "tokenizers/gpt2", "tokenizers/mistral",
                 "tokenizers/chatglm3-hf", "models/stories260K", "models/stories3M", "models/zh-poem-750K",
                 "models/cardputer-chat-3M")}
TEXT = ("Hello, world!  Two  spaces.\nA line\u3002\u4f60\u597d\uff0c\u4e16\u754c\uff01 \U0001f600\U0001f468\u200d"
        "\U0001f469\u200d\U0001f467 \u00e9\u00e8 \u9f98 <b>x</b> 12345 don't ... end \U00020000")


@cache
def tokenizer(name: str) -> Tokenizer:
    if not Path(FOLDERS[name]).is_dir():
        pytest.skip(f"needs {name} beside the checkout")
    return TokenizerFiles.of(Path(FOLDERS[name])).tokenizer()


def word_pieces() -> Tokenizer:
    """WordPiece as BERT has it, with its rules for the spaces before signs."""
    words = ["[UNK]", "hello", "wor", "##ld", "##s", ",", ".", "!", "do", "n", "'", "t", "a", "\u4f60", "\u597d"]
    made = Tokenizer(models.WordPiece({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(cleanup=True)
    return made


def pieces(words: Words, ids: Sequence[int]) -> list[str]:
    return [*(words.push(one)[0] for one in ids), words.flush()]


@pytest.mark.parametrize("name", FOLDERS)
def test_the_pieces_joined_are_the_decoded_whole(name: str) -> None:
    made = tokenizer(name)
    vocabulary = Vocabulary(made)
    for text in (TEXT, TEXT[::-1], " leading", "\u4f60", ""):
        ids = made.encode(text, add_special_tokens=False).ids
        found = pieces(Words(vocabulary, skip_special=True), ids)
        assert "".join(found) == made.decode(ids)
        assert not any("\ufffd" in piece for piece in found) or "\ufffd" in made.decode(ids)


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("name", FOLDERS)
def test_tokens_by_chance_are_the_decoded_whole_too(name: str, skips: bool) -> None:
    made = tokenizer(name)
    vocabulary = Vocabulary(made)
    dice = random.Random(name)
    known = [one for one in range(made.get_vocab_size()) if one not in vocabulary.bytes]
    for _ in range(60):
        ids = dice.choices(known, k=80)
        assert "".join(pieces(Words(vocabulary, skip_special=skips), ids)) == \
            made.decode(ids, skip_special_tokens=skips)


def test_word_pieces_keep_their_spaces() -> None:
    made = word_pieces()
    dice = random.Random(3)
    for _ in range(200):
        ids = dice.choices(range(made.get_vocab_size()), k=40)
        assert "".join(pieces(Words(made), ids)) == made.decode(ids)


@pytest.mark.parametrize("name", ["starter", "qwen2.5", "gpt2", "stories260K", "stories3M", "mistral"])
@pytest.mark.parametrize("sign", ["\u9f98", "\U0001f600", "\u00e9", "\U00020000"])
def test_a_character_of_several_tokens_comes_with_its_last(name: str, sign: str) -> None:
    made = tokenizer(name)
    ids = made.encode(f"x{sign}{sign}", add_special_tokens=False).ids
    if sign not in made.decode(ids):
        pytest.skip("the vocabulary cannot spell it")
    words, shown = Words(made), ""
    for one in ids:
        shown += words.push(one)[0]
        assert "\ufffd" not in shown
    assert shown.endswith(sign + sign)  # nothing waits for a token that may never come
    assert words.flush() == ""


def test_half_a_character_at_the_end_is_told_as_the_tokenizer_tells_it() -> None:
    made = tokenizer("starter")
    ids = made.encode("a\U00020000", add_special_tokens=False).ids[:-1]
    words = Words(made)
    assert "".join(words.push(one)[0] for one in ids) == "a"
    assert words.flush() == made.decode(ids)[1:] != ""


@pytest.mark.parametrize("name", FOLDERS)
def test_a_stop_string_is_found_wherever_tokens_part_it(name: str) -> None:
    made = tokenizer(name)
    ids = made.encode(TEXT, add_special_tokens=False).ids
    whole = made.decode(ids)
    dice, vocabulary = random.Random(5), Vocabulary(made)
    for _ in range(40):
        start = dice.randrange(len(whole) - 8)
        stop = whole[start:start + dice.randrange(1, 8)]
        words, shown, ended = Words(vocabulary, [stop, "never there"]), "", False
        for one in ids:
            piece, ended = words.push(one)
            shown += piece
            assert stop not in shown
            if ended:
                break
        shown += words.flush()
        assert shown == whole[:whole.index(stop)]
        assert ended
        assert words.stopped and words.push(ids[0]) == ("", True)


def test_of_several_stop_strings_the_first_ends_the_answer() -> None:
    made = tokenizer("starter")
    ids = made.encode("one two three", add_special_tokens=False).ids
    assert "".join(pieces(Words(made, ["three", "two", ""]), ids)) == "one "


def test_what_only_begins_like_a_stop_string_is_shown_in_the_end() -> None:
    made = tokenizer("starter")
    ids = made.encode("a ## b #", add_special_tokens=False).ids
    words = Words(made, ["###"])
    shown = [words.push(one)[0] for one in ids]
    assert "".join(shown) == "a ## b " and words.flush() == "#" and not words.stopped


def test_a_special_token_is_a_stop_string_even_where_it_is_not_shown() -> None:
    made = tokenizer("starter")
    special = next(iter(Vocabulary(made).special.items()))
    words = Words(made, [special[1]], skip_special=True)
    assert words.push(made.encode("a", add_special_tokens=False).ids[0]) == ("a", False)
    assert words.push(special[0]) == ("", True)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_token_alone_keeps_its_space(name: str) -> None:
    made = tokenizer(name)
    vocabulary = Vocabulary(made)
    ids = made.encode("A b, c. Once upon a time", add_special_tokens=False).ids
    alone = "".join(map(vocabulary.alone, ids))
    assert alone.lstrip() == made.decode(ids, skip_special_tokens=False).lstrip()
    for one, content in vocabulary.special.items():
        assert vocabulary.alone(one) == content


def test_a_long_answer_costs_each_token_the_same() -> None:
    made = tokenizer("starter")
    ids = made.encode(TEXT * 40, add_special_tokens=False).ids
    words = Words(made)
    longest = 0
    for one in ids:
        words.push(one)
        longest = max(longest, len(words._window))
    assert longest < 40
