"""Gemma, Gemma 2 and the language model of Gemma 3: norms stored less one, scaled embeddings, windows by turns."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from studio.exports.gguf.family import (
    Change,
    Config,
    Family,
    figure,
    head_dim,
    plus_one,
    rope,
    rotary_facts,
    shared_facts,
    unknown_rope,
)

_EVERY = {"gemma2": 2, "gemma3": 6}  # of so many layers the last sees everything, unless the file says otherwise
_LARGEST = {"gemma2": 46, "gemma3": 62}  # layers of the models whose attention is scaled by hidden / heads


def _facts(arch: str, config: Config) -> dict[str, Any]:
    facts = shared_facts(config) | rotary_facts(config) | {
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]), "attention.key_length": head_dim(config),
        "attention.value_length": head_dim(config)}
    if arch in _EVERY and config.get("sliding_window"):
        facts["attention.sliding_window"] = int(config["sliding_window"])
        turns = _windows(config)
        if turns and turns != [(place + 1) % _EVERY[arch] != 0 for place in range(len(turns))]:
            facts["attention.sliding_window_pattern"] = turns
    if arch == "gemma2":
        facts |= {f"{ours}_logit_softcapping": float(config[theirs]) for ours, theirs in
                  (("attn", "attn_logit_softcapping"), ("final", "final_logit_softcapping")) if config.get(theirs)}
    if arch == "gemma3":
        near = rope(config, "sliding_attention").get("rope_theta") if config.get("rope_parameters") else None
        facts["rope.freq_base_swa"] = float(config.get("rope_local_base_freq") or near or 10000.0)
    return facts


def _windows(config: Config) -> list[bool]:
    """For every layer whether it sees a window only; [] when the configuration does not say."""
    return [one == "sliding_attention" for one in config.get("layer_types") or ()]


def _changes(arch: str, name: str, config: Config) -> Change | None:
    scale = _scale(arch, config)
    if ".attn_q_norm." in name:
        return lambda found: plus_one(found) * scale
    if name.endswith("norm.weight"):
        return plus_one
    return (lambda found: found[0] * scale) if arch == "gemma2" and ".attn_q." in name and scale != 1 else None


def _scale(arch: str, config: Config) -> np.float32:
    """What queries are multiplied by where the model divides by another number than the architecture does."""
    heads = figure(config, "num_attention_heads")
    large = figure(config, "num_hidden_layers") == _LARGEST.get(arch)
    there = figure(config, "hidden_size") // heads if large else head_dim(config)
    return np.float32((there / float(config.get("query_pre_attn_scalar") or there)) ** 0.5)


def _refuse(arch: str, config: Config) -> str | None:
    if arch == "gemma2" and not config.get("final_logit_softcapping"):
        return "final_logit_softcapping"
    if arch == "gemma3" and config.get("attn_logit_softcapping"):
        return "attn_logit_softcapping"
    return unknown_rope(config)


def _family(arch: str) -> Family:
    return Family(arch, partial(_facts, arch), partial(_changes, arch), refuse=partial(_refuse, arch),
                  activation="gelu")


FAMILIES = {"gemma": _family("gemma"), "gemma2": _family("gemma2"), "gemma3_text": _family("gemma3")}
