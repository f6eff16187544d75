"""Runs for the engine's tests: a workspace with a few short conversations, tiny models, the engine as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.records import read_json
from studio.runs.files import RunFolder
from studio.specs import frozen, train
from studio.workspace import PROJECT, Workspace

SHARED_MODELS = PROJECT.parent / "shared" / "data" / "models"
WORDS = ["red", "blue", "green", "one", "two", "three", "four", "five", "six", "seven", "house", "tree", "river"]
QUICK = dict(dataset="talks", template="alpaca", cutoff_len=128, per_device_train_batch_size=4, num_train_epochs=2.0,
             logging_steps=1, compute_type="fp32", val_size=4, learning_rate=2e-3, warmup_ratio=0.0)


def talks(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Questions and answers of mixed lengths that a small model can learn."""
    dice = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        words = [WORDS[k] for k in dice.integers(len(WORDS), size=int(dice.integers(2, 14)))]
        rows.append({"instruction": "Say in reverse: " + " ".join(words), "input": "", "output": " ".join(words[::-1])})
    return rows


def wait_for_step(folder: RunFolder, step: int, seconds: float = 60) -> None:
    """Come back when a step of the run has been logged."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if folder.log.exists() and any(f'"step": {step},' in line for line in folder.log.read_text().splitlines()):
            return
        time.sleep(0.02)
    raise AssertionError(f"no step {step}: {folder.console.read_text()}")


@dataclass
class Studio:
    """A workspace of its own with the dataset `talks`."""

    root: Path

    def run(self, name: str, **draft: Any) -> RunFolder:
        """A run folder that is ready for the engine."""
        spec = train.check({**QUICK, **draft})
        folder = RunFolder(self.root / "saves" / name)
        folder.path.mkdir(parents=True)
        folder.spec.write_text(frozen.freeze(spec, "2026-01-01T00:00:00", {}), encoding="utf-8")
        return folder

    def environment(self) -> dict[str, str]:
        """What the supervisor would give the engine."""
        return {**os.environ, "STUDIO_ROOT": str(self.root), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}

    def start(self, folder: RunFolder, *launcher: str) -> subprocess.Popen[bytes]:
        """The engine as a process, its output in console.log."""
        command = [sys.executable, *launcher, "-m", "studio.engine", "train", str(folder.path)]
        with open(folder.console, "ab") as console:
            return subprocess.Popen(command, env=self.environment(), stdout=console, stderr=console, cwd=PROJECT)

    def engine(self, folder: RunFolder, *launcher: str) -> int:
        """Run the engine to its end; its exit code."""
        return self.start(folder, *launcher).wait(timeout=180)

    def here(self, folder: RunFolder) -> None:
        """Run to the end in this process: quicker, for what is only compared with."""
        self.trainer(folder).train()

    def job(self, folder: RunFolder) -> Any:
        """The run's job in this process."""
        from studio.engine.job import Job
        from studio.engine.ranks import Ranks
        from studio.engine.recorder import Recorder
        from studio.engine.stopping import Stop

        spec, _ = frozen.thaw(folder.spec)
        return Job(spec, folder, Workspace(self.root), Recorder(folder), Stop(folder.stop), Ranks())

    def trainer(self, folder: RunFolder) -> Any:
        """The run's trainer in this process, ready to step."""
        from studio.engine import setup

        return setup.trainer(self.job(folder))


def shared_model(name: str) -> str:
    """A small published model from beside the checkout; skips where it is not there."""
    path = SHARED_MODELS / name
    if not path.is_dir():
        pytest.skip(f"needs the model {name} beside the checkout")
    return str(path)


def make_model(folder: Path, kind: str, **more: Any) -> str:
    """A tiny model of a family with random weights and the starter's tokenizer."""
    import shutil

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    starter = Workspace(PROJECT).starter
    if not (starter / "tokenizer.json").is_file():
        pytest.skip("needs the starter model")
    vocabulary = json.loads((starter / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
             "vocab_size": vocabulary, "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": 2,
             "pad_token_id": 0, "tie_word_embeddings": True} | more
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape))
    torch.nn.init.normal_(model.get_input_embeddings().weight, std=0.5)
    model.float().save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (starter / name).is_file():
            shutil.copyfile(starter / name, folder / name)
    return str(folder)


def log(folder: RunFolder) -> list[dict[str, Any]]:
    """The lines of trainer_log.jsonl; those after the step that a later attempt resumed from are dropped."""
    lines: list[dict[str, Any]] = []
    for text in folder.log.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if line.get("event") == "resumed":
            lines = [one for one in lines if one["step"] <= line["step"]]
        else:
            lines.append(line)
    return lines


def losses(folder: RunFolder) -> dict[int, float]:
    """The training loss by step."""
    return {line["step"]: line["loss"] for line in log(folder) if "loss" in line}


def failure(folder: RunFolder) -> str | None:
    """The code in failure.json."""
    return (read_json(folder.failure) or {}).get("code")


def phase(folder: RunFolder) -> str | None:
    """The phase in progress.json."""
    return (read_json(folder.progress) or {}).get("phase")
