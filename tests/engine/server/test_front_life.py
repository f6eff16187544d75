"""Models come and go while the server answers; what is killed, changed, idle or too large is said and mended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from safetensors.numpy import load_file, save_file

from studio.workspace import PROJECT
from tests.engine.server.fronts import SUM, Front, wait

pytestmark = pytest.mark.slow
WILD = [{"role": "user", "content": "count"}]
ENDLESS: dict[str, Any] = {"messages": WILD, "temperature": 2, "max_tokens": 1900,
                           "logit_bias": {"2": -100, "0": -100}}


@pytest.fixture(scope="module")
def root(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root of this module's own, with the run, a copy of the starter, and a checkpoint that is being written."""
    found = tmp_path_factory.mktemp("life") / "root"
    shutil.copytree(trained / "saves" / "tuned", found / "saves" / "tuned")
    shutil.copytree(PROJECT / "data" / "starter", found / "models" / "copy")
    half = found / "saves" / "tuned" / "checkpoints" / "step-60"
    shutil.copytree(half.with_name("step-40"), half)
    (half / "complete").unlink()
    return found


@pytest.fixture(scope="module")
def open_front(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A server that loads whatever its workspace has when somebody asks; nothing is loaded at first, no key asked."""
    front = Front(root, tmp_path_factory.mktemp("front"), (), open=True, cors=["http://friend.example"])
    front.start()
    yield front
    front.end()


# ---- without a model ----

def test_a_rebound_name_leads_nowhere_without_a_key(open_front: Front) -> None:
    assert open_front.client.get("/v1/models", headers={"Host": "evil.example"}).status_code == 403
    assert open_front.client.get("/v1/models", headers={"Host": f"localhost:{open_front.url[-5:]}"}).status_code == 200


def test_only_a_named_origin_may_use_it(open_front: Front) -> None:
    asked = {"Origin": "http://friend.example", "Access-Control-Request-Method": "POST"}
    allowed = open_front.client.options("/v1/models", headers=asked)
    assert allowed.status_code == 204 and allowed.headers["access-control-allow-origin"] == "http://friend.example"
    for origin, status in (("http://friend.example", 400), ("http://evil.example", 403), ("null", 403)):
        reply = open_front.client.post("/v1/chat/completions", headers={"Origin": origin}, content=b"{}")
        assert reply.status_code == status


def test_everything_in_the_workspace_is_offered_and_unknown_names_are_not(open_front: Front) -> None:
    names = [one["id"] for one in open_front.client.get("/v1/models").json()["data"]]
    assert names == ["starter", "copy", "tuned", "tuned/step-40", "tuned/step-20"]
    near = open_front.ask("tuend", status=404)["error"]
    assert near["code"] == "model_not_found" and "tuned" in near["message"]
    assert open_front.ask("tuned/step-30", status=404)["error"]["param"] == "model"
    half = open_front.post("/v1/chat/completions", model="tuned/step-60", messages=SUM)
    assert half.status_code == 503 and half.headers["retry-after"]
    assert open_front.workers() == []


# ---- with models ----

def test_a_model_is_loaded_when_it_is_asked_and_its_memory_is_free_when_it_is_unloaded(open_front: Front) -> None:
    before = open_front.bytes()
    assert open_front.words("starter") == "12+30=42"
    loaded = open_front.bytes()
    assert loaded > before + 100e6
    assert open_front.post("/studio/unload", model="starter").json()["state"] == "unloaded"
    assert open_front.workers() == [] and open_front.bytes() < before + 15e6
    assert open_front.client.get("/health").json()["loaded"] == []


def test_another_model_is_loaded_while_the_first_answers(open_front: Front) -> None:
    assert open_front.words("starter") == "12+30=42"
    loaded = threading.Event()

    def load() -> None:
        assert open_front.post("/studio/load", model="copy").status_code == 200
        loaded.set()

    thread = threading.Thread(target=load)
    seen = 0
    with open_front.stream(**ENDLESS) as stream:
        thread.start()
        for _ in stream:
            seen += 1
            if loaded.is_set():
                break
    assert loaded.wait(30) and seen > 10
    assert len(open_front.workers()) == 2
    assert open_front.words("copy") == "12+30=42"
    open_front.post("/studio/unload", model="copy")
    assert len(open_front.workers()) == 1


def test_a_checkpoint_that_changed_on_disk_is_what_answers_next(open_front: Front, root: Path) -> None:
    steps = root / "saves" / "tuned" / "checkpoints"
    first = open_front.ask("tuned/step-40")
    again = open_front.ask("tuned/step-40")["studio"]
    assert again["adapter_hash"] == first["studio"]["adapter_hash"] and not again["changed_on_disk"]
    weights = "adapter_model.safetensors"
    shutil.copyfile(steps / "step-20" / weights, steps / "step-40" / "aside")
    os.replace(steps / "step-40" / "aside", steps / "step-40" / weights)
    changed = open_front.ask("tuned/step-40")["studio"]
    assert changed["changed_on_disk"] and changed["adapter_hash"] != again["adapter_hash"]
    other = open_front.ask("tuned/step-20")["studio"]
    assert other["adapter_hash"] == changed["adapter_hash"] and other["same_as"] is not None
    adapters = open_front.client.get("/studio/lanes").json()["bases"][0]["adapters"]
    assert [one["name"] for one in adapters] == ["tuned/step-40", "tuned/step-20"]


def test_an_adapter_of_another_shape_is_refused_and_the_others_go_on(open_front: Front, root: Path) -> None:
    wrong = root / "saves" / "wrong" / "checkpoints" / "step-1"
    shutil.copytree(root / "saves" / "tuned" / "checkpoints" / "step-20", wrong)
    shutil.copyfile(root / "saves" / "tuned" / "spec.yaml", root / "saves" / "wrong" / "spec.yaml")
    weights = wrong / "adapter_model.safetensors"
    save_file({name: value[:, :-1].copy() for name, value in load_file(weights).items()}, weights)
    error = open_front.ask("wrong", status=400)["error"]
    assert error["param"] == "model" and error["message"]
    assert open_front.words("starter") == "12+30=42"


def test_an_engine_that_is_killed_in_mid_answer_is_told_and_comes_again(open_front: Front) -> None:
    assert open_front.words("starter") == "12+30=42"
    with open_front.stream(**ENDLESS) as stream:
        next(stream)
        os.kill(open_front.workers()[0].pid, signal.SIGKILL)
        last = list(stream)[-1]
    assert last["error"]["code"] == "engine_ended" and last["error"]["message"]
    assert open_front.words("starter") == "12+30=42"
    assert open_front.words("tuned/step-20") != "12+30=42"


# ---- beginning and ending ----

def test_while_it_loads_whoever_asks_is_told_to_come_back_and_idle_models_leave(
        root: Path, start: Callable[..., Front]) -> None:
    front = start(root, models=["starter"], ready=False, idle_minutes=0.02)
    reply = front.post("/v1/chat/completions", model="starter", messages=SUM)
    assert reply.status_code == 503 and int(reply.headers["retry-after"]) >= 1
    assert reply.json()["error"]["code"] == "model_loading"
    assert front.client.get("/health").status_code == 503
    wait(lambda: front.client.get("/health").status_code == 200)
    wait(lambda: front.workers() == [], 10)
    front.process.send_signal(signal.SIGTERM)
    assert front.process.wait(10) == 0


def test_it_ends_with_its_parent_and_takes_its_models_along(root: Path, start: Callable[..., Front]) -> None:
    front = start(root, models=["starter"])
    family = psutil.Process(front.process.pid).children(recursive=True)
    assert len(family) == 1
    with front.stream(**ENDLESS) as stream:
        next(stream)
        assert front.process.stdin is not None
        front.process.stdin.close()
        rest = list(stream)
    assert rest[-1]["error"]["code"] == "server_closing"
    assert front.process.wait(20) == 0
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family)


@pytest.mark.parametrize(("config", "code"), [
    ({"host": "0.0.0.0"}, "serve_needs_key"), ({"models": ["tuend"]}, "lane_unknown_near"),
    ({"host": "203.0.113.7"}, "serve_needs_key")])
def test_what_cannot_be_served_is_said_at_once(root: Path, start: Callable[..., Front], config: dict[str, Any],
                                               code: str) -> None:
    front = start(root, ready=False, **config)
    assert front.said["failed"]["code"] == code
    assert front.process.wait(10) == 2


def test_a_port_that_is_taken_is_said(root: Path, start: Callable[..., Front]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        front = start(root, ready=False, port=other.getsockname()[1])
        assert front.said["failed"]["code"] == "port_unusable" and front.process.wait(10) == 2
