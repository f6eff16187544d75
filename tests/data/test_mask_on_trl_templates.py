"""The mask on the chat templates that TRL brings: real sources, some of them with TRL's own mask in them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from studio.data.chat import ChatTokenizer
from tests.data.test_mask_on_recorded_templates import tokenizer_folder, trained

FOUND = importlib.util.find_spec("trl")
FOLDER = Path(FOUND.origin).parent / "chat_templates" if FOUND and FOUND.origin else Path("nowhere")
# These want contents as lists of parts, since their models read pictures.
PICTURES = ("idefics3", "llava_next", "smolvlm")
TEMPLATES = [path for path in sorted(FOLDER.glob("*.jinja")) if not path.name.startswith(PICTURES)]
ANSWERS = ("Hello. How can I help?", "It is 4.")
CONVERSATION = [{"role": "user", "content": "Hi there!"}, {"role": "assistant", "content": ANSWERS[0]},
                {"role": "user", "content": "What is 2+2?"}, {"role": "assistant", "content": ANSWERS[1]}]

pytestmark = pytest.mark.skipif(not TEMPLATES, reason="TRL is not installed")


def chat_with(path: Path, folder: Path) -> ChatTokenizer:
    tokenizer_folder(folder, [path.read_text(encoding="utf-8")])
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config["chat_template"] = path.read_text(encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return ChatTokenizer.load(folder)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_every_answer_is_trained_and_no_question(path, tmp_path):
    texts = trained(chat_with(path, tmp_path), CONVERSATION)
    assert len(texts) == 2
    for text, answer in zip(texts, ANSWERS, strict=True):
        before, _, after = text.partition(answer)
        assert answer in text and after.count("<") <= 1  # one end token and no more
        assert not any(turn["content"] in before + after for turn in CONVERSATION)


@pytest.mark.parametrize("path", [path for path in TEMPLATES if path.stem.endswith("_training")],
                         ids=lambda path: path.stem)
def test_what_is_trained_lies_within_the_mask_of_trl(path, tmp_path):
    utils = pytest.importorskip("transformers.utils.chat_template_utils")
    rendered, places = utils.render_jinja_template(
        [CONVERSATION], chat_template=path.read_text(encoding="utf-8"), return_assistant_tokens_mask=True,
        bos_token="<BOS>", eos_token="<EOS>", pad_token="<PAD>")
    theirs = "".join(rendered[0][start:end] for start, end in places[0])
    assert all(text in theirs for text in trained(chat_with(path, tmp_path), CONVERSATION))
