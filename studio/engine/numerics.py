"""In which numbers a run computes: chosen by the hardware when the user leaves it to the studio.

`bf16` on a CPU: with avx512_bf16 (Zen 4) products take 0.45 of float32's time, with AMX 0.15; the casts around them
cost a model below 20 million parameters as much as it gains, so such models stay in float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from studio.engine.ranks import Ranks
from studio.errors import InputError

BF16_PAYS_FROM = 20_000_000


@dataclass(frozen=True)
class Numbers:
    """`compute` is what products are computed in, `stored` what frozen weights are kept in; moving ones are float32."""

    device: torch.device
    compute: torch.dtype
    stored: torch.dtype

    @property
    def mixed(self) -> bool:
        """Whether products are computed in fewer bits than the moving weights have."""
        return self.compute != torch.float32

    @property
    def scaled(self) -> bool:
        """Whether gradients need a loss scale to stay representable."""
        return self.compute == torch.float16

    def autocast(self) -> Any:
        """The context in which forward passes run."""
        return torch.autocast(self.device.type, dtype=self.compute, enabled=self.mixed)


def choose(spec: Any, facts: Any, ranks: Ranks) -> Numbers:
    """The numbers of a run; raises InputError compute_type_fp16_cpu, compute_type_bf16_cuda."""
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", ranks.local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    compute = _compute(spec.compute_type, cuda, facts.parameters)
    frozen_base = spec.finetuning_type in ("lora", "prefix")
    return Numbers(device, compute, compute if frozen_base else torch.float32)


def serving(compute_type: str, parameters: int) -> Numbers:
    """The numbers of a model that only answers; raises as `choose`."""
    cuda = torch.cuda.is_available()
    compute = _compute(compute_type, cuda, parameters)
    return Numbers(torch.device("cuda" if cuda else "cpu"), compute, compute)


def _compute(wanted: str, cuda: bool, parameters: int) -> torch.dtype:
    if wanted == "fp16" and not cuda:
        raise InputError("compute_type_fp16_cpu")
    if wanted == "bf16" and cuda and not torch.cuda.is_bf16_supported():
        raise InputError("compute_type_bf16_cuda", device=torch.cuda.get_device_name())
    if wanted != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[wanted]
    if cuda:
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if parameters >= BF16_PAYS_FROM and _cpu_has_bf16() else torch.float32


def _cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; False where /proc does not say."""
    try:
        flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return bool({"amx_bf16", "avx512_bf16"} & set(flags.split()))
