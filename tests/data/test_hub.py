"""Models fetched from a hub, which here is a server of our own on this machine."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from studio.errors import InputError, StudioError, WorkError
from studio.plugins import plugin
from studio.texts.errors import of_error
from tests.data.hub_server import hub

pytest.importorskip("huggingface_hub")
FILES = {"config.json": b"{}", "model.safetensors": b"w" * 3_000_000, "tokenizer.json": b"{}", "merges.txt": b"",
         "chat_template.jinja": b"x", "pytorch_model.bin": b"evil", "modeling_x.py": b"evil", "README.md": b"#"}


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


def fetch(name: str, target: Path, **values):
    return plugin("hubs", "huggingface").fetch(name, "main", target, **values)


def refused(kind: type[StudioError], name: str, target: Path) -> StudioError:
    with pytest.raises(kind) as error:
        fetch(name, target)
    assert not target.exists()
    for lang in ("en", "zh"):
        assert "{" not in of_error(lang, error.value)
    return error.value


def test_a_model_arrives_whole_without_pickles_and_code(tmp_path, monkeypatch):
    target, heard = tmp_path / "models" / "org--name", []
    with hub({"org/name": FILES}) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert fetch("org/name", target, on_progress=lambda done, total: heard.append((done, total))) == target
        before = len(asked)
        assert fetch("org/name", target) == target and len(asked) == before  # it is here: nothing is asked
    wanted = {"config.json", "model.safetensors", "tokenizer.json", "merges.txt", "chat_template.jinja"}
    assert {path.name for path in target.iterdir()} == wanted
    assert all((target / name).read_bytes() == FILES[name] for name in wanted)
    assert not any("evil" in path or path.endswith((".bin", ".py")) for path in asked)
    assert heard and heard[-1][0] >= 3_000_000 and all(done <= total for done, total in heard)
    assert [path.name for path in target.parent.iterdir()] == ["org--name"]


def test_a_model_with_pickles_alone_is_refused_before_any_download(tmp_path, monkeypatch):
    with hub({"org/name": {"config.json": b"{}", "pytorch_model.bin": b"evil"}}) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert refused(InputError, "org/name", tmp_path / "t").code == "model_only_pickles"
    assert not any("resolve" in path for path in asked)


def test_unknown_and_gated_models_say_so(tmp_path, monkeypatch):
    with hub({"org/name": FILES}, gated=("org/closed",)) as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert refused(InputError, "org/other", tmp_path / "a").code == "hub_unknown"
        assert refused(InputError, "org/closed", tmp_path / "b").code == "hub_gated"


def test_a_hub_that_cannot_be_reached_is_one_clear_sentence(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    error = refused(WorkError, "org/name", tmp_path / "t")
    assert error.code == "hub_unreachable" and address in of_error("en", error)


def test_offline_means_that_nothing_is_asked(tmp_path, monkeypatch):
    with hub({"org/name": FILES}) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert refused(WorkError, "org/name", tmp_path / "t").code == "hub_offline"
        assert not asked
