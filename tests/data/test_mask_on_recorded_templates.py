"""The mask on the recorded renderings of 75 public chat templates."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from studio.data import chat as chat_module
from studio.data.chat import ChatTokenizer
from studio.sample import Message, Sample
from tests.data.replay import SPECIAL, Replay, recordings

RECORDED = recordings()
NAMES = sorted(RECORDED.get("rendered", {}))
# Their recordings hold an error in place of a rendering: the template wants tools or functions, or is not valid jinja.
REFUSING = {"CohereForAI-c4ai-command-r-plus-tool_use", "MiroThinker", "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use",
            "NousResearch-Hermes-3-Llama-3.1-8B-tool_use", "fireworks-ai-llama-3-firefunction-v2"}
# Between turns these write no end token: the next question's head follows the answer at once.
HEADED = ("GLM-4.6", "GLM-4.7-Flash", "GLM-5.2")

pytestmark = pytest.mark.skipif(not RECORDED, reason="../shared/data/template_renderings.json is absent")


def replay(name: str) -> Replay:
    found = Replay.of(RECORDED["conversations"], RECORDED["rendered"][name])
    assert isinstance(found, Replay), found
    return found


def tokenizer_folder(folder: Path, texts: list[str]) -> Path:
    """A byte-level tokenizer in which everything in the texts that looks like a special token is one."""
    alphabet = {sign: place for place, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(alphabet, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = sorted({token for text in texts for token in SPECIAL.findall(text)} | {"<BOS>", "<EOS>", "<PAD>"})
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"bos_token": "<BOS>", "eos_token": "<EOS>", "pad_token": "<PAD>", "chat_template": "recorded"}))
    return folder


def chat_of(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ChatTokenizer:
    texts = [text for text in RECORDED["rendered"][name].values() if isinstance(text, str)]
    monkeypatch.setattr(chat_module, "compiled", lambda source: replay(name).render)
    return ChatTokenizer.load(tokenizer_folder(folder, texts))


def sample(conversation: list[dict[str, str]]) -> Sample:
    return Sample(tuple(Message(one["role"], one["content"]) for one in conversation))


def trained(chat: ChatTokenizer, conversation: list[dict[str, str]]) -> list[str]:
    encoded = chat.encode(sample(conversation))
    assert not isinstance(encoded, str), encoded
    labels = encoded.labels
    assert all((label >= 0) == any(a <= place < b for a, b in encoded.spans) for place, label in enumerate(labels))
    return [chat.decode(encoded.ids[start:end], skip_special_tokens=False) for start, end in encoded.spans]


def wanted(name: str, conversation: list[dict[str, str]]) -> list[str]:
    """Answer and end of each turn, read off the recording by another way: by eye put into a rule over its text."""
    found, pieces = [], replay(name)
    roles = "".join(one["role"][0] for one in conversation)
    around = pieces.one if roles == "ua" else pieces.two[-4:] if roles.endswith("uaua") else pieces.two
    answers = [one["content"] for one in conversation if one["role"] == "assistant"]
    for turn, answer in enumerate(answers):
        before, after = around[2 * turn + (roles == "ua")], around[2 * turn + 1 + (roles == "ua")]
        prompt = pieces.prompt
        opening = before[len(prompt):] if prompt is not None and before.startswith(prompt) else ""
        match = re.match(rf"\s*(?:{SPECIAL.pattern})", after)
        end = match[0] if match else ""
        if turn < len(answers) - 1 and name in HEADED:
            end = ""
        if turn == len(answers) - 1 and not end:
            end = "<EOS>"
        found.append((opening if opening.strip() else "") + answer + end)
    return found


def test_all_75_templates_are_accounted_for():
    assert len(NAMES) == 75
    refusing = {name for name in NAMES if isinstance(RECORDED["rendered"][name]["one_turn"], dict)}
    assert refusing == REFUSING


@pytest.mark.parametrize("name", [name for name in NAMES if name not in REFUSING])
def test_trained_text_is_the_answer_and_its_end_token(name, tmp_path, monkeypatch):
    chat = chat_of(name, tmp_path, monkeypatch)
    for kind in ("one_turn", "one_turn_zh", "system_two_turns"):
        conversation = RECORDED["conversations"][kind]
        if not isinstance(RECORDED["rendered"][name][kind], str):
            continue
        assert chat.render(sample(conversation).messages) == RECORDED["rendered"][name][kind]
        assert trained(chat, conversation) == wanted(name, conversation)


@pytest.mark.parametrize("name", ["chatml", "llama-2-chat", "Qwen-Qwen3-0.6B", "vicuna", "GLM-4.6", "chatqa",
                                  "meetkai-functionary-medium-v3.2", "unsloth-Apriel-1.5", "openai-gpt-oss-120b"])
def test_any_words_are_found_in_a_recorded_template(name, tmp_path, monkeypatch):
    chat = chat_of(name, tmp_path, monkeypatch)
    words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(words, words)
    def holds(question: str, answer: str) -> None:
        conversation = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        assert trained(chat, conversation) == wanted(name, conversation)

    holds()
