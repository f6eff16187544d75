"""Qwen2 and Qwen3: as Llama, rotated in halves; Qwen2 with biases, Qwen3 with norms of queries and keys."""

from __future__ import annotations

from typing import Any

from studio.exports.gguf.family import (
    Config,
    Family,
    figure,
    head_dim,
    rotary_facts,
    shared_facts,
    unknown_rope,
    windowed,
)


def _facts(config: Config) -> dict[str, Any]:
    facts = shared_facts(config) | rotary_facts(config) | {
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"])}
    if head_dim(config) * figure(config, "num_attention_heads") != figure(config, "hidden_size"):
        facts |= {"attention.key_length": head_dim(config), "attention.value_length": head_dim(config)}
    return windowed(config, facts, config.get("sliding_window") if config.get("use_sliding_window") else None)


FAMILIES = {kind: Family(kind, _facts, refuse=unknown_rope) for kind in ("qwen2", "qwen3")}
