"""The loss of a flattened or packed batch is the loss of the same rows padded, to five digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.engine import loading, network
from studio.engine.attention import Layout
from studio.engine.batching import Plan, flattened, padded
from studio.engine.numerics import Numbers
from tests.engine.workbench import make_model, shared_model

FP32 = Numbers(torch.device("cpu"), torch.float32, torch.float32)
FAMILIES = {
    "llama": dict(num_key_value_heads=2), "qwen2": dict(num_key_value_heads=2),
    "qwen3": dict(num_key_value_heads=2, head_dim=8),
    "mistral": dict(num_key_value_heads=2, sliding_window=7, head_dim=8),
    "gemma2": dict(num_key_value_heads=2, head_dim=8, sliding_window=7, query_pre_attn_scalar=8),
    "gemma3_text": dict(num_key_value_heads=2, head_dim=8, sliding_window=7),
    "cohere": dict(num_key_value_heads=2, logit_scale=0.3), "granite": dict(num_key_value_heads=2, logits_scaling=3.0),
    "phi3": dict(num_key_value_heads=2), "gpt2": dict(n_embd=32, n_head=4, n_layer=2),
    "bloom": dict(n_head=4, n_layer=2), "glm": dict(num_key_value_heads=2, head_dim=8),
    "gpt_neox": {}, "opt": dict(ffn_dim=64, word_embed_proj_dim=32), "olmo2": dict(num_key_value_heads=2),
}


class Rows:
    """Random rows of mixed lengths in the manner of TokenRows."""

    def __init__(self, count: int, vocabulary: int, longest: int = 40, seed: int = 0) -> None:
        dice = np.random.default_rng(seed)
        self._rows = []
        for _ in range(count):
            ids = dice.integers(3, vocabulary, size=int(dice.integers(4, longest)), dtype=np.int32)
            labels = ids.copy()
            labels[:len(ids) // 3] = -100
            self._rows.append((ids, labels))
        self.lengths = np.array([len(ids) for ids, _ in self._rows])

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        return self._rows[i]


def reference(model: Any, rows: Rows, chosen: Any) -> torch.Tensor:
    """transformers' own loss over a right-padded batch."""
    longest = max(rows.lengths[i] for i in chosen)
    ids = torch.zeros(len(chosen), longest, dtype=torch.long)
    labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
    for n, i in enumerate(chosen):
        row_ids, row_labels = rows.row(i)
        ids[n, :len(row_ids)], labels[n, :len(row_ids)] = torch.tensor(row_ids), torch.tensor(row_labels)
        mask[n, :len(row_ids)] = 1
    return model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_batch_has_the_loss_of_its_padded_rows(kind: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = make_model(tmp_path, kind, **FAMILIES[kind])
    theirs = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    ours = network.connect(AutoModelForCausalLM.from_pretrained(folder).eval(), FP32, "auto")
    rows = Rows(5, theirs.config.vocab_size)
    batch = (flattened if ours.flat else padded)(rows, range(5), 0)
    loss = ours.loss_sum(batch) / batch.trained
    assert abs(float(loss) - float(reference(theirs, rows, range(5)))) < 1e-5
    if kind in loading.PROVED:
        assert ours.flat and ours.plain_head


@pytest.mark.parametrize("name", ["stories3M", "stories260K", "cardputer-chat-3M"])
def test_published_models_have_the_loss_and_gradients_of_the_padded_reference(name: str) -> None:
    from transformers import AutoModelForCausalLM

    folder = shared_model(name)
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    ours = network.connect(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), FP32, "auto")
    rows = Rows(6, theirs.config.vocab_size, longest=100)
    expected = reference(theirs, rows, range(6))
    expected.backward()
    batch = (flattened if ours.flat else padded)(rows, range(6), 0)
    loss = ours.loss_sum(batch) / batch.trained
    loss.backward()
    assert abs(float(loss) - float(expected)) < 1e-5
    for (their_name, their), our in zip(theirs.named_parameters(), ours.model.parameters(), strict=True):
        if their.grad is not None:
            allowed = 1e-5 * float(their.grad.abs().max() + 1e-3)
            assert torch.allclose(their.grad, our.grad, atol=allowed, rtol=1e-3), their_name


def test_a_packed_batch_has_the_mean_of_its_rows(llama: str) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(llama).eval()
    rows = Rows(30, model.config.vocab_size)
    ours = network.connect(model, FP32, "auto")
    pack = max(Plan(rows.lengths, 2, 1, pack_tokens=200).epoch(0), key=len)
    assert len(pack) > 3 and rows.lengths[pack].sum() <= 200
    together = float(ours.loss_sum(flattened(rows, pack, 0)))
    alone = sum(float(ours.loss_sum(flattened(rows, [i], 0))) for i in pack)
    assert abs(together - alone) < 1e-4 * alone


def test_no_row_sees_another_nor_the_padding(llama: str) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(llama).eval()
    rows, others = Rows(3, model.config.vocab_size, seed=1), Rows(3, model.config.vocab_size, seed=2)
    ours = network.connect(model, FP32, "auto")
    mixed = Rows(0, 10)
    mixed._rows = [others._rows[0], rows._rows[1], others._rows[2]]
    hidden = []
    for source in (rows, mixed):
        batch = flattened(source, range(3), 0, 64)
        Layout.set(batch.lengths, batch.ids.device)
        start = batch.lengths[0]
        out = model.get_decoder()(input_ids=batch.ids, position_ids=batch.positions, use_cache=False).last_hidden_state
        hidden.append(out[0, start:start + batch.lengths[1]])
    assert ours.flat and torch.allclose(*hidden, atol=1e-6)


def test_padding_stays_below_five_per_cent_on_mixed_lengths() -> None:
    rows = Rows(400, 50, longest=300)
    for collate, rounding, grouped in ((flattened, 64, False), (flattened, 1, False), (padded, 1, True)):
        plan = Plan(rows.lengths, 8, 3, grouped=grouped)
        batches = [collate(rows, chosen, 0, rounding) for chosen in plan.epoch(0)]
        assert sorted(i for chosen in plan.epoch(0) for i in chosen) == list(range(400))
        useless = 1 - sum(b.tokens for b in batches) / sum(b.ids.numel() for b in batches)
        assert useless <= 0.05, (collate.__name__, rounding, useless)


def test_sixteen_bit_attention_is_close_to_float32(llama: str) -> None:
    from transformers import AutoModelForCausalLM

    rows = Rows(4, 100)
    wide = network.connect(AutoModelForCausalLM.from_pretrained(llama), FP32, "auto")
    half = Numbers(torch.device("cpu"), torch.bfloat16, torch.bfloat16)
    narrow = network.connect(AutoModelForCausalLM.from_pretrained(llama, dtype=torch.bfloat16), half, "auto")
    batch = flattened(rows, range(4), 0, 64)
    a, b = (float(net.loss_sum(batch)) for net in (wide, narrow))
    assert abs(a - b) < 0.02 * a
