"""The optimizers by their argument names; AdamW is our own hand on torch's fused kernel.

torch.optim's base class imports torch._dynamo at its first step: 0.4 CPU-seconds that a short run can keep.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch

_NO_DECAY = re.compile(r"(^|[._])(bias|norm|ln|layernorm|layer_norm|rmsnorm|ln_\w+|magnitude_vector)([._0-9]|$)|norm")


def make(spec: Any, moving: Mapping[str, torch.nn.Parameter]) -> Any:
    """The optimizer of a spec over named parameters; norms, biases and vectors are not decayed.

    Raises InputError optimizer_needs_cuda.
    """
    rate = float(spec.learning_rate)
    groups = [{"params": group, "weight_decay": decay, "lr": rate} for group, decay in _groups(spec, moving) if group]
    betas = (spec.adam_beta1, spec.adam_beta2)
    if spec.optim == "adamw_torch":
        return AdamW(groups, betas=betas, epsilon=spec.adam_epsilon)
    if spec.optim == "sgd":
        return torch.optim.SGD(groups, lr=rate)
    if spec.optim == "adafactor":
        from transformers.optimization import Adafactor

        return Adafactor(groups, lr=rate, scale_parameter=False, relative_step=False)
    from bitsandbytes import optim

    kind = optim.PagedAdamW8bit if spec.optim == "paged_adamw_8bit" else optim.AdamW8bit
    return kind(groups, lr=rate, betas=betas, eps=spec.adam_epsilon)


def _groups(spec: Any, moving: Mapping[str, torch.nn.Parameter]) -> Iterable[tuple[list[torch.nn.Parameter], float]]:
    seen: set[int] = set()
    decayed: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = []
    for name, p in moving.items():
        if id(p) not in seen:
            seen.add(id(p))
            (plain if p.ndim < 2 or _NO_DECAY.search(name.lower()) else decayed).append(p)
    return (decayed, float(spec.weight_decay)), (plain, 0.0)


class AdamW:
    """AdamW (Loshchilov & Hutter 2019) by torch's fused kernel: one pass over all parameters of a group.

    State and groups look like those of torch.optim.AdamW; float32 parameters on CPU or CUDA.
    """

    def __init__(self, groups: list[dict[str, Any]], betas: tuple[float, float], epsilon: float) -> None:
        self.param_groups = groups
        self._betas = betas
        self._epsilon = epsilon
        self._state: dict[torch.nn.Parameter, dict[str, torch.Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One update of every parameter that has a gradient, by its group's current `lr`."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            states = [self._of(p) for p in params]
            torch._fused_adamw_(params, [p.grad for p in params], [s["exp_avg"] for s in states],
                                [s["exp_avg_sq"] for s in states], [], self._count(states), amsgrad=False,
                                lr=group["lr"], beta1=self._betas[0], beta2=self._betas[1],
                                weight_decay=group["weight_decay"], eps=self._epsilon, maximize=False)

    def _count(self, states: list[dict[str, torch.Tensor]]) -> list[torch.Tensor]:
        """The step counters, each one further; the kernel wants one a parameter."""
        counters = [state["step"] for state in states]
        torch._foreach_add_(counters, 1)
        return counters

    def _of(self, p: torch.nn.Parameter) -> dict[str, torch.Tensor]:
        if p not in self._state:
            self._state[p] = {"step": torch.zeros((), device=p.device), "exp_avg": torch.zeros_like(p),
                              "exp_avg_sq": torch.zeros_like(p)}
        return self._state[p]

    def state_dict(self) -> dict[str, Any]:
        """Tensors by the parameters' order."""
        order = [p for group in self.param_groups for p in group["params"]]
        return {"state": {i: self._state[p] for i, p in enumerate(order) if p in self._state}}

    def load_state_dict(self, stored: dict[str, Any]) -> None:
        """Take over the state of an optimizer over the same parameters."""
        order = [p for group in self.param_groups for p in group["params"]]
        self._state = {order[i]: {name: value.to(order[i].device) for name, value in state.items()}
                       for i, state in stored["state"].items()}


def gradient_norm(parameters: list[torch.nn.Parameter]) -> torch.Tensor:
    """The norm of all gradients together, a scalar on their device."""
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))


def clip(parameters: list[torch.nn.Parameter], norm: torch.Tensor, most: float) -> None:
    """Shrink all gradients so that their common norm is at most `most`; 0 means no clipping."""
    grads = [p.grad for p in parameters if p.grad is not None]
    if most > 0 and grads:
        torch._foreach_mul_(grads, (most / (norm + 1e-6)).clamp(max=1.0).to(grads[0].device))
