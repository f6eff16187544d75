"""Under the microscope a row is what training makes of it, whatever its tokenizer and template."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from studio.data import plain
from studio.data.catalogue import Entry
from studio.data.chat import NOT_TRAINED, ChatTokenizer, Encoded
from studio.data.microscope import CONTEXT, CUT, TRAINED, look, look_both
from studio.data.pieces import Pieces
from studio.data.tokenizer_files import TokenizerFiles
from studio.data.walk import walk
from studio.errors import InputError
from studio.plugins import kinds
from studio.sample import Message, Sample
from studio.workspace import PROJECT

TOKENIZERS = PROJECT.parent / "shared" / "data" / "tokenizers"
NAMES = ("qwen2.5", "minimind", "chatglm3-hf", "gpt2")
TALK = Sample((Message("user", "龘 hi 😀"), Message("assistant", "好的, ok"), Message("user", "再说一遍"),
               Message("assistant", "Fine 😀 你好!")))
PAIR = Sample((Message("user", "2 + 2?"), Message("assistant", "4")), rejected=(Message("assistant", "five 😀"),))


@pytest.fixture(scope="module", autouse=True)
def read_once() -> Iterator[None]:
    """Every tokenizer is read once, whatever the number of templates."""
    known = {}

    def tokenizer(files: TokenizerFiles) -> Tokenizer:
        if files.folder not in known:
            known[files.folder] = read(files)
        return known[files.folder]

    read = TokenizerFiles.tokenizer
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TokenizerFiles, "tokenizer", tokenizer)
        yield


def load(name: str, template: str = "own", **more: str) -> ChatTokenizer:
    """A published tokenizer from beside the checkout; skips where it is not there or brings no template."""
    if not (TOKENIZERS / name).is_dir():
        pytest.skip("needs the tokenizers beside the checkout")
    found = loaded(name, template, **more)
    if isinstance(found, InputError):
        pytest.skip(found.code)
    return found


@lru_cache(maxsize=200)
def loaded(name: str, template: str, **more: str) -> ChatTokenizer | InputError:
    """A tokenizer with a template, or why there is none."""
    try:
        return ChatTokenizer.load(TOKENIZERS / name, template, **more)
    except InputError as error:
        if error.code not in ("template_missing", "eos_missing"):
            raise
        return error


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("template", kinds("templates"))
def test_its_labels_are_those_of_training_at_every_cutoff(name: str, template: str) -> None:
    chat = load(name, template)
    for options in ((False, False), (True, False), (False, True)):
        whole = chat.encode(TALK, 1 << 30, *options)
        if isinstance(whole, str):
            assert look(chat, TALK, 1 << 30, *options).reason == whole
            continue
        for cutoff in (1 << 30, len(whole.ids) - 1, len(whole.ids) // 2, 8):
            encoded, slide = chat.encode(TALK, cutoff, *options), look(chat, TALK, cutoff, *options)
            if isinstance(encoded, str):
                assert (slide.reason, slide.trained) == (encoded, 0)
            else:
                assert (slide.ids, slide.labels) == (encoded.ids, encoded.labels.tolist())
                assert [token.id for token in slide.tokens if token.state == TRAINED] == \
                    [one for one in encoded.labels.tolist() if one != NOT_TRAINED]
            assert slide.cut == max(0, len(whole.ids) - cutoff)
            assert [token.id for token in slide.tokens] == whole.ids


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("template", kinds("templates"))
def test_the_trained_parts_of_the_text_are_the_words_of_the_assistant(name: str, template: str) -> None:
    chat = load(name, template)
    slide = look(chat, TALK)
    if slide.reason:
        assert isinstance(chat.encode(TALK), str)
        return
    trained = [words for words, state in slide.parts() if state == TRAINED]
    words = [one.content for one in TALK.messages if one.role == "assistant"][-1 if chat.last_only else 0:]
    assert len(trained) == len(words)
    assert all(said in part for said, part in zip(words, trained, strict=True))
    assert "".join(words for words, _ in slide.parts()) == slide.seen


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("template", kinds("templates"))
def test_decoding_what_is_trained_gives_the_words_of_the_assistant(name: str, template: str) -> None:
    chat = load(name, template)
    encoded = chat.encode(TALK)
    assert not isinstance(encoded, str), encoded
    said = [chat.decode(encoded.ids[start:end]) for start, end in encoded.spans]
    words = [one.content for one in TALK.messages if one.role == "assistant"][-len(said):]
    assert said
    assert all(wanted in found for wanted, found in zip(words, said, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_of_all_tokens_together_are_the_text(name: str) -> None:
    chat = load(name, "alpaca")
    text = "龘 hi 😀\n\tdef f(x): return x  # 你好 é ½\x00"
    ids = chat.encode_text(text)
    spelled = b"".join(Pieces(chat.tokenizer).bytes_of(one) for one in ids)
    assert spelled.decode().removeprefix(" ") == text  # sentencepiece writes a space in front


@pytest.mark.parametrize("name", NAMES)
def test_a_part_of_a_character_says_which_character_it_is_a_part_of(name: str) -> None:
    chat = load(name, "alpaca")
    parts = [token for token in look(chat, TALK).tokens if "\ufffd" in token.text]
    assert parts
    assert all(token.part.strip() in ("龘", "😀", "好", "的", "再", "说", "一", "遍", "你") for token in parts)
    assert all(token.bytes and "\ufffd".encode() not in token.bytes for token in parts)


def test_every_token_knows_its_turn() -> None:
    slide = look(load("qwen2.5"), TALK)
    assert [turn.role for turn in slide.turns] == ["user", "assistant", "user", "assistant"]
    for place, message in enumerate(TALK.messages):
        here = b"".join(token.bytes for token in slide.tokens if token.turn == place).decode()
        assert message.content in here
        assert here.startswith("<|im_start|>")
    assert [turn.trained for turn in slide.turns][::2] == [0, 0]
    assert sum(turn.tokens for turn in slide.turns) == len(slide.tokens)
    assert sum(turn.trained for turn in slide.turns) == slide.trained


def test_a_system_message_that_is_put_in_front_is_a_turn_too() -> None:
    slide = look(load("qwen2.5", default_system="Be brief."), TALK)
    assert [turn.role for turn in slide.turns] == ["system", "user", "assistant", "user", "assistant"]
    assert "Be brief." in b"".join(token.bytes for token in slide.tokens if token.turn == 0).decode()


def test_signs_of_the_template_are_special_and_words_are_not() -> None:
    slide = look(load("qwen2.5"), TALK)
    assert {token.text for token in slide.tokens if token.special} == {"<|im_start|>", "<|im_end|>"}


def test_an_end_that_only_training_writes_is_marked_as_added(tmp_path: Path) -> None:
    slide = look(spelled(tmp_path, "{% for m in messages %}{{ m.content }}\n{% endfor %}"), TALK)
    assert [token.added for token in slide.tokens[-2:]] == [False, True]
    assert slide.tokens[-1].state == TRAINED
    assert slide.seen.endswith("你好!<|endoftext|>")
    assert not any(token.added for token in look(load("gpt2", "alpaca"), TALK).tokens)


def test_what_the_template_writes_behind_the_last_end_is_left_off_and_said() -> None:
    slide = look(load("qwen2.5"), TALK)
    assert slide.rest == "\n"
    assert slide.text == slide.seen + slide.rest


def test_a_cut_row_shows_what_is_cut() -> None:
    slide = look(load("qwen2.5"), TALK, 40)
    assert len(slide.ids) == len(slide.labels) == 40
    states = [token.state for token in slide.tokens]
    assert set(states[:40]) <= {TRAINED, CONTEXT} and set(states[40:]) == {CUT}
    assert slide.text.startswith(slide.seen)


def test_a_pair_has_two_slides_which_differ_in_the_answer_alone() -> None:
    chat = load("qwen2.5")
    chosen, rejected = look_both(chat, PAIR)
    encoded = chat.encode_pair(PAIR)
    assert not isinstance(encoded, str)
    for slide, side in zip((chosen, rejected), encoded, strict=True):
        assert (slide.ids, slide.labels) == (side.ids, side.labels.tolist())
    assert [words for words, state in chosen.parts() if state == TRAINED] == ["4<|im_end|>"]
    assert [words for words, state in rejected.parts() if state == TRAINED] == ["five 😀<|im_end|>"]
    assert look(chat, PAIR) == chosen


def test_a_row_that_the_template_refuses_says_why(tmp_path: Path) -> None:
    refusing = spelled(tmp_path, "{% if messages|length > 2 %}{{ raise_exception('no') }}{% endif %}"
                                 "{% for m in messages %}{{ m.content }}{% endfor %}")
    slide = look(refusing, TALK)
    assert (slide.reason, slide.tokens) == ("template_refused", ())


def spelled(folder: Path, template: str) -> ChatTokenizer:
    """GPT-2's tokenizer with a chat template of its own."""
    load("gpt2", "alpaca")
    for path in (TOKENIZERS / "gpt2").iterdir():
        shutil.copyfile(path, folder / path.name)
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return ChatTokenizer.load(folder)


def test_a_plain_text_is_learned_whole_with_its_end() -> None:
    chat = load("qwen2.5")
    slide = look(chat, Sample((), text="Once upon a time 从前"))
    assert slide.seen == "Once upon a time 从前<|im_end|>"
    assert (slide.trained, slide.context, slide.reason) == (len(slide.tokens), 0, "")
    assert look(chat, Sample((), text="Once upon a time 从前"), 3).cut == len(slide.tokens) - 3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", ["tool/lf_glaive_toolcall_zh_demo.json", "tool/lf_reason_tool_use_demo_50.jsonl",
                                  "instruct/cet_oaast_sft_zh.json", "preference/lf_dpo_zh_demo.json",
                                  "pretrain/firefly_dummy_pretrain.jsonl"])
def test_real_rows_with_tools_thinking_and_pairs_are_shown_as_they_are_trained(file: str, name: str) -> None:
    chat = load(name, "own" if name in ("qwen2.5", "minimind") else "qwen3")
    seen = 0
    for _, _, sample in walk(Entry("real", TOKENIZERS.parent / file), limit=10):
        if isinstance(sample, str):
            continue
        for cutoff in (1 << 30, 200):
            slides = look_both(chat, sample, cutoff)
            encoded = _sides(chat, sample, cutoff)
            if isinstance(encoded, str):
                assert {slide.reason for slide in slides} == {encoded}
                continue
            seen += 1
            assert [(slide.ids, slide.labels) for slide in slides] == [
                (side.ids, side.labels.tolist()) for side in encoded]
            for slide in slides:
                assert sum(turn.tokens for turn in slide.turns) == len(slide.tokens) or not slide.turns
    assert seen > 5


def _sides(chat: ChatTokenizer, sample: Sample, cutoff: int) -> tuple[Encoded, ...] | str:
    if sample.text:
        return (plain.encode(chat, sample, cutoff),)
    found = chat.encode_pair(sample, cutoff) if sample.rejected else chat.encode(sample, cutoff)
    return (found,) if isinstance(found, Encoded) else found
