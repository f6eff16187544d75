"""Attention inside each sequence of a flattened row: the cost is the sum of squared lengths, not the square of the sum.

Registered with transformers as the attention `studio_varlen`. An attention that transformers has no mask function for
gets no mask at all (masking_utils), which is what is wanted: the layout alone says who sees whom.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

NAME = "studio_varlen"
# torch's CPU kernel is slower in bfloat16 than in float32 up to about this length (Zen 4: 50 tokens 3 x, 500 1.1 x).
WIDENED = 640


class Layout:
    """The lengths of the sequences in the row being computed; stays set during backward for recomputation.

    `fused` allows kernels that take all sequences at once; the probe turns it off where they do not work.
    """

    lengths: tuple[int, ...] = ()
    cumulative: torch.Tensor | None = None
    fused: bool = True

    @classmethod
    def set(cls, lengths: tuple[int, ...], device: torch.device) -> None:
        """Say which sequences the next row holds; their lengths add up to the row's."""
        cls.lengths = lengths
        cls.cumulative = None
        if device.type == "cuda":
            starts = torch.tensor((0, *lengths), dtype=torch.int32).cumsum(0, dtype=torch.int32)
            cls.cumulative = starts.to(device, non_blocking=True)


def attend(module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
           attention_mask: Any = None, dropout: float = 0.0, scaling: float | None = None,
           sliding_window: int | None = None, **more: Any) -> tuple[torch.Tensor, None]:
    """Causal attention of query `(1, heads, length, dim)` over key and value `(1, kv heads, length, dim)`.

    Returns `(1, length, heads, dim)` as transformers' attention functions do. Raises NotImplementedError for what it
    does not compute (soft-capped scores, learned sinks, position biases): the probe then takes another way.
    """
    if more.get("softcap") is not None or more.get("s_aux") is not None or more.get("position_bias") is not None:
        raise NotImplementedError("attention variant")
    if sliding_window is not None and sliding_window >= max(Layout.lengths):
        sliding_window = None
    fused = _fused(query, dropout)
    if fused is not None:
        return fused(query, key, value, dropout, scaling, sliding_window), None
    grouped = query.shape[1] != key.shape[1]
    pieces = [_one(q, k, v, dropout, scaling, sliding_window, grouped)
              for q, k, v in zip(query.split(Layout.lengths, 2), key.split(Layout.lengths, 2),
                                 value.split(Layout.lengths, 2), strict=True)]
    return torch.cat(pieces, dim=1), None


def _one(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, dropout: float, scaling: float | None,
         window: int | None, grouped: bool) -> torch.Tensor:
    """One sequence; a window that it outgrows needs a mask of its own."""
    length, dtype = query.shape[2], query.dtype
    if dtype == torch.bfloat16 and query.device.type == "cpu" and length <= WIDENED:
        query, key, value = query.float(), key.float(), value.float()
    if window is None or length <= window:
        out = scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True, scale=scaling,
                                           enable_gqa=grouped)
    else:
        ago = torch.arange(length, device=query.device)
        ago = ago[:, None] - ago[None, :]
        out = scaled_dot_product_attention(query, key, value, attn_mask=(ago >= 0) & (ago < window), dropout_p=dropout,
                                           scale=scaling, enable_gqa=grouped)
    return out.transpose(1, 2).to(dtype)


def _fused(query: torch.Tensor, dropout: float) -> Any:
    """A kernel that takes all sequences at once, where this machine has one for these numbers; else None."""
    sixteen = query.dtype in (torch.float16, torch.bfloat16)
    if query.device.type != "cuda" or not sixteen or query.shape[-1] > 256 or not Layout.fused:
        return None
    if _exists("flash_attn"):
        return _flash_attn
    return _torch_varlen if not dropout and _exists("torch.nn.attention.varlen") else None


@cache
def _exists(module: str) -> bool:
    try:
        importlib.import_module(module)
    except (ImportError, OSError, RuntimeError):
        return False
    return True


def _flash_attn(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, dropout: float, scaling: float | None,
                window: int | None) -> torch.Tensor:
    """The kernel of the package flash-attn; shapes as `attend`, a window counts the token itself."""
    from flash_attn import flash_attn_varlen_func

    longest, starts = max(Layout.lengths), Layout.cumulative
    q, k, v = (x[0].transpose(0, 1).contiguous() for x in (query, key, value))
    seen = (-1, -1) if window is None else (window - 1, 0)
    return flash_attn_varlen_func(q, k, v, starts, starts, longest, longest, dropout_p=dropout, softmax_scale=scaling,
                                  causal=True, window_size=seen)[None]


def _torch_varlen(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, dropout: float, scaling: float | None,
                  window: int | None) -> torch.Tensor:
    """torch's own kernel for sequences of different lengths; shapes as `attend`."""
    from torch.nn.attention.varlen import varlen_attn

    longest, starts = max(Layout.lengths), Layout.cumulative
    q, k, v = (x[0].transpose(0, 1).contiguous() for x in (query, key, value))
    seen = (-1, 0) if window is None else (window - 1, 0)
    return varlen_attn(q, k, v, starts, starts, longest, longest, scale=scaling, window_size=seen,
                       enable_gqa=query.shape[1] != key.shape[1])[None]


def register() -> None:
    """Make `studio_varlen` known to transformers."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS[NAME] = attend
