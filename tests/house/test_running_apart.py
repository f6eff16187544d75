"""At run time, too, the page knows no torch and the engine no Gradio."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import PROJECT

BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {blocked!r}:
            raise ImportError('blocked: ' + name)
sys.meta_path.insert(0, Blocked())
"""
TORCH = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "bitsandbytes")
GRADIO = ("gradio", "gradio_client")


def run_without(blocked: tuple[str, ...], program: str, root: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in which the given packages cannot be imported."""
    environment = {**os.environ, "STUDIO_ROOT": str(root), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-c", BLOCK.format(blocked=blocked) + program], cwd=PROJECT, text=True,
                          env=environment, capture_output=True, timeout=120)


@pytest.mark.slow
def test_the_page_is_built_with_torch_blocked(tmp_path: Path) -> None:
    program = "from studio.ui.app import build; from studio.workspace import Workspace; build(Workspace.at(), 'en')"
    done = run_without(TORCH, program, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_run_is_checked_with_torch_and_gradio_blocked(tmp_path: Path) -> None:
    program = "import sys; from studio.cli import main; sys.exit(main(['train', '--dry-run', 'max_samples=8']))"
    done = run_without(TORCH + GRADIO, program, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_engine_trains_with_gradio_blocked(tmp_path: Path) -> None:
    program = """
from studio.workspace import Workspace
from studio.runs.store import RunStore
from studio.specs.train import check
spec = check({'max_samples': 24, 'max_steps': 2, 'per_device_train_batch_size': 2, 'cpu_threads': 1})
run = RunStore(Workspace.at()).create(spec, 'apart')
from studio.engine.__main__ import main
sys.exit(main(['train', str(run.path)]))
"""
    done = run_without(GRADIO, program, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "saves" / "apart" / "trainer_log.jsonl").read_text(encoding="utf-8").strip()
