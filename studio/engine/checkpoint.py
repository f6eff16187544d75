"""Checkpoints: written whole or not at all, read back to go on exactly where the run was.

    checkpoints/step-<n>/           weights as other programs read them (model, adapter or prefix)
        state.json                  step, epoch, loss, eval_loss: for lists; base: which model it stands on
        trainer/optimizer.pt        the optimizer's tensors
        trainer/moving.pt           float32 originals, where the weights above are stored in fewer bits
        trainer/state.json          everything else that the loop remembers
        complete                    written last

Order, dropout and learning rate are functions of seed and step, so there is no generator, sampler or scheduler to save.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from studio.engine.tuned import Tuned
from studio.errors import WorkError
from studio.records import read_json, write_json
from studio.runs.files import RunFolder

_SHOWN = ("step", "epoch", "loss", "eval_loss")
_WHERE_THERE = ("eval_metric", "eval_rank", "base")  # what not every run has


def save(folder: RunFolder, step: int, tuned: Tuned, optimizer: Any, state: dict[str, Any], *,
         only_model: bool) -> Path:
    """Write one checkpoint; a half-written one is removed again. Raises WorkError disk_full."""
    target = folder.checkpoint(step)
    shutil.rmtree(target, ignore_errors=True)
    try:
        target.mkdir(parents=True)
        tuned.save(target)
        shown = {name: state.get(name) for name in shown_of(state)}
        _write(target / "state.json", shown)
        trainer = target / "trainer"
        trainer.mkdir()
        if not only_model:
            torch.save(optimizer.state_dict(), trainer / "optimizer.pt")
            if not tuned.exact:
                torch.save({name: p.detach() for name, p in tuned.moving.items()}, trainer / "moving.pt")
        _write(trainer / "state.json", state)
        _force_to_disk(target)
        (target / "complete").touch()
        _force_to_disk(target, only=("complete",))
    except BaseException as error:
        shutil.rmtree(target, ignore_errors=True)
        if is_disk_full(error):
            raise WorkError("disk_full", path=str(target)) from error
        raise
    return target


def shown_of(state: dict[str, Any]) -> tuple[str, ...]:
    """What of the loop's state is for lists."""
    return (*_SHOWN, *(name for name in _WHERE_THERE if state.get(name) not in (None, "")))


def note(folder: RunFolder, step: int, state: dict[str, Any]) -> None:
    """Put the figures of a later evaluation into a checkpoint that was complete before it."""
    target = folder.checkpoint(step)
    for path, names in ((target / "state.json", shown_of(state)), (target / "trainer" / "state.json", tuple(state))):
        write_json(path, {**(read_json(path) or {}), **{name: state.get(name) for name in names}})


def is_disk_full(error: BaseException) -> bool:
    """Whether writing failed for want of room; safetensors and torch say it in words."""
    import errno

    number = getattr(error, "errno", None)
    words = ("No space left on device", "File too large", "os error 28", "os error 27", "os error 122",
             "PytorchStreamWriter failed", "unexpected pos")
    return number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or any(word in str(error) for word in words)


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


def _force_to_disk(folder: Path, only: tuple[str, ...] = ()) -> None:
    """fsync the files of a folder and the folder itself."""
    files = [folder / name for name in only] or [path for path in folder.rglob("*") if path.is_file()]
    for path in (*files, folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_incomplete(folder: RunFolder) -> None:
    """Clear away what a killed engine left half-written."""
    for path in folder.checkpoints.glob("step-*"):
        if path.is_dir() and not (path / "complete").exists():
            shutil.rmtree(path, ignore_errors=True)


def prune(folder: RunFolder, most: int | None, best: int | None) -> None:
    """Delete the oldest checkpoints beyond `most`; never the newest, never the best."""
    steps = folder.complete_steps()
    kept = {steps[-1], best} if steps else set()
    surplus = len(steps) - (most or len(steps))
    for step in [one for one in steps if one not in kept][:max(0, surplus)]:
        (folder.checkpoint(step) / "complete").unlink()
        shutil.rmtree(folder.checkpoint(step), ignore_errors=True)


def last(folder: RunFolder) -> Path | None:
    """The newest complete checkpoint."""
    steps = folder.complete_steps()
    return folder.checkpoint(steps[-1]) if steps else None


def restore(path: Path, tuned: Tuned, optimizer: Any) -> tuple[dict[str, Any], bool]:
    """Fill weights and optimizer from a checkpoint; (the loop's state, whether the optimizer came back).

    Raises WorkError checkpoint_broken.
    """
    trainer = path / "trainer"
    try:
        state = json.loads((trainer / "state.json").read_text(encoding="utf-8"))
        tuned.load(path)
        if (trainer / "moving.pt").exists():
            _fill(tuned.moving, torch.load(trainer / "moving.pt", map_location="cpu", weights_only=True, mmap=True))
        has_optimizer = (trainer / "optimizer.pt").exists()
        if has_optimizer:
            optimizer.load_state_dict(torch.load(trainer / "optimizer.pt", map_location="cpu", weights_only=True))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise WorkError("checkpoint_broken", path=str(path), reason=str(error).splitlines()[0]) from error
    return state, has_optimizer


@torch.no_grad()
def _fill(moving: dict[str, Any], stored: dict[str, torch.Tensor]) -> None:
    for name, value in stored.items():
        moving[name].copy_(value)
