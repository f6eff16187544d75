"""P-Tuning v2: learned keys and values in front of every layer (Liu et al. 2021, arXiv:2110.07602).

The prefix goes in as a cache whose tokens have no position of their own: the text's positions begin at 0, as in the
model's own training. (PEFT's prefix tuning shifts the text's positions; it is another method.)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from studio.engine.batching import Batch
from studio.engine.tuned import Tuned
from studio.errors import InputError

WEIGHTS, CONFIG = "prefix_encoder.safetensors", "prefix_config.json"


class PrefixEncoder(nn.Module):
    """Keys and values of `length` prefix tokens for every layer.

    Without projection they are free numbers `(layers, 2, heads, length, dim)`; with it an embedding goes through
    two linear layers with a tanh between, as in the paper.
    """

    def __init__(self, start: torch.Tensor, projection: bool, width: int) -> None:
        super().__init__()
        self.shape = tuple(start.shape)
        self.projection = projection
        layers, two, heads, length, dim = self.shape
        if projection:
            self.embedding = nn.Parameter(torch.randn(length, width, device=start.device) * 0.5)
            self.into = nn.Linear(width, width, device=start.device)
            self.out = nn.Linear(width, layers * two * heads * dim, device=start.device)
            nn.init.normal_(self.out.weight, std=0.02 / width**0.5)
            mean = start.mean(3)
            self.out.bias.data.copy_(mean.reshape(-1))
        else:
            self.numbers = nn.Parameter(start.clone())

    def forward(self) -> torch.Tensor:
        """`(layers, 2, heads, length, dim)`."""
        if not self.projection:
            return self.numbers
        layers, two, heads, length, dim = self.shape
        made = self.out(torch.tanh(self.into(self.embedding)))
        return made.view(length, layers, two, heads, dim).permute(1, 2, 3, 0, 4)


class Prefix:
    """Adds the encoder's keys and values to a padded batch."""

    def __init__(self, encoder: PrefixEncoder, config: Any) -> None:
        self.encoder = encoder
        self._config = config

    def extend(self, inputs: dict[str, Any], batch: Batch) -> dict[str, Any]:
        """The model's inputs with the prefix as a cache in front of every row."""
        from transformers.cache_utils import DynamicCache

        assert batch.mask is not None
        rows, length = batch.ids.shape[0], self.encoder.shape[3]
        numbers = self.encoder()
        dtype = _cache_dtype(numbers)
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(numbers.to(dtype)):
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
        seen = torch.ones(rows, length, dtype=batch.mask.dtype, device=batch.mask.device)
        return {"input_ids": batch.ids, "past_key_values": cache, "use_cache": True, "position_ids": batch.positions,
                "attention_mask": torch.cat([seen, batch.mask], 1)}


def _cache_dtype(numbers: torch.Tensor) -> torch.dtype:
    kind = numbers.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else numbers.dtype


@torch.no_grad()
def first_numbers(model: Any, length: int, seed: int) -> torch.Tensor:
    """Keys and values that the model itself makes of `length` random tokens.

    Prefixes that begin as real activations learn far better than random ones (Li & Liang 2021, section 7.4); the
    run also shows the shape of the cache, whatever the architecture.
    """
    dice = torch.Generator().manual_seed(seed)
    vocabulary = model.get_input_embeddings().weight.shape[0]
    ids = torch.randint(vocabulary, (1, length), generator=dice).to(model.device)
    training = model.training
    model.eval()
    cache = model(input_ids=ids, use_cache=True).past_key_values
    model.train(training)
    layers = [torch.stack([layer.keys[0], layer.values[0]]) for layer in cache.layers]
    if len({tuple(layer.shape) for layer in layers}) != 1 or layers[0].shape[2] != length:
        raise InputError("prefix_architecture", architecture=type(model).__name__)
    return torch.stack(layers).float()


def tuned(model: Any, length: int, projection: bool, seed: int, base: str) -> Tuned:
    """The model with a fresh prefix; raises InputError prefix_architecture."""
    try:
        start = first_numbers(model, length, seed)
    except (AttributeError, TypeError, IndexError) as error:
        raise InputError("prefix_architecture", architecture=type(model).__name__) from error
    encoder = PrefixEncoder(start, projection, model.config.hidden_size)
    moving = dict(encoder.named_parameters())
    about = {"peft_type": "P_TUNING_V2", "base_model_name_or_path": base, "pre_seq_len": length,
             "prefix_projection": projection, "shape": list(encoder.shape),
             "note": "keys and values (layers, 2, heads, length, dim); text positions begin at 0"}
    return Tuned(model, moving, lambda folder: save(folder, moving, about), lambda folder: load(folder, moving),
                 prefix=Prefix(encoder, model.config))


def save(folder: Path, weights: dict[str, Any], about: dict[str, Any]) -> None:
    """Write prefix_encoder.safetensors and prefix_config.json."""
    from safetensors.torch import save_file

    save_file({name: p.detach().contiguous().cpu() for name, p in weights.items()}, folder / WEIGHTS,
              metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(about, indent=2, ensure_ascii=False), encoding="utf-8")


def read_config(folder: Path) -> dict[str, Any]:
    """prefix_config.json; raises InputError adapter_missing."""
    try:
        return dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise InputError("adapter_missing", path=str(folder)) from None


@torch.no_grad()
def load(folder: Path, weights: dict[str, Any]) -> None:
    """Fill the weights from a folder written by `save`; raises InputError adapter_missing, adapter_mismatch."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise InputError("adapter_missing", path=str(folder / WEIGHTS)) from error
    for name in weights:
        if name not in stored or stored[name].shape != weights[name].shape:
            raise InputError("adapter_mismatch", path=str(folder), name=name)
        weights[name].copy_(stored[name])
