"""Llama, Mistral and what is built like them: rotation in pairs, so rows of queries and keys change places."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from studio.exports.gguf.family import (
    Change,
    Config,
    Family,
    Item,
    Shape,
    figure,
    head_dim,
    key_heads,
    per_head,
    rope,
    rotary_facts,
    shared_facts,
    unknown_rope,
    windowed,
)


def _facts(config: Config) -> dict[str, Any]:
    facts = shared_facts(config) | rotary_facts(config) | {
        "vocab_size": figure(config, "vocab_size"), "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "rope.dimension_count": head_dim(config), "attention.key_length": head_dim(config),
        "attention.value_length": head_dim(config)}
    return windowed(config, facts, config.get("sliding_window"))


def _changes(name: str, config: Config) -> Change | None:
    if ".attn_q." in name:
        return per_head(figure(config, "num_attention_heads"))
    return per_head(key_heads(config)) if ".attn_k." in name else None


def _extra(config: Config, shapes: Mapping[str, Shape]) -> Iterable[Item]:
    """Llama 3 divides each frequency by a factor of its own."""
    found = rope(config)
    if found.get("rope_type") == "llama3":
        factors = _factors(found, head_dim(config), figure(config, "max_position_embeddings"))
        yield Item("rope_freqs.weight", factors.shape, (), lambda _: factors)


def _factors(found: Mapping[str, Any], width: int, context: int) -> np.ndarray:
    """1 for short waves, `factor` for long ones, in between a smooth way from one to the other (Llama 3.1)."""
    frequencies = 1.0 / float(found["rope_theta"]) ** (np.arange(0, width, 2, dtype=np.float64) / width)
    factor, low, high = (float(found[name]) for name in ("factor", "low_freq_factor", "high_freq_factor"))
    turns = float(found.get("original_max_position_embeddings") or context) * frequencies / (2 * math.pi)
    smooth = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return (1.0 / ((1.0 - smooth) / factor + smooth)).astype(np.float32)


def _refuse(config: Config) -> str | None:
    return unknown_rope(config, ("default", "linear", "yarn", "llama3"))


_LLAMA = Family("llama", _facts, _changes, _extra, refuse=_refuse)
FAMILIES = {"llama": _LLAMA, "mistral": _LLAMA}
