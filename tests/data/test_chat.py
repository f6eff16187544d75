"""ChatTokenizer against transformers on real tokenizers, and the mask on real templates with any words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.data.chat import ChatTokenizer
from studio.errors import InputError
from studio.sample import Message, Sample
from studio.workspace import PROJECT, Workspace
from tests.data.replay import SHARED

STARTER = Workspace.at(PROJECT).starter
REAL = {"starter": STARTER, "qwen2.5": SHARED / "tokenizers/qwen2.5", "minimind": SHARED / "tokenizers/minimind",
        "chatglm3": SHARED / "tokenizers/chatglm3-hf", "cardputer": SHARED / "models/cardputer-chat-3M"}
PLAIN = {"stories3M": SHARED / "models/stories3M", "gpt2": SHARED / "tokenizers/gpt2",
         "zh-poem": SHARED / "models/zh-poem-750K"}
CONVERSATIONS = [
    [("user", "13+75=?"), ("assistant", "88")],
    [("system", "Be brief."), ("user", "你好，  Hi!"), ("assistant", " Hello\n世界 \n"), ("user", "ok"),
     ("assistant", "😀é\u0301.")],
    [("user", "a"), ("assistant", "b"), ("user", "c\n\n"), ("assistant", "\td  e"), ("user", "f"), ("assistant", "g!")],
]
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(str.strip)


def folder_of(name: str) -> Path:
    folder = {**REAL, **PLAIN}[name]
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is absent (../shared/data or data/starter)")
    return folder


def sample(*turns: tuple[str, str]) -> Sample:
    return Sample(tuple(Message(*turn) for turn in turns))


def said(chat: ChatTokenizer, one: Sample, **options: bool) -> list[str]:
    encoded = chat.encode(one, **options)
    assert not isinstance(encoded, str), encoded
    return [chat.decode(encoded.ids[start:end], skip_special_tokens=False) for start, end in encoded.spans]


@pytest.mark.parametrize("name", REAL)
def test_rendering_and_ids_equal_those_of_transformers(name):
    transformers = pytest.importorskip("transformers")
    folder = folder_of(name)
    theirs, ours = transformers.AutoTokenizer.from_pretrained(folder), ChatTokenizer.load(folder)
    for turns in CONVERSATIONS:
        messages = [{"role": role, "content": content} for role, content in turns]
        for prompt in (False, True):
            text = theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
            assert ours.render(messages, add_generation_prompt=prompt) == text
            ids = theirs.apply_chat_template(messages, add_generation_prompt=prompt, return_dict=False)
            assert ours.encode_text(text) == list(ids)
            assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=True)
    assert ours.eos_ids[0] == theirs.eos_token_id
    assert ours.pad_id == theirs.pad_token_id


@pytest.mark.parametrize("name", PLAIN)
def test_plain_texts_have_the_ids_of_transformers(name):
    transformers = pytest.importorskip("transformers")
    folder = folder_of(name)
    theirs, ours = transformers.AutoTokenizer.from_pretrained(folder), ChatTokenizer.load(folder, "alpaca")
    for text in ("Hello  world\n\n你好 😀 12345", "<s>x</s> y", ""):
        assert ours.encode_text(text) == theirs.encode(text, add_special_tokens=False)


@pytest.mark.parametrize("name", ["starter", "qwen2.5", "minimind", "cardputer"])
def test_trained_are_the_words_and_the_end_in_every_turn(name):
    chat = ChatTokenizer.load(folder_of(name))
    end = chat.tokenizer.id_to_token(chat.eos_ids[0])

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(WORDS, WORDS, WORDS, WORDS)
    def holds(first: str, one: str, second: str, two: str) -> None:
        texts = said(chat, sample(("user", first), ("assistant", one), ("user", second), ("assistant", two)))
        kept = [chat.decode(chat.encode_text(text), False) for text in (one, two)]  # what the vocabulary can hold
        assert [text.removesuffix(end).strip() for text in texts] == [text.strip() for text in kept]
        assert all(text.endswith(end) for text in texts)

    holds()


AWKWARD = st.lists(st.sampled_from([
    " ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u200b", "a", "Hello", "1", ".", "中", "😀", "e\u0301", "\ufb01", "▁",
    "<s>", "</s>", "<|im_end|>", "<|user|>", "[INST]", "User:",
]), min_size=1, max_size=8).map("".join).filter(str.strip)


@pytest.mark.parametrize(("name", "template"), [("qwen2.5", "own"), ("minimind", "own"), ("chatglm3", "own"),
                                                ("chatglm3", "chatml"), ("stories3M", "alpaca"), ("cardputer", "own")])
def test_awkward_words_and_control_tokens_in_the_data_do_not_move_the_mask(name, template):
    chat = ChatTokenizer.load(folder_of(name), template)

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(AWKWARD, AWKWARD), min_size=1, max_size=3))
    def holds(turns: list[tuple[str, str]]) -> None:
        one = sample(*(turn for ask, answer in turns for turn in (("user", ask), ("assistant", answer))))
        for text, (_, answer) in zip(said(chat, one), turns, strict=True):
            shown = "".join(text.split())
            kept = "".join(chat.decode(chat.encode_text(answer), False).split())
            ends = [chat.tokenizer.id_to_token(end) for end in chat.eos_ids]
            assert shown in (kept, "".join(answer.split()), *(kept + end for end in ends),
                             *("".join(answer.split()) + end for end in ends))

    holds()


@pytest.mark.parametrize("name", ["chatglm3", "stories3M", "zh-poem", "gpt2"])
@pytest.mark.parametrize("template", ["chatml", "alpaca"])
def test_named_templates_train_words_and_end_with_any_tokenizer(name, template):
    chat = ChatTokenizer.load(folder_of(name), template)
    end = chat.tokenizer.id_to_token(chat.eos_ids[0])
    answers = ["红 12, 蓝。", "青"] if name == "zh-poem" else ["red 12, blue.", "teal"]
    texts = said(chat, sample(("user", "Name two colours."), ("assistant", answers[0]), ("user", "more"),
                              ("assistant", answers[1])))
    kept = [chat.decode(chat.encode_text(answer), False) for answer in answers]  # what the vocabulary can hold
    assert [text.strip() for text in texts] == [answer + end for answer in kept]


def test_a_template_without_an_end_gets_the_end_token():
    chat = ChatTokenizer.load(folder_of("chatglm3"))
    texts = said(chat, sample(("user", "Hi"), ("assistant", "Hello"), ("user", "And?"), ("assistant", "Bye")))
    assert texts == ["Hello", "Bye</s>"]


def test_thinking_is_learned_where_the_template_keeps_it():
    chat = ChatTokenizer.load(folder_of("minimind"))
    thought = "<think>\nadd\n</think>\n\n88"
    assert said(chat, sample(("user", "13+75"), ("assistant", thought))) == [thought + "<|im_end|>"]
    respaced = said(chat, sample(("user", "13+75"), ("assistant", "<think>add</think>88")))
    assert respaced == [thought + "<|im_end|>"]


def test_thinking_that_a_template_drops_from_history_is_not_looked_for(tmp_path):
    folder = own_template(tmp_path, "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if loop.last %}{{ m.content }}"
                                    "{% else %}{{ m.content.split('</think>')[-1] | trim }}{% endif %}<|im_end|>\n"
                                    "{% endfor %}")
    chat = ChatTokenizer.load(folder)
    texts = said(chat, sample(("user", "a"), ("assistant", "<think>x</think>\n\n1"), ("user", "b"),
                              ("assistant", "<think>y</think>\n\n2")))
    assert texts == ["1<|im_end|>", "<think>y</think>\n\n2<|im_end|>"]


def test_an_answer_that_cannot_be_found_is_a_reason_not_a_guess(tmp_path):
    folder = own_template(tmp_path, "{% for m in messages %}{{ m.content | upper | replace('A', 'b') }}{% endfor %}")
    assert ChatTokenizer.load(folder).encode(sample(("user", "x"), ("assistant", "a longer answer"))) == "mask_unfound"


def test_a_template_that_refuses_a_conversation_is_a_reason(tmp_path):
    folder = own_template(tmp_path, "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}"
                                    "{% endif %}{{ m.content }}<|im_end|>{% endfor %}")
    chat = ChatTokenizer.load(folder)
    assert chat.encode(sample(("system", "s"), ("user", "x"), ("assistant", "y"))) == "template_no_system"
    assert said(chat, sample(("user", "x"), ("assistant", "y"))) == ["y<|im_end|>"]


def test_options_choose_everything_or_the_last_answer():
    chat = ChatTokenizer.load(folder_of("starter"))
    one = sample(("user", "Hi"), ("assistant", "Hello"), ("user", "And?"), ("assistant", "Bye"))
    assert said(chat, one, mask_history=True) == ["Bye<|im_end|>"]
    assert said(chat, one, train_on_prompt=True) == [chat.render(one.messages)]


def test_a_long_row_is_cut_and_one_without_room_for_an_answer_is_a_reason():
    chat = ChatTokenizer.load(folder_of("starter"))
    one = sample(("user", "Hi"), ("assistant", "word " * 100))
    whole = chat.encode(one)
    first = whole.spans[0][0]
    cut = chat.encode(one, cutoff_len=first + 3)
    assert cut.cut and len(cut.ids) == first + 3 and cut.spans == [(first, first + 3)]
    assert (cut.labels[first:] == cut.ids[first:]).all() and (cut.labels[:first] == -100).all()
    assert chat.encode(one, cutoff_len=first) == "prompt_too_long"


def test_a_default_system_text_comes_first_unless_the_row_has_its_own():
    chat = ChatTokenizer.load(folder_of("starter"), default_system="Be kind.")
    assert "Be kind." in chat.render([Message("user", "Hi")])
    assert "Be kind." not in chat.render([Message("system", "Own."), Message("user", "Hi")])


def test_no_template_is_one_clear_refusal():
    with pytest.raises(InputError) as refused:
        ChatTokenizer.load(folder_of("stories3M"))
    assert refused.value.code == "template_missing"


def test_padding_falls_back_and_says_to_what(tmp_path):
    assert ChatTokenizer.load(folder_of("starter")).pad[1] == "pad"
    without = own_template(tmp_path, "{{ messages[0].content }}", pad_token=None)
    chat = ChatTokenizer.load(without)
    assert chat.pad[1] in ("unk", "eos") and chat.pad_id == chat.pad[0]


def test_no_end_token_is_one_clear_refusal(tmp_path):
    folder = own_template(tmp_path, "{% for m in messages %}{{ m.content }}{% endfor %}", eos_token=None)
    with pytest.raises(InputError) as refused:
        ChatTokenizer.load(folder)
    assert refused.value.code == "eos_missing"


@pytest.mark.parametrize("broken", ["{% for m in messages %}", "{{ messages.nowhere.else }}"])
def test_a_template_that_does_not_work_is_one_clear_refusal(tmp_path, broken):
    with pytest.raises(InputError) as refused:
        ChatTokenizer.load(own_template(tmp_path, broken))
    assert refused.value.code == "template_broken"


def test_a_template_cannot_leave_its_sandbox(tmp_path):
    escape = "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ messages[0].content }}"
    with pytest.raises(InputError) as refused:
        ChatTokenizer.load(own_template(tmp_path, escape))
    assert refused.value.code == "template_broken"


def test_templates_in_a_list_or_a_file_of_their_own_are_found(tmp_path):
    folder = own_template(tmp_path, None, chat_template=[{"name": "tool_use", "template": "tools"},
                                                         {"name": "default", "template": "D{{ messages[0].content }}"}])
    assert ChatTokenizer.load(folder).render([Message("user", "x")]) == "Dx"
    (folder / "chat_template.jinja").write_text("F{{ messages[0].content }}", encoding="utf-8")
    assert ChatTokenizer.load(folder).render([Message("user", "x")]) == "Fx"


@pytest.mark.parametrize(("files", "code"), [((), "tokenizer_missing"), (("tokenizer.model",), "tokenizer_slow"),
                                             (("tokenizer.json",), "tokenizer_broken")])
def test_a_folder_without_a_usable_tokenizer_is_one_clear_refusal(tmp_path, files, code):
    for name in files:
        (tmp_path / name).write_text("{}", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        ChatTokenizer.load(tmp_path, "chatml")
    assert refused.value.code == code


def own_template(folder: Path, template: str | None, **changes: object) -> Path:
    """The starter's tokenizer with another template or other settings."""
    target = folder / "model"
    target.mkdir()
    shutil.copy(folder_of("starter") / "tokenizer.json", target)
    config = json.loads((STARTER / "tokenizer_config.json").read_text(encoding="utf-8"))
    config |= {"chat_template": template, **changes}
    (target / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return target


def test_a_preference_becomes_two_conversations_with_one_question():
    chat = ChatTokenizer.load(folder_of("starter"))
    messages = (Message("user", "Hi"), Message("assistant", "Hello"))
    chosen, rejected = chat.encode_pair(Sample(messages, rejected=(Message("assistant", "Go away"),)))
    assert chat.decode(chosen.ids[slice(*chosen.spans[0])], False) == "Hello<|im_end|>"
    assert chat.decode(rejected.ids[slice(*rejected.spans[0])], False) == "Go away<|im_end|>"
    assert chosen.ids[:chosen.spans[0][0]] == rejected.ids[:rejected.spans[0][0]]


def test_a_located_conversation_says_where_turns_and_tokens_stand():
    chat = ChatTokenizer.load(folder_of("starter"))
    found = chat.located(sample(("user", "Hi"), ("assistant", "Hello")))
    assert [found.text[one.start:one.end] for one in found.turns if one.trained] == ["Hello"]
    assert "".join(found.text[start:end] for start, end in found.offsets) == found.text


def test_of_a_preference_every_turn_that_differs_is_trained_and_none_that_is_shared():
    chat = ChatTokenizer.load(folder_of("starter"))
    shared = (Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "More"))
    good = (Message("assistant", "Gladly"), Message("user", "So?"), Message("assistant", "Here"))
    bad = (Message("assistant", "No"), Message("user", "So?"), Message("assistant", "Never"))
    found = chat.encode_pair(Sample((*shared, *good), rejected=bad))
    texts = [[chat.decode(one.ids[start:end]) for start, end in one.spans] for one in found]
    assert texts == [["Gladly", "Here"], ["No", "Never"]]
    assert chat.encode_pairs([Sample((*shared, *good), rejected=bad)] * 2) == [found, found]
    assert chat.encode_pair(Sample((*shared, *good), rejected=bad), cutoff_len=8) == "prompt_too_long"


@pytest.mark.parametrize("prompt", [False, True])
def test_what_stands_before_every_question_is_encoded_once_and_loses_no_token(prompt: bool) -> None:
    chat = ChatTokenizer.load(Workspace().starter, "qwen")
    heading, _ = chat._heading
    assert heading.startswith("<|im_start|>system\n") and heading.endswith("<|im_end|>\n")
    more = Message("user", "?"), Message("assistant", "4")
    rows = [Sample((Message("user", asked), Message("assistant", said), *more))
            for asked, said in (("1+1", "2"), (" two\nlines", "yes "), ("\u00e9", "\u00e9\n\n"))]
    for row, found in zip(rows, chat.encode_batch(rows, train_on_prompt=prompt), strict=True):
        located = chat.located(row)
        assert not isinstance(found, str) and not isinstance(located, str)
        assert found.ids == located.ids[:len(found.ids)] and len(located.ids) - len(found.ids) < 3
        trained = [chat.decode(found.ids[start:end]) for start, end in found.spans]
        assert prompt or [one.strip() for one in trained] == [row.messages[1].content.strip(), "4"]
    with_rules = Sample((Message("system", "Be brief."), *rows[0].messages))
    assert chat.render(with_rules.messages).startswith(chat.decode(chat.encode(with_rules).ids, False)[:40])
