"""NEFTune: noise on the embeddings while training (Jain et al. 2023, arXiv:2310.05914)."""

from __future__ import annotations

from typing import Any

import torch

from studio.engine.attention import Layout
from studio.engine.network import Network


def neftune(network: Network, alpha: float | None) -> None:
    """Add uniform noise of at most alpha / sqrt(length × width) to every embedding of a sequence, in training only."""
    if not alpha:
        return

    def hook(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        if not network.model.training:
            return output
        width = output.shape[-1]
        if network.flat:
            lengths = torch.tensor(Layout.lengths, device=output.device)
            most = (alpha / (lengths * width).sqrt()).repeat_interleave(lengths)[None, :, None]
        else:
            most = torch.tensor(alpha / (output.shape[1] * width) ** 0.5, device=output.device)
        return output + (torch.rand_like(output) * 2 - 1) * most.to(output.dtype)

    network.model.get_input_embeddings().register_forward_hook(hook)
