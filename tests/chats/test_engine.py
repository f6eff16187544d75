"""The engine behind the talks: begun when needed, begun anew after a kill, gone with its parent, its key in no file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from studio.chats import client, talks
from studio.chats.client import Address
from studio.chats.engine import KEYS, REMOTE_KEYS, Engine
from studio.chats.shelf import Shelf
from studio.chats.talk import Talk
from studio.errors import InputError, StudioError, WorkError
from studio.workspace import PROJECT, Workspace
from tests.chats.a_server import KEY, AServer
from tests.chats.conftest import until


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    found = Engine(Workspace(tmp_path_factory.mktemp("engine")), cpu_threads=1)
    yield found
    found.stop()


def pid_of(engine: Engine) -> int:
    engine.address()
    assert engine._process is not None
    return engine._process.pid


@pytest.mark.slow
def test_it_begins_when_needed_and_its_key_opens_it_alone(engine: Engine) -> None:
    assert not Engine(engine.workspace).alive
    address = engine.address()
    assert engine.address() == address and engine.alive and client.health(address)
    assert any(one["id"] == "starter" for one in client.models(address))
    with pytest.raises(WorkError) as refused:
        client.models(Address(address.url, "wrong"))
    assert refused.value.values["status"] == 401
    written = [path for path in engine.folder.rglob("*") if path.is_file()]
    assert written and not [path for path in written if address.key in path.read_text(errors="replace")]
    process = psutil.Process(pid_of(engine))
    assert address.key not in " ".join(process.cmdline()) and address.key not in repr(address)
    assert KEYS not in os.environ
    usage = engine.usage()
    assert usage is not None and usage.bytes > 1_000_000 and usage.cpu_seconds > 0


@pytest.mark.slow
def test_lanes_answer_and_a_killed_engine_leaves_the_conversation_to_go_on(engine: Engine) -> None:
    talk = Talk(Shelf(engine.workspace).create(), engine)
    message = talk.send("What is 12 + 30?", ["starter", "starter"], {"temperature": 0})
    assert talk.wait(60)
    answers = talk.look().turns[0].answers
    assert [answer.content for answer in answers] == ["12+30=42"] * 2, answers[0].values
    proof = answers[0].proof
    assert len(proof["base_hash"]) == 64 and proof["adapter_hash"] is None and proof["seed"] == answers[1].proof["seed"]
    lens = talk.conversation.tokens(answers[0].id)
    assert "".join(token[0] for token in lens) == "12+30=42" and all(len(token[3]) == 5 for token in lens)
    talk.again_from(answers[0].id, 0, lens[0][3][1][1])
    assert talk.wait(30)
    again = talk.look().turns[0].answers[0]
    assert again.state == "done" and again.content.startswith(lens[0][3][1][0]), again
    assert talk.conversation.tokens(again.id)[0][2] == lens[0][3][1][2]
    talk.regenerate(message.id, "A", {"temperature": 1.0, "max_tokens": 2000, "logit_bias": {"2": -100, "0": -100}})
    until(lambda: talk.look().turns[0].answers[0].tokens > 3, 30)
    before = pid_of(engine)
    os.kill(before, signal.SIGKILL)
    assert talk.wait(20)
    broken = talk.look().turns[0].answers[0]
    assert (broken.state, broken.code) == ("failed", "engine_gone") and broken.content
    talk.proceed(broken.id)
    until(lambda: len(talk.look().turns[0].answers[0].content) > len(broken.content), 60)
    talk.stop()
    assert talk.wait(10)
    after = talk.look().turns[0].answers[0]
    assert after.content.startswith(broken.content) and after.state == "stopped" and pid_of(engine) != before


PARENT = """
import sys, time
from studio.chats.engine import Engine
from studio.workspace import Workspace
engine = Engine(Workspace.at(sys.argv[1]))
engine.address()
print(engine._process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_it_goes_with_its_parent_however_that_dies(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True,
                              cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)})
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    child.wait(15)


@pytest.mark.slow
def test_a_limit_begins_it_anew_only_when_it_is_another(engine: Engine) -> None:
    before = pid_of(engine)
    assert not engine.limit(cpu_threads=1) and pid_of(engine) == before
    assert engine.limit(cpu_threads=2) and not engine.alive and pid_of(engine) != before


@pytest.mark.slow
def test_an_engine_that_cannot_begin_says_why(tmp_path: Path) -> None:
    old = tmp_path / ".cache" / "engine" / "old"
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    broken = Engine(Workspace(tmp_path), models=["no-such-model"])
    with pytest.raises(StudioError) as refused:
        broken.address()
    assert refused.value.code == "lane_unknown", refused.value
    assert not old.exists() and broken.log.exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkError) as refused:
        Engine(Workspace(tmp_path / "file")).address()
    assert refused.value.code == "engine_not_started"


def test_another_machines_address_is_a_lane(tmp_path: Path, server: AServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REMOTE_KEYS, f"{server.url}/v1 {KEY}\nhttp://other no")
    engine = Engine(Workspace(tmp_path))
    address, model = engine.road(f"{server.url}/v1#some/model")
    assert (address.key, model, address.is_own) == (KEY, "some/model", False)
    assert engine.road(f"{server.url}/v1")[1] == "echo", "the first that it has"
    talk = Talk(Shelf(engine.workspace).create(), engine)
    talk.send("x", [f"{server.url}/v1#echo"], {"seed": 5})
    assert talk.wait(10) and talk.look().turns[0].answers[0].content == "echo heard x 5"
    assert KEY not in talk.conversation.path.read_text()
    engine.remember_key(server.url, "wrong")
    with pytest.raises(WorkError):
        engine.road(f"{server.url}/v1")
    for bad in ("http://", "http://user:secret@host/v1", "http://[::1"):
        with pytest.raises(InputError) as refused:
            engine.road(bad)
        assert refused.value.code == "lane_address"
    talk.send("x", ["http://127.0.0.1:9/v1#m"])
    assert talk.wait(20) and talk.look().turns[-1].answers[0].code == "engine_unreachable"
    assert not engine.alive


def test_a_talk_is_the_same_for_every_tab(workspace: Workspace) -> None:
    id = Shelf(workspace).create().id
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: talks.talk(id, workspace), range(32)))
    assert all(one is found[0] for one in found)
    Shelf(workspace).remove(id)
    with pytest.raises(InputError):
        talks.talk(id, workspace)
    Shelf(workspace).restore(id)
    assert talks.talk(id, workspace) is not found[0]
    talks.stop_all()
