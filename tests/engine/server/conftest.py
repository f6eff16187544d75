"""One trained run of the starter and one server for the whole session; whoever hurts a server starts their own."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.client import Client
from tests.engine.server.fronts import Front

TRAINED = ("dataset=number_words", "max_steps=40", "save_steps=20", "eval_strategy=no", "max_samples=320",
           "cpu_threads=1", "learning_rate=5e-3")
CALLING = ("dataset=calls", "max_steps=40", "save_strategy=no", "eval_strategy=no", "cpu_threads=1",
           "learning_rate=2e-2", "template=calls", "per_device_train_batch_size=4")
ADD = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {
    "type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}}}
TEMPLATE = """{%- if tools %}<|im_start|>system
{% for tool in tools %}{{ tool.function.name }} {% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or '' }}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two runs of the starter: `tuned` has two checkpoints that spell numbers, `caller` calls a tool."""
    at_once = "PYTEST_XDIST_WORKER" in os.environ  # then the workers of pytest share what the first has made
    shared = tmp_path_factory.getbasetemp().parent if at_once else tmp_path_factory.mktemp("once")
    with open(shared / "served.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "served" / "made").exists():
            make_runs(shared / "served")
    return shared / "served"


def make_runs(root: Path) -> None:
    """Train both."""
    teach_calls(root)
    for words in (("--name", "tuned", *TRAINED), ("--name", "caller", *CALLING)):
        done = Client(root)("train", *words)
        assert done.returncode == 0, done.stderr
    (root / "made").touch()


def teach_calls(root: Path) -> None:
    """Conversations in which a sum is a call of a tool, and a template that spells calls in few tokens."""
    rows = [{"tools": [ADD], "messages": [
        {"role": "user", "content": f"Add {a} and {b}."},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "add", "arguments": {"a": a, "b": b}}}]},
        {"role": "tool", "content": str(a + b), "tool_call_id": "c"},
        {"role": "assistant", "content": f"It is {a + b}."}]} for a in range(2, 40, 3) for b in range(3, 30, 7)]
    (root / "data" / "templates").mkdir(parents=True)
    (root / "data" / "templates" / "calls.jinja").write_text(TEMPLATE, encoding="utf-8")
    (root / "data" / "calls.json").write_text(json.dumps(rows), encoding="utf-8")
    entry = {"calls": {"file_name": "calls.json", "formatting": "openai"}}
    (root / "data" / "dataset_info.json").write_text(json.dumps(entry), encoding="utf-8")


@pytest.fixture(scope="session")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A server of the starter and of `tuned`, for tests that leave it as it is."""
    front = Front(trained, tmp_path_factory.mktemp("front"), models=["starter", "tuned", "caller"])
    front.start()
    yield front
    front.end()
    assert "Traceback" not in front.errors.read_text(), front.errors.read_text()[-4000:]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Front]]:
    """`start(root, models=[…])` begins a server of the test's own."""
    begun: list[Front] = []

    def begin(root: Path, *, ready: bool = True, keys: tuple[str, ...] = (), environment: Any = None,
              **config: Any) -> Front:
        folder = tmp_path / f"front{len(begun)}"
        folder.mkdir()
        front = Front(root, folder, keys, **config)
        begun.append(front)
        return front.start(ready=ready, **(environment or {}))

    yield begin
    for front in begun:
        front.end()
