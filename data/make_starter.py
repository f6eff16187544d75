"""Train the starter model from nothing and write data/starter/: `python data/make_starter.py` does everything.

The text comes from the generators in data/making/ and from nowhere else. One seed decides all of it; the same seed on
the same machine gives the same model, and the card states the figures of the run that was shipped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from making import conversations, words
from making.card import write_card
from making.split import Row
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
VOCABULARY = 1280
END, START, PAD = "<|im_end|>", "<|im_start|>", "<|endoftext|>"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
IGNORED = -100
POOL = 2048  # conversations sorted by length at a time, so that rows of a batch are about equally long

Example = tuple[list[int], list[int]]  # token ids, labels


def make_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE learnt from the generated text: every digit its own token, any UTF-8 text encodable."""
    tokenizer = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(tokenizer_text(seed), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START],
        chat_template=TEMPLATE,
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
    )


def tokenizer_text(seed: int) -> Iterator[str]:
    """Conversations as they are trained on, and every word of the small vocabulary so that it has its own token."""
    for messages in itertools.islice(conversations.stream(seed + 1), 30_000):
        for message in messages:
            yield f"{message['role']}\n{message['content']}"
    for english, chinese in words.NUMBERS * 1000:
        yield english
        yield f" {english}"
        yield from chinese


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained Llama of 0.9 million parameters, embeddings tied."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=336,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="sdpa",
    )
    model = LlamaForCausalLM(config)
    model.generation_config.update(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=False, max_new_tokens=128
    )
    return model


def examples(tokenizer: PreTrainedTokenizerFast, seed: int) -> Iterator[list[Example]]:
    """Pools of conversations in tokens, with labels only on what the assistant says and on its end token."""
    stream = conversations.stream(seed)
    line, header = tokenizer.encode("\n"), {}
    for role in ("system", "user", "assistant"):
        header[role] = tokenizer.encode(f"{START}{role}\n")
    while True:
        pool = list(itertools.islice(stream, POOL))
        contents = [message["content"] for messages in pool for message in messages]
        encoded = iter(tokenizer.backend_tokenizer.encode_batch_fast(contents))
        found = []
        for messages in pool:
            ids: list[int] = []
            labels: list[int] = []
            for message in messages:
                said = [*next(encoded).ids, tokenizer.eos_token_id]
                told = message["role"] == "assistant"
                ids += header[message["role"]] + said + line
                labels += [IGNORED] * len(header[message["role"]])
                labels += (said if told else [IGNORED] * len(said)) + [IGNORED] * len(line)
            found.append((ids, labels))
        yield found


def batches(pools: Iterator[list[Example]], tokens: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Ids and labels `(batch, length)` of about `tokens` tokens; rows of similar length, padded on the right.

    No attention mask is needed: causal attention never looks at what stands to the right.
    """
    order = torch.Generator().manual_seed(seed)
    for pool in pools:
        pool.sort(key=lambda example: len(example[0]))
        groups: list[list[Example]] = [[]]
        for example in pool:
            if groups[-1] and (len(groups[-1]) + 1) * len(example[0]) > tokens:
                groups.append([])
            groups[-1].append(example)
        for at in torch.randperm(len(groups), generator=order).tolist():
            width = max(len(ids) for ids, _ in groups[at])
            ids = torch.zeros(len(groups[at]), width, dtype=torch.long)
            labels = torch.full_like(ids, IGNORED)
            for line, (tokens_, marks) in enumerate(groups[at]):
                ids[line, : len(tokens_)] = torch.tensor(tokens_)
                labels[line, : len(marks)] = torch.tensor(marks)
            yield ids, labels


def rate(step: int, steps: int) -> float:
    """Share of the peak learning rate: short warm-up, then a cosine down to one hundredth."""
    warm = min(1.0, (step + 1) / 100)
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def optimizers(model: LlamaForCausalLM, peak: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the embeddings and the norms."""
    inner = [p for p in model.model.layers.parameters() if p.ndim == 2]
    outer = [p for p in model.parameters() if not any(p is q for q in inner)]
    muon = torch.optim.Muon(inner, lr=peak, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    return [muon, torch.optim.AdamW(outer, lr=peak, betas=(0.9, 0.98), weight_decay=0.0)]


def train(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, steps: int, tokens: int, peak: float, seed: int
) -> int:
    """Train in place; the number of tokens seen. Prints a line every 100 steps."""
    model.train()
    used = optimizers(model, peak)
    seen, began = 0, time.process_time()
    stream = batches(examples(tokenizer, seed), tokens, seed)
    for step, (ids, labels) in enumerate(itertools.islice(stream, steps)):
        for optimizer in used:
            for group in optimizer.param_groups:
                group["lr"] = peak * rate(step, steps)
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        wanted = labels[:, 1:] != IGNORED
        loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[wanted]), labels[:, 1:][wanted])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in used:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        seen += ids.numel()
        if step % 100 == 0 or step == steps - 1:
            print(f"step {step}/{steps} loss {loss.item():.4f} {time.process_time() - began:.0f} CPU-s", flush=True)
    return seen


@torch.inference_mode()
def answers(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, rows: list[Row]) -> list[str]:
    """The greedy answer to each row, generated in batches that are padded on the left."""
    model.eval()
    tokenizer.padding_side = "left"
    given: list[str] = []
    for at in range(0, len(rows), 64):
        chats = [[{"role": "user", "content": conversations.question(found)}] for found in rows[at : at + 64]]
        asked = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        made = model.generate(
            input_ids=asked["input_ids"], attention_mask=asked["attention_mask"], max_new_tokens=64, do_sample=False
        )
        given += tokenizer.batch_decode(made[:, asked["input_ids"].shape[1] :], skip_special_tokens=True)
    return given


def examine(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, seed: int, each: int) -> dict[str, float]:
    """Share of exactly right answers for each kind of question."""
    scores = {}
    for kind, rows in conversations.examination(seed + 2, each).items():
        right = [said == row["output"] for said, row in zip(answers(model, tokenizer, rows), rows, strict=True)]
        scores[kind] = sum(right) / len(right)
        print(f"{kind}: {scores[kind]:.3f}", flush=True)
    return scores


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """The model folder as any Hugging Face tool reads it, the template inside tokenizer_config.json."""
    tokenizer.padding_side = "right"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder, save_jinja_files=False)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"  # the names that older transformers know, too
    config["additional_special_tokens"] = config.pop("extra_special_tokens")
    config.pop("backend", None)
    path.write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "starter")
    parser.add_argument("--steps", type=int, default=4200)
    parser.add_argument("--tokens", type=int, default=2048, help="tokens in one step")
    parser.add_argument("--peak", type=float, default=5e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--each", type=int, default=200, help="questions of one kind in the examination")
    chosen = parser.parse_args()
    torch.manual_seed(chosen.seed)
    torch.set_num_threads(1)
    tokenizer = make_tokenizer(chosen.seed)
    model = make_model(tokenizer)
    seen = train(model, tokenizer, chosen.steps, chosen.tokens, chosen.peak, chosen.seed)
    cpu_seconds = time.process_time()
    save(model, tokenizer, chosen.out)
    scores = examine(model, tokenizer, chosen.seed, chosen.each)
    write_card(chosen.out, scores, vars(chosen), seen, round(cpu_seconds))


if __name__ == "__main__":
    main()
