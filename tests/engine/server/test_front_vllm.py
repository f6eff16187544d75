"""vLLM answers under our names where it is, and is refused with a sentence where it is not.

`vllm` beside this file stands in for the program itself: it takes its flags and speaks its protocol.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.texts import sentences
from tests.engine.server.fronts import KEY, SUM, Front

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="vLLM runs on Linux")]
HERE = Path(__file__).parent
CARD = "#!/bin/sh\necho 'GPU 0: a card (UUID: GPU-0)'\n"
NO_CARD = "#!/bin/sh\necho 'No devices were found' >&2; exit 6\n"


def programs(folder: Path, *, vllm: bool, card: str) -> str:
    """A PATH on which vLLM and NVIDIA's tool are, or are not."""
    folder.mkdir()
    if vllm:
        shutil.copy2(HERE / "vllm", folder / "vllm")
    (folder / "nvidia-smi").write_text(card, encoding="utf-8")
    (folder / "nvidia-smi").chmod(0o755)
    return f"{folder}{os.pathsep}{os.path.dirname(shutil.which('python3') or '')}{os.pathsep}/usr/bin{os.pathsep}/bin"


@pytest.fixture(scope="module")
def vllm(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A server whose answers vLLM's stand-in makes."""
    folder = tmp_path_factory.mktemp("vllm")
    front = Front(trained, folder, models=["starter", "tuned"], backend="vllm", context=512)
    front.start(PATH=programs(folder / "bin", vllm=True, card=CARD))
    yield front
    front.end()


@pytest.mark.parametrize(("installed", "card", "code"), [
    (False, CARD, "vllm_missing"), (True, NO_CARD, "vllm_no_cuda")])
def test_without_vllm_or_a_card_it_is_refused(trained: Path, tmp_path: Path, start: Callable[..., Front],
                                              installed: bool, card: str, code: str) -> None:
    path = programs(tmp_path / "bin", vllm=installed, card=card)
    front = start(trained, models=["starter"], backend="vllm", ready=False, environment={"PATH": path})
    assert front.said["failed"]["code"] == code and sentences("en")[f"errors.{code}"]
    assert front.process.wait(20) == 2


def test_names_are_vllms_names_and_the_key_is_its_own(vllm: Front) -> None:
    assert vllm.words() == "starter of starter"
    assert vllm.words("tuned") == "tuned of starter" and vllm.words("base") == "base of starter"
    assert vllm.ask("tuned/step-20", status=404)["error"]["param"] == "model"
    assert vllm.ask("tunde", status=404)["error"]["code"] == "model_not_found"
    assert vllm.ask(temperature=99, status=422)["error"]["param"] == "temperature"
    line = next(one.cmdline() for one in family(vllm) if "serve" in one.cmdline() and "--lora-modules" in one.cmdline())
    assert line[line.index("--max-model-len") + 1] == "512"
    assert KEY not in " ".join(line)


def family(front: Front) -> list[Any]:
    import psutil

    return psutil.Process(front.process.pid).children(recursive=True)


def test_a_stream_is_passed_on(vllm: Front) -> None:
    with vllm.stream(model="tuned") as stream:
        assert [one["choices"][0]["delta"]["content"] for one in stream] == ["tuned ", "of ", "starter "]
    assert vllm.client.post("/", json={"prompt": "hello"}).json()["response"] == "starter of starter"
    assert "vllm:num_requests_running" in vllm.client.get("/metrics").text
    assert [one["id"] for one in vllm.client.get("/v1/models").json()["data"]] == ["starter", "tuned", "base"]


def test_while_vllm_loads_askers_are_told_to_come_back_and_its_end_is_told(
        trained: Path, tmp_path: Path, start: Callable[..., Front]) -> None:
    path = programs(tmp_path / "bin", vllm=True, card=CARD)
    front = start(trained, models=["starter"], backend="vllm", ready=False,
                  environment={"PATH": path, "SLOW_SECONDS": "2"})
    reply = front.client.post("/v1/chat/completions", json={"model": "starter", "messages": SUM})
    assert reply.status_code == 503 and int(reply.headers["retry-after"]) > 0
    end = time.monotonic() + 20
    while front.client.get("/health").status_code != 200 and time.monotonic() < end:
        time.sleep(0.1)
    assert front.words() == "starter of starter"
    front.ask(messages=[{"role": "user", "content": "die"}], status=500)
    processes = family(front)
    assert front.end() == 0
    assert not [one for one in processes if one.is_running()]
