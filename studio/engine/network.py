"""Network: a model and the proven way to run it on a batch, from token ids to the summed loss.

Two ways to attend: a flattened row with attention inside each sequence, or padded batches with the model's own
attention, for models that flattening would change (BLOOM) or whose attention cannot be exchanged (GPT-Neo).
Two ways to the loss: the head applied to the labelled positions only, or the model's own forward with
`logits_to_keep` for models that do more than a head (Gemma 2, Cohere, Granite …). For architectures in PROVED both are
known by test on a CPU; any other, and every kernel of a GPU, is probed at the start with two short sequences.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch

from studio.engine import attention
from studio.engine.attention import Layout
from studio.engine.batching import Batch
from studio.engine.head import HeadLoss
from studio.engine.loading import PROVED
from studio.engine.numerics import Numbers

TOLERANCE = 2e-3


@dataclass
class Network:
    """`flat`: batches are flattened; `plain_head`: the loss is the output layer and cross-entropy, nothing else."""

    model: Any
    numbers: Numbers
    flat: bool
    plain_head: bool
    prefix: Any = None

    def loss_sum(self, batch: Batch) -> torch.Tensor:
        """Sum of the cross-entropies of a batch's labelled tokens, a float32 scalar with gradients."""
        if not batch.trained:
            return torch.zeros((), device=self.numbers.device)
        with self.numbers.autocast():
            if self.plain_head:
                return self._by_head(batch)
            logits = self._logits(batch)
        return torch.nn.functional.cross_entropy(logits.float(), batch.targets, reduction="sum")

    def _inputs(self, batch: Batch) -> dict[str, Any]:
        inputs: dict[str, Any] = {"input_ids": batch.ids, "use_cache": False}
        if self.flat:
            Layout.set(batch.lengths, batch.ids.device)
            return inputs | {"position_ids": batch.positions}
        inputs["attention_mask"] = batch.mask
        return self.prefix.extend(inputs, batch) if self.prefix is not None else inputs

    def _by_head(self, batch: Batch) -> torch.Tensor:
        hidden = self.model.get_decoder()(**self._inputs(batch)).last_hidden_state
        hidden = hidden.reshape(-1, hidden.shape[-1]).index_select(0, batch.labelled)
        head = self.model.get_output_embeddings()
        with torch.autocast(self.numbers.device.type, enabled=False):
            return HeadLoss.apply(hidden, head.weight, head.bias, batch.targets, self.numbers.compute)

    def _logits(self, batch: Batch) -> torch.Tensor:
        """The model's own logits at the labelled positions `(labelled, vocab)`."""
        if self.flat and "logits_to_keep" in inspect.signature(self.model.forward).parameters:
            return self.model(**self._inputs(batch), logits_to_keep=batch.labelled).logits[0]
        logits = self.model(**self._inputs(batch)).logits
        return logits.reshape(-1, logits.shape[-1]).index_select(0, batch.labelled)


def connect(model: Any, numbers: Numbers, wanted: str, prefix: Any = None) -> Network:
    """The network of a freshly loaded model; `wanted` is the argument flash_attn, a prefix asks for padded batches."""
    attention.register()
    on_cpu = numbers.device.type == "cpu"
    if wanted in ("auto", "sdpa") and prefix is None and model.config.model_type in PROVED and on_cpu:
        model.config._attn_implementation = attention.NAME
        return Network(model, numbers, flat=True, plain_head=True)
    plain_head = _head_is_plain(model)
    if prefix is None and wanted != "eager":
        own = model.config._attn_implementation
        model.config._attn_implementation = own if wanted == "fa2" else attention.NAME
        for Layout.fused in (True, False) if not on_cpu else (True,):
            if _flattening_is_exact(model):
                return Network(model, numbers, flat=True, plain_head=plain_head)
        model.config._attn_implementation = own
    return Network(model, numbers, flat=False, plain_head=plain_head, prefix=prefix)


def _sample(model: Any) -> list[torch.Tensor]:
    """Two short sequences of different tokens."""
    vocabulary = model.get_input_embeddings().weight.shape[0]
    first = torch.arange(3, 10, device=model.device) % vocabulary
    return [first, torch.arange(20, 31, device=model.device) % vocabulary]


@torch.no_grad()
def _head_is_plain(model: Any) -> bool:
    """Whether the logits are the output layer on the decoder's last hidden state and nothing more."""
    ids = _sample(model)[1][None]
    try:
        head = model.get_output_embeddings()
        if type(head) is not torch.nn.Linear:
            return False
        hidden = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
        return _close(head(hidden), model(input_ids=ids, use_cache=False).logits)
    except (AttributeError, NotImplementedError, TypeError):
        return False


@torch.no_grad()
def _flattening_is_exact(model: Any) -> bool:
    """Whether two sequences in one row get the logits that each gets alone."""
    first, second = _sample(model)
    training, own = model.training, model.config._attn_implementation
    model.eval()
    try:
        ids = torch.cat([first, second])[None]
        positions = torch.cat([torch.arange(len(first)), torch.arange(len(second))])[None].to(ids.device)
        Layout.set((len(first), len(second)), ids.device)
        together = model(input_ids=ids, position_ids=positions, use_cache=False).logits[0]
        model.config._attn_implementation = "eager"
        alone = [model(input_ids=one[None], use_cache=False).logits[0] for one in (first, second)]
        return _close(together, torch.cat(alone))
    except (NotImplementedError, TypeError, ValueError, KeyError, RuntimeError, IndexError):
        return False
    finally:
        model.config._attn_implementation = own
        model.train(training)


def _close(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal but for rounding; bfloat16 rounds to about three digits."""
    coarse = a.dtype != torch.float32
    a, b = a.float(), b.float()
    return bool((a - b).abs().max() <= (0.05 if coarse else TOLERANCE) * b.abs().max().clamp(min=1.0))
