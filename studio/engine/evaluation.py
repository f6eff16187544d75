"""The evaluation loss: the mean over all labelled tokens of the held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from studio.engine.batching import flattened, padded
from studio.engine.job import Job
from studio.engine.network import Network
from studio.errors import StopAsked


@torch.no_grad()
def loss(job: Job, network: Network, rows: Any, pad: int) -> float:
    """Evaluate on all ranks together; raises StopAsked between batches."""
    size = job.spec.per_device_eval_batch_size
    order = np.argsort(rows.lengths, kind="stable")
    batches = [order[i:i + size] for i in range(0, len(order), size)]
    device = network.numbers.device
    total = torch.zeros(2, dtype=torch.float64, device=device)
    network.model.eval()
    try:
        for start in range(0, len(batches), job.ranks.world):
            if job.ranks.decide(job.stop.asked(), device):
                raise StopAsked("evaluating")
            mine = batches[start + job.ranks.rank:start + job.ranks.rank + 1]
            for chosen in mine:
                batch = (flattened if network.flat else padded)(rows, chosen, pad).to(device)
                total[0] += network.loss_sum(batch)
                total[1] += batch.trained
            job.recorder.progress(done=min(start + job.ranks.world, len(batches)), of=len(batches))
    finally:
        network.model.train()
    job.ranks.sum_(total)
    return float(total[0] / total[1].clamp(min=1))
