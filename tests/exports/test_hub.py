"""Pushing to a hub, against one on this machine that behaves like Hugging Face and like ModelScope."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.errors import StopAsked, StudioError, WorkError
from studio.plugins import plugin
from studio.plugins.exporters import hub as form
from studio.plugins.hubs import huggingface
from studio.records import read_json
from tests.exports.holding import FILES, Desk, a_form, spec
from tests.exports.hub_store import READER, TOKEN, Store, hub_store

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the hub's own client
HUBS = ("huggingface", "modelscope")
MORE = FILES | {"model-00002.safetensors": bytes(range(256)) * 2000}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A hub whose address and token are in the environment of both kinds; waiting between tries takes no time."""
    with hub_store() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.address)
        monkeypatch.setenv("MODELSCOPE_DOMAIN", found.address)
        for variable in ("HF_TOKEN", "MODELSCOPE_API_TOKEN"):
            monkeypatch.setenv(variable, TOKEN)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        yield found


@pytest.fixture(params=HUBS)
def desk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store) -> Desk:
    monkeypatch.setattr(form, "exporter", lambda name: a_form(MORE))
    return Desk(tmp_path, hub_name=request.param, hub_repo="tester/my-model")


def delivered(desk: Desk) -> None:
    form.write(desk.work)
    desk.finish()
    form.deliver(desk.work)


def refused(desk: Desk) -> StudioError:
    with pytest.raises(StudioError) as caught:
        delivered(desk)
    return caught.value


def test_every_file_arrives_byte_for_byte_and_the_repository_is_private(desk: Desk, store: Store) -> None:
    delivered(desk)
    assert store.repos["tester/my-model"] == MORE
    assert store.private["tester/my-model"] is True
    assert read_json(desk.work.run.results / "hub.json")["repo"] == "tester/my-model"
    assert desk.said[-1][0] == "hub_pushed"


def test_progress_ends_at_all_bytes_and_tells_of_the_middle(desk: Desk) -> None:
    delivered(desk)
    total = sum(map(len, MORE.values()))
    assert desk.told[-1][:2] == (total, total)
    assert any(0 < done < total and done not in map(len, MORE.values()) for done, _, _ in desk.told)


def test_a_name_without_an_owner_is_ones_own(tmp_path: Path, desk: Desk, store: Store) -> None:
    object.__setattr__(desk.work, "spec", spec(hub_name=desk.work.spec.hub_name, hub_repo="small", hub_private=False))
    delivered(desk)
    assert store.private == {"tester/small": False}


def test_a_wrong_token_is_refused_before_anything_is_written(
        desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugin("hubs", desk.work.spec.hub_name).TOKEN, "somebody-elses")
    assert refused(desk).code == "hub_token_wrong"
    assert not list(desk.work.into.iterdir())


def test_no_token_is_refused_by_the_name_of_its_variable(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = plugin("hubs", desk.work.spec.hub_name).TOKEN
    monkeypatch.delenv(variable)
    error = refused(desk)
    assert (error.code, error.values["variable"]) == ("hub_token_missing", variable)


def test_a_token_that_may_only_read_is_told_from_a_wrong_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugin("hubs", desk.work.spec.hub_name).TOKEN, READER)
    assert refused(desk).code == "hub_token_may_not"


def test_a_line_that_breaks_once_in_the_middle_is_taken_up_again(desk: Desk, store: Store) -> None:
    store.cut, store.cuts = 4000, 1
    delivered(desk)
    assert store.repos["tester/my-model"] == MORE


def test_after_a_lost_network_the_next_try_sends_only_what_is_missing(desk: Desk, store: Store) -> None:
    form.write(desk.work)
    desk.finish()
    tell = desk.work.tell

    def after_the_first(done: int, total: int, what: str) -> None:
        """The network is gone for good as soon as one large file has arrived."""
        if store.blobs:
            store.cut, store.cuts = 100, 99
        tell(done, total, what)

    object.__setattr__(desk.work, "tell", after_the_first)
    with pytest.raises(WorkError) as caught:
        form.deliver(desk.work)
    assert caught.value.code == "hub_push_unreachable"
    assert store.commits == 0
    arrived = set(store.blobs)
    assert arrived
    store.cuts, store.received = 0, []
    object.__setattr__(desk.work, "tell", tell)
    form.deliver(desk.work)
    assert store.repos["tester/my-model"] == MORE
    assert not arrived & set(store.received)


def test_a_stop_ends_the_push_between_two_blocks_and_nothing_is_committed(desk: Desk, store: Store) -> None:
    form.write(desk.work)
    desk.finish()
    desk.stop_after = desk.stays + 9
    with pytest.raises(StopAsked):
        form.deliver(desk.work)
    assert store.commits == 0


def test_a_private_push_into_an_open_repository_is_refused(desk: Desk, store: Store) -> None:
    store.repos["tester/my-model"], store.private["tester/my-model"] = {}, False
    assert refused(desk).code == "hub_public"
    assert store.repos["tester/my-model"] == {}


def test_a_hub_that_lost_a_file_is_found_out(desk: Desk, store: Store) -> None:
    store.loses = "more/vocab.txt"
    error = refused(desk)
    assert (error.code, error.values["path"]) == ("hub_not_whole", "more/vocab.txt")


def test_older_weights_that_programs_would_load_instead_are_taken_away_or_named(desk: Desk, store: Store) -> None:
    store.repos["tester/my-model"] = {"model-00001-of-00009.safetensors": b"old", "notes.md": b"mine"}
    store.private["tester/my-model"] = True
    delivered(desk)
    is_hf = desk.work.spec.hub_name == "huggingface"
    assert ("model-00001-of-00009.safetensors" in store.repos["tester/my-model"]) is not is_hf
    assert store.repos["tester/my-model"]["notes.md"] == b"mine"
    assert ("hub_removed" if is_hf else "hub_left") in [key for key, _ in desk.said]


def test_a_hub_that_does_not_answer_is_named_with_its_address(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HF_ENDPOINT", "MODELSCOPE_DOMAIN"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    error = refused(desk)
    assert (error.code, error.values["endpoint"]) == ("hub_push_unreachable", "http://127.0.0.1:9")


def test_the_session_is_not_shown_to_a_stranger_that_the_hub_names_as_its_storage() -> None:
    from studio.plugins.hubs import modelscope

    with modelscope._client() as client:
        client.cookies.set(modelscope.SESSION, "secret")
        assert modelscope._session(client, "https://storage.modelscope.cn/put/1")
        assert not modelscope._session(client, "https://storage.example.org/put/1")


def test_offline_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WorkError) as caught:
        huggingface.greet()
    assert caught.value.code == "hub_push_offline"


@pytest.mark.parametrize(("name", "codes"), [
    (None, ["hub_repo_missing"]), ("", ["hub_repo_missing"]), ("a b/c", ["hub_repo_name"]),
    ("a/b/c", ["hub_repo_name"]), ("../up", ["hub_repo_name"]), ("you/my-model_1.0", []), ("mine", [])])
def test_the_name_of_the_repository_is_looked_at_before(
        name: Any, codes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "exporter", lambda inner: a_form())
    assert [problem.code for problem in form.refuse(None, spec(hub_repo=name))] == codes


def test_the_token_is_in_no_file_of_the_run(desk: Desk) -> None:
    delivered(desk)
    for path in desk.work.run.path.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()
