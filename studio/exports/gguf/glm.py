"""GLM: half of every head rotates, in pairs as stored.

ChatGLM2 and 3 in their own spelling (`chatglm`), the same in transformers' (`glm`), and GLM-4-0414 (`glm4`). The first
ChatGLM, with its positions in two dimensions, is not in the format.
"""

from __future__ import annotations

from typing import Any

from studio.exports.gguf.family import Config, Family, head_dim, rope, rotary_facts, shared_facts, unknown_rope


def _facts(config: Config) -> dict[str, Any]:
    turned = head_dim(config) * float(rope(config).get("partial_rotary_factor") or 0.5)
    return shared_facts(config) | rotary_facts(config) | {
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]), "rope.dimension_count": int(turned),
        "attention.key_length": head_dim(config), "attention.value_length": head_dim(config)}


def _original_facts(config: Config) -> dict[str, Any]:
    heads, groups = int(config["num_attention_heads"]), config.get("multi_query_attention")
    width = int(config.get("kv_channels") or config["hidden_size"] // heads)
    return {"context_length": int(config["seq_length"]), "embedding_length": int(config["hidden_size"]),
            "block_count": int(config["num_layers"]), "feed_forward_length": int(config["ffn_hidden_size"]),
            "attention.head_count": heads,
            "attention.head_count_kv": int(config["multi_query_group_num"] if groups else heads),
            "attention.key_length": width, "attention.value_length": width, "rope.dimension_count": width // 2,
            "attention.layer_norm_rms_epsilon": float(config["layernorm_epsilon"]),
            "rope.freq_base": 10000.0 * float(config.get("rope_ratio") or 1.0)}


def _unlike(config: Config) -> str | None:
    if "ffn_hidden_size" not in config:
        return "position_encoding_2d"
    usual = {"rmsnorm": True, "add_bias_linear": False, "apply_residual_connection_post_layernorm": False,
             "post_layer_norm": True}
    return next((name for name, value in usual.items() if config.get(name, value) != value), None)


_ORIGINAL = Family("chatglm", _original_facts, rename=lambda name: name.removeprefix("transformer."), refuse=_unlike)
FAMILIES = {"chatglm": _ORIGINAL, "glm": Family("chatglm", _facts, refuse=unknown_rope),
            "glm4": Family("glm4", _facts, refuse=unknown_rope)}
