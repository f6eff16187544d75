"""`serve`: what it refuses before anything starts, what it serves, that it keeps secrets and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio.cli.program import run
from studio.cli.serve import example
from tests.cli.client import PROJECT, SHORT, Client, wait

KEY, OTHER = "sk-first-of-two", "sk-second-of-two"


@dataclass(frozen=True)
class Served:
    """A server that was started by the verb: the client, its process, what it said in JSON, the run that it serves."""

    client: Client
    process: subprocess.Popen[str]
    said: dict[str, Any]

    def ask(self, path: str, body: Any = None, key: str = OTHER) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.said["url"].removesuffix("/v1") + path, data, headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith("{") else text

    def answer(self, model: str, question: str = "12 + 30 = ?") -> Any:
        return self.ask("/v1/chat/completions", {"model": model, "temperature": 0, "max_tokens": 24,
                                                 "messages": [{"role": "user", "content": question}]})

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def begun(client: Client, *words: str, **environment: str) -> Served:
    """`serve --json` with these words, once it listens."""
    command = client.command("serve", *words, "--json", "--port", str(free_port()))
    errors = (client.root / "serve.log").open("w+", encoding="utf-8")
    process = subprocess.Popen(command, env=client.environment(**environment), cwd=client.root, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8")
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (client.root / "serve.log").read_text(encoding="utf-8")
    return Served(client, process, json.loads(line))  # said once everything is loaded


def end(served: Served) -> str:
    """Ctrl-C; what it wrote on stderr. All its processes are gone then, and it says that all went well."""
    family = served.family()
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(30) == 0
    wait(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family), 10)
    return (served.client.root / "serve.log").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    found = Client(tmp_path_factory.mktemp("serve"))
    done = found("train", *SHORT, "save_steps=2", "--name", "learned")
    assert done.returncode == 0, done.stderr
    return found


@pytest.fixture(scope="module")
def served(client: Client) -> Iterator[Served]:
    """The starter, a run and one of its checkpoints, for two keys: one of the environment, one of the command line."""
    found = begun(client, "learned", "learned/step-2", "starter", "--api-key", OTHER, STUDIO_API_KEYS=KEY)
    yield found
    if found.process.poll() is None:
        found.process.send_signal(signal.SIGTERM)
        found.process.wait(30)


@pytest.mark.parametrize(("words", "said"), [
    (("--host", "0.0.0.0"), "that needs a key"), (("--cors", "localhost"), "--cors is localhost"),
    (("--port", "http"), "The port is http"), (("--api-key", "a b"), "no header can carry"),
    (("nobody",), "nobody"), (("lora_rank=8",), "lora_rank"), (("max_lanes=0",), "max_lanes"),
    (("missing.yaml",), "missing.yaml"), (("--backend", "gguf"), "own, vllm"), (("quantization_bit=3",), "3"),
])
def test_what_cannot_be_served_is_refused_before_anything_starts(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("STUDIO_API_KEYS", raising=False)
    assert run(["serve", *words, "--root", str(tmp_path), "--lang", "en"]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""


def test_everything_wrong_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--host", "0.0.0.0", "--port", "0", "--cors", "x", "nobody", "max_lanes=0", "--root", str(tmp_path)]
    assert run(["serve", *words, "--lang", "en"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 5


def test_the_line_to_try_works_in_a_shell_and_holds_no_key() -> None:
    line = example("http://127.0.0.1:8000", "it's mine", True)
    printed = subprocess.run(["sh", "-c", line.replace("curl", "printf '%s\\n'", 1)], capture_output=True, text=True,
                             env={**os.environ, "STUDIO_KEY": "k"}).stdout.splitlines()
    assert printed[:3] == ["http://127.0.0.1:8000/v1/chat/completions", "-H", "Authorization: Bearer k"]
    assert json.loads(printed[-1])["model"] == "it's mine"


@pytest.mark.slow
def test_a_run_and_its_base_answer_under_their_names(served: Served) -> None:
    assert served.said["models"] == ["learned", "learned/step-2", "starter", "base"]
    assert {one["id"] for one in served.ask("/v1/models")["data"]} == set(served.said["models"])
    proofs = {name: served.answer(name)["studio"] for name in served.said["models"]}
    assert proofs["starter"]["adapter_hash"] is None
    assert proofs["starter"]["base_hash"] == proofs["learned"]["base_hash"] == proofs["base"]["base_hash"]
    assert (proofs["learned/step-2"]["step"], proofs["learned"]["step"]) == (2, 4)
    assert proofs["learned"]["adapter_hash"] != proofs["learned/step-2"]["adapter_hash"]
    assert len([one for one in served.family() if "host" in one.cmdline()]) == 1  # the base is in memory once
    assert "42" in served.answer("starter")["choices"][0]["message"]["content"]


@pytest.mark.slow
def test_every_key_opens_and_none_is_seen(served: Served) -> None:
    for key in (KEY, OTHER):
        assert served.ask("/v1/models", key=key)["data"]
    for path in ("/v1/models", "/metrics"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            served.ask(path, key="sk-wrong")
        assert caught.value.code == 401
    children = served.family()
    assert children
    for one in children:
        assert not any(key in word for key in (KEY, OTHER) for word in one.cmdline())
    written = [path for path in served.client.root.rglob("*") if path.is_file()]
    assert not [path for path in written if any(key.encode() in path.read_bytes() for key in (KEY, OTHER))]


@pytest.mark.slow
def test_a_second_server_is_told_that_the_port_is_taken(served: Served) -> None:
    port = served.said["url"].rpartition(":")[2].removesuffix("/v1")
    done = served.client("serve", "--port", port)
    assert done.returncode == 2
    assert f"Port {port} is taken" in done.stderr


@pytest.mark.slow
def test_a_terminal_talks_to_a_served_run_and_ctrl_c_ends_the_server_in_good_order(served: Served) -> None:
    asked = subprocess.run(served.client.command("chat", "learned", "starter", "--url", served.said["url"],
                                                 "temperature=0", "--json"),
                           input="12 + 30 = ?\n", capture_output=True, text=True, encoding="utf-8", timeout=120,
                           env=served.client.environment(OPENAI_API_KEY=KEY), cwd=served.client.root)
    assert asked.returncode == 0, asked.stderr
    lines = [json.loads(line) for line in asked.stdout.splitlines()]
    assert [(one["model"], one["studio"]["step"]) for one in lines] == [("learned", 4), ("starter", None)]
    said = end(served)
    assert "Memory: about" in said
    assert "Traceback" not in said
    assert KEY not in said and OTHER not in said


@pytest.mark.slow
def test_a_recipe_serves_its_adapters_by_folder_and_dies_with_who_started_it(client: Client, tmp_path: Path) -> None:
    folder = client.root / "saves" / "learned" / "checkpoints"
    recipe = tmp_path / "serve.yaml"
    copies = []
    for name in ("first", "second"):
        copy = tmp_path / name
        copy.mkdir()
        for part in ("adapter_config.json", "adapter_model.safetensors"):
            (copy / part).write_bytes((folder / "step-4" / part).read_bytes())
        copies.append(str(copy))
    recipe.write_text(json.dumps({"model_name_or_path": "starter", "adapter_name_or_path": copies}))
    found = begun(client, str(recipe), "infer_backend=huggingface")
    assert found.said["models"] == ["first", "second", "base"]
    assert found.answer("second")["studio"]["adapter_hash"] == found.answer("first")["studio"]["adapter_hash"]
    assert found.answer("base")["studio"]["adapter_hash"] is None
    family = found.family()
    assert len(family) == 2
    found.process.kill()
    found.process.wait()
    wait(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family), 20)


@pytest.mark.slow
def test_a_server_that_was_killed_is_told_of(client: Client) -> None:
    found = begun(client, "starter")
    front = psutil.Process(found.process.pid).children()[0]
    front.kill()
    assert found.process.wait(30) == 1
    assert "ended by itself" in (client.root / "serve.log").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("verb", ["serve", "chat"])
def test_help_lists_every_option_and_argument(verb: str, lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    from studio.cli.chat import declared as of_chat
    from studio.cli.serve import declared as of_serve

    assert run([verb, "--help", "--lang", lang]) == 0
    shown = capsys.readouterr().out
    assert not [name for name in (of_serve() if verb == "serve" else of_chat()) if f"{name}=" not in shown]
    assert "docs/serve.md" in shown


def programs(page: str) -> list[str]:
    """The Python programs in a page of the manual."""
    text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)


@pytest.mark.slow
def test_the_clients_of_the_manual_work_as_written(client: Client) -> None:
    written = programs("serve.md")
    assert len(written) == 2
    assert written == programs("serve_zh.md")
    found = begun(client, "learned")
    try:
        program = "\n".join(written).replace("http://127.0.0.1:8000/v1", found.said["url"]).replace("MY_RUN", "learned")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
                              encoding="utf-8")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
    finally:
        end(found)
