"""The page is light: no torch, no pandas, a small first answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

_PROGRAM = """
import json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers", "peft", "trl", "datasets", "accelerate", "bitsandbytes"}:
            raise ImportError(f"{name} has no business in the page")

sys.meta_path.insert(0, Blocked())
from pathlib import Path
from studio.ui.app import application
from studio.workspace import Workspace
from starlette.testclient import TestClient

client = TestClient(application(Workspace(Path(sys.argv[1]))), base_url="http://127.0.0.1:7860")
answer = client.get("/", headers={"accept-language": sys.argv[2]})
begin = answer.text.index("window.gradio_config = ") + len("window.gradio_config = ")
config, end = json.JSONDecoder().raw_decode(answer.text, begin)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # ru_maxrss survives exec
print(json.dumps({
    "status": answer.status_code, "payload": end - begin,
    "megabytes": int(peak.split()[1]) / 1024, "title": config["title"], "html": answer.text[:400],
    "loaded": [name for name in ("torch", "transformers", "pandas.core", "pyarrow", "matplotlib", "plotly")
               if name in sys.modules],
    "foreign": [word for word in ("https://", "http://") for _ in range(answer.text.count(word))
                if word in answer.text.split("window.gradio_config", 1)[0]],
}))
"""


def first_answer(root: Path, language: str) -> dict:
    """What a fresh process says about its first answer."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(root), language],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return first_answer(tmp_path_factory.mktemp("root"), "zh-CN,zh;q=0.9,en;q=0.8")


def test_the_page_answers_with_torch_blocked(answer: dict) -> None:
    assert answer["status"] == 200
    assert answer["loaded"] == []


def test_the_first_answer_is_light(answer: dict) -> None:
    assert answer["payload"] <= 300_000
    assert answer["megabytes"] <= 240


def test_the_first_page_is_in_the_visitors_language_already(answer: dict) -> None:
    assert '<html lang="zh-CN"' in answer["html"]
    assert answer["title"] == "微调工作室"


def test_the_page_names_no_other_host(answer: dict) -> None:
    assert answer["foreign"] == []


def test_a_sleeping_pandas_wakes_for_whoever_needs_it() -> None:
    program = (
        "import studio.ui.app, sys, pyarrow; assert 'pandas.core' not in sys.modules;"
        "pyarrow.array([1, None]); import pandas; assert pandas.DataFrame({'a': [1]}).shape == (1, 1)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_an_idle_page_rests_longer_than_gradio_would(tmp_path: Path) -> None:
    program = """
import gc, sys
from pathlib import Path
import gradio as gr
from gradio.queueing import Queue
from studio.ui.app import application
from studio.workspace import Workspace
usual = gr.Blocks().queue()._queue
served = application(Workspace(Path(sys.argv[1])))
rests = [one.sleep_when_free for one in gc.get_objects() if isinstance(one, Queue) and one.blocks.title == "Studio"]
print(bool(rests), all(rest > usual.sleep_when_free > 0 for rest in rests))
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, cwd=PROJECT)
    assert done.stdout.split() == ["True", "True"], done.stdout + done.stderr[-2000:]
