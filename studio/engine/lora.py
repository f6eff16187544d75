"""LoRA layers of our own: PEFT's mathematics and its files, without its import.

Importing peft costs a CPU-second, as much as torch. Hu et al. 2021 (LoRA), Kalajdzievski 2023 (rank-stabilised),
Liu et al. 2024 (DoRA). The tests hold logits, gradients and files equal to PEFT's.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn.functional import dropout, linear

_CONV1D = "Conv1D"
_QUANTIZED = ("Linear4bit", "Linear8bitLt")


def is_linear(module: nn.Module) -> bool:
    """Whether LoRA can sit on the module: a linear layer, GPT-2's transposed one, or a quantized one."""
    return isinstance(module, nn.Linear) or type(module).__name__ in (_CONV1D, *_QUANTIZED)


class Lora(nn.Module):
    """A linear layer and its low-rank addition `scaling * B A x`; `magnitude` makes it DoRA.

    A `(rank, in)`, B `(out, rank)`, both float32; B is zero at first, so the layer begins as its base.
    """

    def __init__(self, base: nn.Module, rank: int, alpha: float, *, drop: float = 0.0, rank_stabilised: bool = False,
                 dora: bool = False) -> None:
        super().__init__()
        self.base = base
        self.transposed = type(base).__name__ == _CONV1D
        outs, ins = (base.nf, base.nx) if self.transposed else (base.out_features, base.in_features)
        device = base.weight.device
        self.lora_A = nn.Parameter(torch.empty(rank, ins, device=device))
        self.lora_B = nn.Parameter(torch.zeros(outs, rank, device=device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling = alpha / math.sqrt(rank) if rank_stabilised else alpha / rank
        self.drop = drop
        self.magnitude = nn.Parameter(self._norm().float()) if dora else None

    @property
    def weight(self) -> Any:
        """The base's weight; some models look at its dtype."""
        return self.base.weight

    @property
    def bias(self) -> Any:
        """The base's bias."""
        return self.base.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(…, in)` → `(…, out)`."""
        if self.magnitude is not None:
            return self._dora(x)
        dropped = self.drop > 0 and self.training
        if type(self.base) is nn.Linear and not self.base.weight.requires_grad and not dropped:
            dtype = _product_dtype(x)
            return LoraLinear.apply(x, self.base.weight, self.base.bias, self.lora_A, self.lora_B, self.scaling, dtype)
        result = self.base(x)
        x = dropout(x, self.drop) if dropped else x
        return result + (self._low(x) * self.scaling).to(result.dtype)

    def _low(self, x: torch.Tensor) -> torch.Tensor:
        dtype = _product_dtype(x)
        x = x if torch.is_autocast_enabled(x.device.type) else x.to(self.lora_A.dtype)
        return linear(linear(x, self.lora_A), self.lora_B).to(dtype)

    def _dora(self, x: torch.Tensor) -> torch.Tensor:
        """PEFT's arithmetic: the norm is a constant for the gradient (section 4.3 of the paper)."""
        assert self.magnitude is not None
        result = self.base(x)
        bias = self.base.bias
        scale = (self.magnitude / self._norm().detach().to(self.magnitude.dtype)).view(1, -1)
        if self.drop > 0 and self.training:
            x = dropout(x, self.drop)
            plain = linear(x.to(_product_dtype(x)), self.base_weight().to(_product_dtype(x)))
        else:
            plain = result if bias is None else result - bias
        return (result + (scale - 1) * plain + scale * self._low(x) * self.scaling).to(result.dtype)

    def base_weight(self) -> torch.Tensor:
        """The base's weight `(out, in)`, dequantized when it is quantized."""
        kind = type(self.base).__name__
        if kind == "Linear4bit":
            from bitsandbytes.functional import dequantize_4bit

            return dequantize_4bit(self.base.weight.data, self.base.weight.quant_state)
        if kind == "Linear8bitLt":
            state = self.base.weight
            return state.data.float() * (state.SCB.float() / 127.0)[:, None]
        return self.base.weight.T if self.transposed else self.base.weight

    def delta(self) -> torch.Tensor:
        """What the low-rank matrices add to the base's weight, float32 `(out, in)`."""
        return self.scaling * (self.lora_B.float() @ self.lora_A.float())

    def _norm(self) -> torch.Tensor:
        with torch.no_grad():
            return torch.linalg.norm(self.base_weight().float() + self.delta(), dim=1)

    @torch.no_grad()
    def merged(self) -> nn.Module:
        """The base with the addition worked into its weight, computed in float32."""
        weight = self.base_weight().float() + self.delta()
        if self.magnitude is not None:
            weight = weight * (self.magnitude.float() / self._norm()).view(-1, 1)
        self.base.weight.data.copy_(weight.T if self.transposed else weight)
        return self.base


def _product_dtype(x: torch.Tensor) -> torch.dtype:
    """What products with x are computed in here."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


class LoraLinear(torch.autograd.Function):
    """`x Wᵀ + b + s (x Aᵀ) Bᵀ` over a frozen W; keeps x and `x Aᵀ` for the way back and nothing else.

    All sums are accumulated inside the products. The gradient of x is not computed where nobody needs it (first layer).
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, a: torch.Tensor,
                b: torch.Tensor, scaling: float, dtype: torch.dtype) -> torch.Tensor:
        shape = x.shape
        with torch.autocast(x.device.type, enabled=False):
            x = x.reshape(-1, shape[-1]).to(dtype)
            a, b = a.to(dtype), (b * scaling).to(dtype)
            out = linear(x, weight.to(dtype), None if bias is None else bias.to(dtype))
            low = linear(x, a)
            out.addmm_(low, b.T)
        ctx.save_for_backward(x, low, weight, a, b)
        ctx.scaling = scaling
        return out.view(*shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        x, low, weight, a, b = ctx.saved_tensors
        g = grads[0].reshape(-1, grads[0].shape[-1])
        with torch.autocast(g.device.type, enabled=False):
            g = g.to(x.dtype)
            low_g = linear(g, b.T.contiguous())
            d_a = low_g.T @ x
            d_b = (low.T @ g).T * ctx.scaling
            d_x = None
            if ctx.needs_input_grad[0]:
                d_x = g @ weight.to(x.dtype)
                d_x.addmm_(low_g, a)
                d_x = d_x.view(*grads[0].shape[:-1], -1)
        return d_x, None, None, d_a.float(), d_b.float(), None, None
