"""Family: how the models of one kind are laid out in a GGUF file, and what is common to all families."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.errors import InputError

Config = Mapping[str, Any]
Change = Callable[[list[np.ndarray]], np.ndarray]
Shape = tuple[int, ...]
ACTIVATIONS = {"silu": ("silu", "swish"), "gelu": ("gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast")}
_NAMES = {
    "hidden_size": ("hidden_size", "n_embd", "n_embed"),
    "num_hidden_layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "num_attention_heads": ("num_attention_heads", "n_head", "num_heads"),
    "intermediate_size": ("intermediate_size", "n_inner", "ffn_hidden_size"),
    "max_position_embeddings": ("max_position_embeddings", "n_positions", "n_ctx", "seq_length"),
    "hidden_act": ("hidden_act", "hidden_activation", "activation_function"),
    "vocab_size": ("vocab_size", "padded_vocab_size"),
}


@dataclass(frozen=True)
class Item:
    """A tensor of the file: `shape` rows first, made of the tensors `of` by `change`, or the first of them as it is."""

    name: str
    shape: Shape
    of: tuple[str, ...]
    change: Change | None = None


@dataclass(frozen=True)
class Family:
    """`arch` is the format's own name. `facts` gives the keys below it; `changes` how a tensor of the format's name is
    made where it is not copied; `extra` what the model's files have no tensor for; `rename` the tensors that are
    stored under names unknown to the format. `refuse` names what of a configuration the format cannot say."""

    arch: str
    facts: Callable[[Config], dict[str, Any]]
    changes: Callable[[str, Config], Change | None] = lambda name, config: None
    extra: Callable[[Config, Mapping[str, Shape]], Iterable[Item]] = lambda config, shapes: ()
    rename: Callable[[str], str] = lambda name: name
    refuse: Callable[[Config], str | None] = lambda config: None
    activation: str = "silu"
    tied: bool = True


def said(config: Config, name: str) -> Any:
    """A figure of a configuration under any of the names that families have for it; None when it is not there."""
    return next((config[one] for one in _NAMES.get(name, (name,)) if config.get(one) is not None), None)


def figure(config: Config, name: str) -> int:
    """A whole number that the configuration must say; raises InputError gguf_config."""
    found = said(config, name)
    if not isinstance(found, int):
        raise InputError("gguf_config", name=name, value=str(found))
    return found


def head_dim(config: Config) -> int:
    """The width of one attention head."""
    return int(config.get("head_dim") or figure(config, "hidden_size") // figure(config, "num_attention_heads"))


def key_heads(config: Config) -> int:
    """The number of key and value heads."""
    return int(config.get("num_key_value_heads") or figure(config, "num_attention_heads"))


def rope(config: Config, kind: str = "full_attention") -> dict[str, Any]:
    """The rotary settings as one table, whichever of the older and newer spellings the configuration has."""
    now = config.get("rope_parameters") or {}
    if isinstance(now.get(kind), Mapping):
        return dict(now[kind])
    found = {name: value for name, value in now.items() if not isinstance(value, Mapping)}
    older = config.get("rope_scaling") or {}
    found = {**older, **found}
    if "rope_type" not in found and "type" in found:
        found["rope_type"] = found["type"]
    for name in ("rope_theta", "partial_rotary_factor"):
        if config.get(name) is not None:
            found.setdefault(name, config[name])
    if config.get("rotary_pct") is not None:
        found.setdefault("partial_rotary_factor", config["rotary_pct"])
    return found


def shared_facts(config: Config) -> dict[str, Any]:
    """The keys that every family has."""
    context = figure(config, "max_position_embeddings")
    return {"context_length": context, "embedding_length": figure(config, "hidden_size"),
            "block_count": figure(config, "num_hidden_layers"),
            "feed_forward_length": int(said(config, "intermediate_size") or 4 * figure(config, "hidden_size")),
            "attention.head_count": figure(config, "num_attention_heads"),
            "attention.head_count_kv": key_heads(config)}


def rotary_facts(config: Config, kind: str = "full_attention", suffix: str = "") -> dict[str, Any]:
    """The keys of rotary positions and of their scaling."""
    found = rope(config, kind)
    facts: dict[str, Any] = {f"rope.freq_base{suffix}": float(found.get("rope_theta") or 10000.0)}
    if found.get("rope_type") == "linear":
        facts |= {"rope.scaling.type": "linear", "rope.scaling.factor": float(found["factor"])}
    if found.get("rope_type") == "yarn":
        facts |= {"rope.scaling.type": "yarn", "rope.scaling.factor": float(found["factor"]),
                  "rope.scaling.original_context_length": int(found.get("original_max_position_embeddings")
                                                              or figure(config, "max_position_embeddings"))}
    return facts


def unknown_rope(config: Config, known: tuple[str, ...] = ("default", "linear", "yarn")) -> str | None:
    """The kind of rotary scaling that a family cannot say in the format."""
    kind = str(rope(config).get("rope_type") or "default")
    return None if kind in known else f"rope_type {kind}"


def windowed(config: Config, facts: dict[str, Any], window: Any) -> dict[str, Any]:
    """The facts for a family whose architecture in the format sees everything: no text longer than the window, in
    which the two are the same."""
    if isinstance(window, int) and window < facts["context_length"]:
        facts["context_length"] = window
    return facts


def per_head(heads: int) -> Change:
    """Rows of rotary projections from halves to pairs, as architectures with pairwise rotation want them."""
    def change(found: list[np.ndarray]) -> np.ndarray:
        old = found[0]
        return old.reshape(heads, 2, old.shape[0] // heads // 2, *old.shape[1:]).swapaxes(1, 2).reshape(old.shape)
    return change


def plus_one(found: list[np.ndarray]) -> np.ndarray:
    """Norms that are stored as their difference from one."""
    return found[0] + np.float32(1.0)


def transposed(found: list[np.ndarray]) -> np.ndarray:
    """Layers that are stored as (in, out)."""
    return np.ascontiguousarray(found[0].T)


def parted(heads: int) -> Change:
    """Query, key and value one after the other, where every head has its three together."""
    def change(found: list[np.ndarray]) -> np.ndarray:
        old = found[0]
        return old.reshape(heads, 3, -1, *old.shape[1:]).swapaxes(0, 1).reshape(old.shape)
    return change
