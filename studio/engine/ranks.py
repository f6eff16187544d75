"""The processes that train together: who am I, and the few things that all must agree on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

TIMEOUT = timedelta(hours=2)


@dataclass(frozen=True)
class Ranks:
    """This process among `world` ones, as torchrun's environment says; alone when there is no torchrun."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @classmethod
    def of_environment(cls) -> Ranks:
        """The ranks that torchrun set, else a process alone."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        return cls(*(int(os.environ[name]) for name in names)) if all(name in os.environ for name in names) else cls()

    @property
    def alone(self) -> bool:
        """Whether there is nobody to agree with."""
        return self.world == 1

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which decides and writes."""
        return self.rank == 0

    def join(self, device: Any) -> None:
        """Meet the others (NCCL on CUDA, gloo else)."""
        if not self.alone:
            import torch.distributed as dist

            dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)

    def part(self) -> None:
        """Leave the others in good order."""
        if not self.alone:
            import torch.distributed as dist

            if dist.is_initialized():
                dist.destroy_process_group()

    def sum_(self, tensor: Any) -> Any:
        """The tensor summed over all ranks, in place."""
        if not self.alone:
            import torch.distributed as dist

            dist.all_reduce(tensor)
        return tensor

    def tell(self, value: Any) -> Any:
        """Rank 0's value on every rank."""
        if self.alone:
            return value
        import torch.distributed as dist

        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def decide(self, value: bool, device: Any) -> bool:
        """Rank 0's yes or no on every rank, cheaply."""
        if self.alone:
            return value
        import torch
        import torch.distributed as dist

        flag = torch.tensor([int(value)], device=device)
        dist.broadcast(flag, src=0)
        return bool(flag.item())

    def worst(self, value: float, device: Any) -> float:
        """The value of this rank, or nan when any rank's is not finite: all fail together or none does."""
        if self.alone:
            return value
        import torch

        return float(self.sum_(torch.tensor([value * 0.0], device=device)).item()) + value

    def average_gradients(self, parameters: list[Any]) -> None:
        """Sum the gradients of all ranks in one message a dtype; a parameter without gradient counts as zero.

        The loss of each rank is already divided by the tokens of all ranks, so the sum is the average over tokens.
        """
        if self.alone:
            return
        import torch
        import torch.distributed as dist

        for dtype in {p.dtype for p in parameters}:
            group = [p for p in parameters if p.dtype == dtype]
            for p in group:
                if p.grad is None:
                    p.grad = torch.zeros_like(p)
            flat = torch.cat([p.grad.reshape(-1) for p in group])
            dist.all_reduce(flat)
            start = 0
            for p in group:
                p.grad.copy_(flat[start:start + p.numel()].view_as(p))
                start += p.numel()
