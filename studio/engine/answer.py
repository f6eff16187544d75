"""Greedy answers to many questions, for scores: a model, an adapter on it, questions in, answers out.

    python -m studio.engine.answer MODEL_FOLDER [ADAPTER_FOLDER] < questions.jsonl > answers.jsonl

A question is `{"messages": [{"role": …, "content": …}, …]}`, an answer `{"answer": …}`, in the same order; each batch
is written as soon as it is answered. The chat template is the model's own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from studio.data.chat import ChatTokenizer
from studio.engine import adapters

BATCH_ROWS = 32
MOST_NEW_TOKENS = 64


def main(argv: Sequence[str]) -> int:
    """Answer what stands on stdin; 2 when called wrongly."""
    if len(argv) not in (1, 2):
        print("usage: python -m studio.engine.answer MODEL_FOLDER [ADAPTER_FOLDER]", file=sys.stderr)
        return 2
    folder = Path(argv[0])
    model = loaded(folder, Path(argv[1]) if len(argv) > 1 else None)
    chat = ChatTokenizer.load(folder)
    questions = [json.loads(line)["messages"] for line in sys.stdin if line.strip()]
    for answer in answers(model, chat, questions):
        print(json.dumps({"answer": answer}, ensure_ascii=False), flush=True)
    return 0


def loaded(folder: Path, adapter: Path | None) -> Any:
    """The model in float32 for answering, with the adapter worked into its weights."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(
        str(folder), dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    if adapter is not None:
        adapters.load(adapter, adapters.attach(model, adapters.read_shape(adapter)))
        adapters.merge(model)
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


def answers(
    model: Any,
    chat: ChatTokenizer,
    questions: Iterable[Any],
    *,
    rows: int = BATCH_ROWS,
    most_new_tokens: int = MOST_NEW_TOKENS,
) -> Iterator[str]:
    """The model's likeliest answer to each question, in order."""
    prompts = [chat.encode_text(chat.render(question, add_generation_prompt=True)) for question in questions]
    for start in range(0, len(prompts), rows):
        batch = prompts[start : start + rows]
        width = max(map(len, batch))
        ids = torch.tensor([[chat.pad_id] * (width - len(prompt)) + prompt for prompt in batch], device=model.device)
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in batch], device=model.device)
        with torch.inference_mode():
            said = model.generate(
                ids,
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=most_new_tokens,
                eos_token_id=list(chat.eos_ids),
                pad_token_id=chat.pad_id,
            )
        for row in said[:, width:].tolist():
            end = next((place for place, one in enumerate(row) if one in chat.eos_ids), len(row))
            yield chat.decode(row[:end]).strip()


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(main(sys.argv[1:]))
