"""From hidden states to the loss in one go: logits only where there are labels, and never all of them at once."""

from __future__ import annotations

from typing import Any

import torch

CHUNK_NUMBERS = 2_000_000


class HeadLoss(torch.autograd.Function):
    """Sum of cross-entropies of `hidden @ weight.T + bias`; the gradients are computed on the way forward.

    hidden `(labelled, width)`, weight `(vocab, width)`, targets `(labelled,)`. The logits exist for about two million
    numbers at a time, in float32; `dtype` is what the products are computed in.
    """

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None,
                targets: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        w = weight.detach().to(dtype)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        d_hidden = torch.empty_like(hidden) if needs_hidden else None
        d_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device) if needs_weight else None
        d_bias = torch.zeros(bias.shape, dtype=torch.float32, device=weight.device) if needs_bias else None  # type: ignore[union-attr]
        step = max(1, CHUNK_NUMBERS // weight.shape[0])
        for start in range(0, hidden.shape[0], step):
            chunk, wanted = hidden[start:start + step].detach().to(dtype), targets[start:start + step, None]
            logits = torch.nn.functional.linear(chunk, w, bias.to(dtype) if bias is not None else None).float()
            logs = torch.log_softmax(logits, dim=-1)
            total -= logs.gather(1, wanted).sum()
            if not any((needs_hidden, needs_weight, needs_bias)):
                continue
            d_logits = logs.exp_()
            d_logits.scatter_add_(1, wanted, torch.full_like(wanted, -1, dtype=d_logits.dtype))
            if d_bias is not None:
                d_bias += d_logits.sum(0)
            d_logits = d_logits.to(dtype)
            if d_hidden is not None:
                d_hidden[start:start + step] = d_logits @ w
            if d_weight is not None and dtype == torch.float32:
                d_weight.addmm_(d_logits.T, chunk)
            elif d_weight is not None:
                d_weight += d_logits.T @ chunk
        ctx.save_for_backward(d_hidden, d_weight, d_bias)
        ctx.dtypes = weight.dtype, bias.dtype if bias is not None else None
        return total

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        d_hidden, d_weight, d_bias = ctx.saved_tensors
        scale = grads[0]
        return (None if d_hidden is None else d_hidden * scale.to(d_hidden.dtype),
                None if d_weight is None else (d_weight * scale).to(ctx.dtypes[0]),
                None if d_bias is None else (d_bias * scale).to(ctx.dtypes[1]), None, None)
