"""GPT-2, GPT-Neo, GPT-NeoX and BLOOM: norms with biases, query, key and value in one tensor.

GPT-Neo is not in the format. It is a GPT-2 whose attention is not scaled and, in every second layer, sees a window:
so queries are scaled beforehand, and the context ends where the window does, up to which the two are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
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
    parted,
    rope,
    rotary_facts,
    shared_facts,
    transposed,
    unknown_rope,
)


def _facts(config: Config) -> dict[str, Any]:
    return shared_facts(config) | {"attention.layer_norm_epsilon": _epsilon(config)}


def _epsilon(config: Config) -> float:
    return float(config.get("layer_norm_epsilon") or config.get("layer_norm_eps") or 1e-5)


# ---- GPT-2 ----

def _gpt2(name: str, config: Config) -> Change | None:
    layers = (".attn_qkv.weight", ".attn_output.weight", ".ffn_up.weight", ".ffn_down.weight")
    return transposed if name.endswith(layers) else None


def _unlike_gpt2(config: Config) -> str | None:
    unlike = {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False}
    return next((name for name, usual in unlike.items() if config.get(name, usual) != usual), None)


# ---- GPT-Neo ----

def _context(config: Config) -> int:
    windows = "local" in (config.get("attention_layers") or ["local"])
    whole = figure(config, "max_position_embeddings")
    return min(whole, int(config.get("window_size") or whole)) if windows else whole


def _neo_facts(config: Config) -> dict[str, Any]:
    return _facts(config) | {"context_length": _context(config)}


def _neo(name: str, config: Config) -> Change | None:
    return (lambda found: found[0][:_context(config)]) if name == "position_embd.weight" else None


def _neo_extra(config: Config, shapes: Mapping[str, Shape]) -> Iterable[Item]:
    width, scale = figure(config, "hidden_size"), np.float32(head_dim(config) ** 0.5)
    for layer in range(figure(config, "num_hidden_layers")):
        parts = tuple(f"transformer.h.{layer}.attn.attention.{one}_proj.weight" for one in "qkv")
        yield Item(f"blk.{layer}.attn_qkv.weight", (3 * width, width), parts,
                   lambda found: np.concatenate([found[0] * scale, *found[1:]]))
        yield Item(f"blk.{layer}.attn_qkv.bias", (3 * width,), (), lambda _: np.zeros(3 * width, np.float32))


# ---- GPT-NeoX, BLOOM ----

def _neox_facts(config: Config) -> dict[str, Any]:
    turned = head_dim(config) * float(rope(config).get("partial_rotary_factor") or 0.25)
    return _facts(config) | rotary_facts(config) | {
        "rope.dimension_count": int(turned), "use_parallel_residual": bool(config.get("use_parallel_residual", True))}


def _bloom_facts(config: Config) -> dict[str, Any]:
    """BLOOM has no position embeddings, so no limit; the length of its training where it is known."""
    known = dict(config)
    known.setdefault("seq_length", 2048)
    known.pop("max_position_embeddings", None)
    return _facts(known)


def _qkv(name: str, config: Config) -> Change | None:
    return parted(figure(config, "num_attention_heads")) if ".attn_qkv." in name else None


def _like_training(config: Config) -> str | None:
    unlike = "apply_residual_connection_post_layernorm"
    return unlike if config.get(unlike) else None


_gelu = partial(Family, activation="gelu")
FAMILIES = {
    "gpt2": _gelu("gpt2", _facts, _gpt2, refuse=_unlike_gpt2),
    "gpt_neo": _gelu("gpt2", _neo_facts, _neo, _neo_extra),
    "gpt_neox": _gelu("gptneox", _neox_facts, _qkv, refuse=unknown_rope, tied=False),
    "bloom": _gelu("bloom", _bloom_facts, _qkv, rename=lambda name: name.removeprefix("transformer."),
                   refuse=_like_training),
}
