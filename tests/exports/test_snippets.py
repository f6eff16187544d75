"""What a card tells others to type opens the result and gets an answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from studio.exports import speech, weights
from studio.plugins.exporters import _snippets, exporter
from tests.exports.holding import Desk, a_source

PATIENCE = 120


MAKES = """import sys
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
get_peft_model(AutoModelForCausalLM.from_pretrained(sys.argv[1]), LoraConfig(r=2)).save_pretrained(sys.argv[2])
"""


@pytest.mark.slow
def test_the_lines_of_python_get_the_answer_of_the_starter_alone_and_with_an_adapter(tmp_path: Path) -> None:
    desk = Desk(tmp_path, model_name_or_path="starter")
    weights.write(weights.stream(a_source(), "fp32"), desk.work.into, 1.0, desk.work)
    speech.write_companions(desk.work)
    desk.finish()
    alone = "\n".join(exporter("merged").commands(desk.work)["transformers"])
    base, adapter = str(desk.work.target), str(tmp_path / "adapter")
    tuned = "\n".join(_snippets.tuned(base, base, adapter))
    done = subprocess.run([sys.executable, "-c", f"{MAKES}\n{alone}\n{tuned}", base, adapter], capture_output=True,
                          text=True, timeout=PATIENCE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert all("42" in line for line in done.stdout.splitlines())
