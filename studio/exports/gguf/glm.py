"""GLM: ChatGLM3's successors (`glm`) and GLM-4-0414 (`glm4`): half of every head rotates, in pairs as stored."""

from __future__ import annotations

from typing import Any

from studio.exports.gguf.family import Config, Family, head_dim, rope, rotary_facts, shared_facts, unknown_rope


def _facts(config: Config) -> dict[str, Any]:
    turned = head_dim(config) * float(rope(config).get("partial_rotary_factor") or 0.5)
    return shared_facts(config) | rotary_facts(config) | {
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]), "rope.dimension_count": int(turned),
        "attention.key_length": head_dim(config), "attention.value_length": head_dim(config)}


FAMILIES = {"glm": Family("chatglm", _facts, refuse=unknown_rope), "glm4": Family("glm4", _facts, refuse=unknown_rope)}
