"""The schedules are transformers' own, number for number."""

from __future__ import annotations

import pytest

from studio.errors import InputError, SpecError
from studio.specs.groups import SCHEDULERS
from studio.specs.schedulers import factors
from studio.specs.train import check

ARGUMENTS = {"cosine_with_min_lr": [{"min_lr": 1e-5}, {"min_lr_rate": 0.1, "num_cycles": 1.5}],
             "cosine_with_restarts": [{}, {"num_cycles": 3}], "polynomial": [{}, {"power": 2.0, "lr_end": 1e-6}],
             "inverse_sqrt": [{}, {"timescale": 50}], "cosine": [{}, {"num_cycles": 1.0}],
             "warmup_stable_decay": [{"num_decay_steps": 10}, {"num_decay_steps": 8, "decay_type": "linear",
                                                               "warmup_type": "1-sqrt", "min_lr_ratio": 0.1}]}


@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("warmup", [0, 7])
def test_every_schedule_is_that_of_transformers(kind: str, warmup: int) -> None:
    import torch
    from transformers import get_scheduler

    for arguments in ARGUMENTS.get(kind, [{}]):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
        theirs = get_scheduler(kind, optimizer, warmup, 40, scheduler_specific_kwargs=arguments)
        ours = factors(kind, warmup, 40, 3e-4, arguments)
        for step in range(40):
            assert theirs.get_last_lr()[0] == pytest.approx(3e-4 * ours(step), abs=1e-12), (arguments, step)
            optimizer.step()
            theirs.step()


def test_a_wrong_argument_is_named_with_the_right_ones() -> None:
    with pytest.raises(InputError) as caught:
        factors("polynomial", 0, 10, 1e-3, {"powers": 2})
    assert caught.value.code == "scheduler_argument_unknown" and "power" in caught.value.values["known"]
    with pytest.raises(InputError) as caught:
        factors("cosine_with_min_lr", 0, 10, 1e-3, {})
    assert caught.value.code == "scheduler_argument_bad"


def test_our_adamw_is_torch_s() -> None:
    import torch

    from studio.engine.optimizer import AdamW

    torch.manual_seed(0)
    ours = torch.nn.Parameter(torch.randn(5, 4))
    theirs = torch.nn.Parameter(ours.detach().clone())
    a = AdamW([{"params": [ours], "weight_decay": 0.1, "lr": 1e-2}], betas=(0.9, 0.99), epsilon=1e-8)
    b = torch.optim.AdamW([theirs], lr=1e-2, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    for _ in range(5):
        ours.grad = torch.randn(5, 4)
        theirs.grad = ours.grad.clone()
        a.step()
        b.step()
    assert torch.equal(ours, theirs)


def test_wrong_scheduler_arguments_are_told_beside_their_field() -> None:
    with pytest.raises(SpecError) as refused:
        check({"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": {"power": 2}})
    told = [(problem.field, problem.code) for problem in refused.value.problems]
    assert told == [("lr_scheduler_kwargs", "scheduler_argument_unknown")]
    with pytest.raises(SpecError):
        check({"lr_scheduler_type": "cosine_with_min_lr"})
