"""What a conversation begins with, what is chosen for it, and what is known of lanes that are loaded or not."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from studio.chats import choices, presence
from studio.chats.beginning import beginning, beside
from studio.chats.client import Address
from studio.chats.lanes import lane
from studio.errors import SpecError, WorkError
from studio.workspace import Workspace
from tests.chats.a_server import KEY, AServer
from tests.chats.conftest import until
from tests.chats.test_lanes import run


class Lives:
    """An engine that lives at the test's server."""

    alive = True

    def __init__(self, server: AServer) -> None:
        self.server = server

    def address(self) -> Address:
        return Address(self.server.url, KEY, is_own=True)

    def usage(self) -> None:
        return None


def test_a_conversation_begins_with_the_newest_result_beside_its_base(workspace: Workspace) -> None:
    assert beginning(workspace)["lanes"] == ["starter"]
    run(workspace, "tuned", 10, 20)
    assert beginning(workspace)["lanes"] == ["starter", "tuned"]
    assert beginning(workspace, "tuned/step-10")["lanes"] == ["starter", "tuned/step-10"]
    assert beginning(workspace, "not-there")["lanes"] == ["not-there"]  # the lane says what is wrong with it


def test_a_fully_tuned_checkpoint_stands_beside_what_it_was(workspace: Workspace) -> None:
    run(workspace, "whole", 5, kind="full")
    assert beside(workspace, "whole") == ["starter", "whole"]
    assert beside(workspace, "starter") == ["starter"]


def test_until_somebody_chooses_answers_end_and_all_lanes_have_one_seed() -> None:
    asked = choices.asked({})
    assert asked["max_tokens"] == 512 and asked["seed"] == 42 and asked["temperature"] == 0.7
    assert choices.changed({}) == [] and "num_beams" not in asked


def test_what_is_typed_becomes_what_is_asked_for() -> None:
    kept = choices.read({"temperature": "0", "max_new_tokens": "64", "answer_seed": "", "top_k": "5.0"}, {})
    assert kept["sampling"] == {"temperature": 0, "max_tokens": 64, "seed": None, "top_k": 5}
    assert choices.asked(kept) | {"seed": None} == {"temperature": 0, "top_p": 0.9, "max_tokens": 64, "top_k": 5,
                                                    "seed": None}
    assert choices.changed(kept) == ["max_new_tokens", "answer_seed"]
    assert choices.read({"max_new_tokens": " "}, kept)["sampling"]["max_tokens"] == 512


@pytest.mark.parametrize(("name", "value"), [("temperature", "2.1"), ("temperature", "nan"), ("max_new_tokens", "0"),
                                             ("max_new_tokens", "true"), ("top_p", "0"), ("answer_seed", "[1]"),
                                             ("num_beams", "99"), ("tools", "{}"), ("tools", '{"name": 3}')])
def test_what_cannot_be_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SpecError) as refused:
        choices.read({"top_k": "3", name: value}, {})
    assert [problem.field for problem in refused.value.problems] == [name]


def test_tools_are_one_function_or_a_list() -> None:
    assert choices.tools_of("") == [] and choices.tools_of('{"name": "a"}') == [{"name": "a"}]
    assert len(choices.tools_of('[{"type": "function", "function": {"name": "a"}}, {"name": "b"}]')) == 2


def test_a_checkpoint_shares_the_model_of_the_lane_before_it(workspace: Workspace) -> None:
    run(workspace, "one", 5)
    run(workspace, "two", 5)
    base, one, two = (lane(name, workspace) for name in ("starter", "one", "two"))
    assert presence.shared(one, {"A": base}) == ("A", 1000) == presence.shared(two, {"A": one})
    assert presence.shared(one, {}) is None and presence.shared(base, {"A": one}) is None


def test_loading_says_how_far_it_is_and_what_went_wrong(server: AServer, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, found = threading.Event(), presence.Presence(Lives(server))  # type: ignore[arg-type]

    def slow(*_: Any) -> None:
        gate.wait(10)
        raise WorkError("engine_gone")

    monkeypatch.setattr(presence.client, "load", slow)
    found.load("a-lane")
    found.load("a-lane")
    time.sleep(0.02)
    assert found.look("a-lane").state == presence.LOADING and found.look("a-lane").seconds > 0
    gate.set()
    until(lambda: found.look("a-lane").state == presence.FAILED)
    assert found.look("a-lane").code == "engine_gone" and found.look("other").state == presence.ABSENT
    assert found.look("http://10.0.0.1/v1#m").state == presence.REMOTE


def test_the_engine_is_asked_once_a_second_at_most(server: AServer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    told = {"lanes": [{"name": "a", "base": "/m", "adapter": "/x", "state": "loaded"}, {"name": "b", "base": "/m",
                                                                                     "state": "loaded"}],
            "bases": [{"folder": "/m", "facts": {"bytes": 900}, "adapters": [{"name": "a", "bytes": 7}]}]}
    monkeypatch.setattr(presence.client, "lanes", lambda *_: (asked.append(1), told)[1])
    found = presence.Presence(Lives(server))  # type: ignore[arg-type]
    assert [(found.look(name).state, found.look(name).bytes) for name in ("a", "b")] == [("loaded", 7), ("loaded", 900)]
    assert len(asked) == 1
