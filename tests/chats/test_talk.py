"""A talk goes on by itself: lanes answer at once, stop, go on, begin again, and everything lies on the disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from studio.chats.asking import OPENAI
from studio.chats.shelf import Shelf
from studio.chats.talk import Talk
from studio.errors import InputError
from studio.workspace import PROJECT
from tests.chats.a_server import PONDERS_SECONDS, AServer
from tests.chats.conftest import Road, until


def answers(talk: Talk, message: str) -> dict[str, str]:
    view = next(turn for turn in talk.look().turns if turn.id == message)
    return {answer.place: answer.content for answer in view.answers}


def test_all_lanes_answer_and_a_new_reader_finds_the_same(talk: Talk, shelf: Shelf) -> None:
    message = talk.send("2+2?", ["echo", "echo-b"], {"seed": 5}, system="Be brief.")
    assert talk.wait(10)
    assert answers(talk, message.id) == {"A": "echo heard 2+2? 5", "B": "echo-b heard 2+2? 5"}
    seen = shelf.open(talk.conversation.id).look()
    assert seen.turns == talk.look().turns or [t.answers[0].content for t in seen.turns]
    first = seen.turns[0].answers[0]
    assert (first.state, first.lane, first.tokens, first.seconds) == ("done", "echo", 4, 0.5)
    assert first.proof["base_hash"] == "9f2c" and first.speed == pytest.approx(8.0) and first.has_lens
    assert seen.settings["lanes"] == ["echo", "echo-b"] and not seen.is_live


def test_each_lane_hears_its_own_words_again(talk: Talk, server: AServer) -> None:
    talk.send("one", ["echo", "echo-b"], system="S")
    talk.wait(10)
    talk.to("B", "only you")
    talk.wait(10)
    talk.send("two", ["echo", "echo-b", "echo-c"], system="S")
    talk.wait(10)
    said = {model: [turn["content"] for turn in server.asked(model)[-1]["messages"]]
            for model in ("echo", "echo-b", "echo-c")}
    assert said == {"echo": ["S", "one", "echo heard one", "two"],
                    "echo-b": ["S", "one", "echo-b heard one", "only you", "echo-b heard only you", "two"],
                    "echo-c": ["S", "one", "echo heard one", "two"]}


def test_stopping_keeps_what_was_said_and_ends_the_line(talk: Talk, server: AServer) -> None:
    server.gone.clear()
    message = talk.send("go", ["slow", "slow-b"])
    until(lambda: all(len(text) > 30 for text in answers(talk, message.id).values()) and answers(talk, message.id))
    talk.stop("A")
    until(lambda: talk.answering() == ("B",))
    talk.stop()
    assert talk.wait(2)
    assert server.gone.wait(5), "the server is told by the closed line"
    view = talk.look().turns[0]
    assert [answer.state for answer in view.answers] == ["stopped", "stopped"]
    assert all(answer.content.startswith("word0 word1") for answer in view.answers)


def test_a_lane_that_has_not_begun_yet_stops_at_once(talk: Talk) -> None:
    talk.send("x", ["ponders"])
    time.sleep(0.3)
    talk.stop()
    assert talk.wait(PONDERS_SECONDS / 2)
    assert talk.look().turns[0].answers[0].state == "stopped"


def test_only_what_changed_is_shown(talk: Talk) -> None:
    talk.send("one", ["echo"])
    talk.wait(10)
    version = talk.look().version
    assert talk.look(version).turns == ()
    second = talk.send("two", ["echo"])
    talk.wait(10)
    assert second.id in [turn.id for turn in talk.look(version).turns]
    assert len(talk.look(version).path) == 2


def test_thinking_and_tool_calls_come_apart_and_are_answered(talk: Talk, server: AServer) -> None:
    talk.send("think", ["thinks"])
    talk.wait(10)
    answer = talk.look().turns[0].answers[0]
    assert (answer.thinking, answer.content) == ("hm, yes.", "thinks heard think")
    tools = [{"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]
    talk.send("weather?", ["calls"], tools=tools)
    talk.wait(10)
    answer = talk.look().turns[-1].answers[0]
    (call,) = answer.tool_calls
    assert call["function"] == {"name": "weather", "arguments": '{"city": "Berlin"}'}
    for results, code in (({"call_1": "sun", "no": "x"}, "call_unknown"), ({}, "calls_missing")):
        with pytest.raises(InputError) as refused:
            talk.answer_tool(answer.id, results)
        assert refused.value.code == code
    talk.answer_tool(answer.id, {"call_1": "sun"})
    talk.wait(10)
    last = server.asked("calls")[-1]
    assert [turn["role"] for turn in last["messages"][-3:]] == ["user", "assistant", "tool"]
    assert last["messages"][-1]["tool_call_id"] == "call_1" and last["tools"][0]["function"]["name"] == "weather"
    assert talk.look().turns[-1].answers[0].content == "calls heard sun"


def test_an_edited_message_is_a_branch_and_both_can_be_gone_to(talk: Talk, server: AServer) -> None:
    first = talk.send("first", ["echo"])
    talk.wait(10)
    talk.send("second", ["echo"])
    talk.wait(10)
    other = talk.edit(first.id, "other")
    talk.wait(10)
    seen = talk.look()
    assert seen.path == (other.id,) and seen.turns[0].siblings == (first.id, other.id)
    assert [turn["content"] for turn in server.asked("echo")[-1]["messages"]] == ["other"]
    talk.conversation.point(first.id)
    assert [turn.content for turn in talk.look().turns] == ["first", "second"]


def test_again_makes_a_variant_with_another_seed(talk: Talk, server: AServer) -> None:
    message = talk.send("x", ["echo"], {"seed": 1})
    talk.wait(10)
    talk.regenerate(message.id, "A")
    talk.wait(10)
    answer = talk.look().turns[0].answers[0]
    assert answer.content == "echo heard x 2" and len(answer.variants) == 2
    talk.conversation.pick(answer.variants[0])
    assert talk.look().turns[0].answers[0].content == "echo heard x 1"
    talk.send("y", ["echo"])
    talk.wait(10)
    assert server.asked("echo")[-1]["messages"][1]["content"] == "echo heard x 1"


def test_an_answer_goes_on_and_can_take_another_word(talk: Talk, server: AServer) -> None:
    message = talk.send("x", ["echo"])
    talk.wait(10)
    answer = talk.look().turns[0].answers[0]
    talk.proceed(answer.id)
    talk.wait(10)
    assert talk.look().turns[0].answers[0].content == "echo heard xon."
    assert server.asked("echo")[-1]["prefix_ids"] == [4, 6, 2]
    assert [token[0] for token in talk.conversation.tokens(answer.id)] == ["echo", " heard", " x", "on."]
    lens = talk.conversation.tokens(answer.id)
    assert lens[1] == [" heard", 6, -0.1, [[" heard", 6, -0.1], ["else", 99, -2.5]]]
    talk.again_from(answer.id, 1, 99)
    talk.wait(10)
    assert server.asked("echo")[-1]["prefix_ids"] == [4, 99]
    again = talk.look().turns[0].answers[0]
    assert again.content == "echoelseon." and len(talk.conversation.message(message.id).answers["A"]) == 2
    assert [token[0] for token in talk.conversation.tokens(again.id)] == ["echo", "else", "on."]
    assert [token[2] for token in talk.conversation.tokens(again.id)] == [-0.1, -2.5, -0.1]
    with pytest.raises(InputError):
        talk.again_from(answer.id, 1, 12345)


def test_a_corrected_answer_is_what_the_lane_remembers(talk: Talk, server: AServer) -> None:
    talk.send("x", ["echo"])
    talk.wait(10)
    answer = talk.look().turns[0].answers[0]
    talk.correct(answer.id, "better")
    talk.send("y", ["echo"])
    talk.wait(10)
    assert server.asked("echo")[-1]["messages"][1]["content"] == "better"
    talk.correct(answer.id, None)
    assert talk.look().turns[0].answers[0].correction is None


@pytest.mark.parametrize(("model", "state", "code"), [
    ("broken", "failed", "engine_gone"), ("refuses", "failed", "engine_refused"), ("loads", "done", ""),
    ("plain", "done", "")])
def test_what_goes_wrong_is_said_and_what_came_is_kept(talk: Talk, model: str, state: str, code: str) -> None:
    talk.send("x", [model])
    talk.wait(10)
    answer = talk.look().turns[0].answers[0]
    assert (answer.state, answer.code) == (state, code)
    assert answer.content.startswith(model) or model == "refuses"
    if model == "refuses":
        assert answer.values["reason"] == "no such luck" and answer.values["status"] == 400


def test_another_machine_gets_only_what_the_protocol_has(shelf: Shelf, server: AServer) -> None:
    talk = Talk(shelf.create(), Road(server, is_own=False))
    talk.send("x", ["echo"], {"temperature": 0.5, "top_k": 3, "min_p": 0.1, "repetition_penalty": 1.1})
    talk.wait(10)
    asked = server.asked("echo")[-1]
    assert asked["temperature"] == 0.5 and not {"top_k", "min_p", "repetition_penalty"} & set(asked)
    assert set(OPENAI) >= {"temperature"}
    answer = talk.look().turns[0].answers[0]
    talk.proceed(answer.id)
    talk.wait(10)
    asked = server.asked("echo")[-1]
    assert asked["continue_final_message"] and asked["messages"][-1]["content"] == "echo heard x"


def test_a_lane_that_talks_is_not_asked_again(talk: Talk) -> None:
    message = talk.send("x", ["slow"])
    for ask in (lambda: talk.send("y", ["slow"]), lambda: talk.regenerate(message.id),
                lambda: talk.to("A", "z"), lambda: talk.edit(message.id, "w")):
        with pytest.raises(InputError) as refused:
            ask()
        assert refused.value.code == "answer_going"
    talk.stop()
    talk.wait(5)
    assert len(talk.look().path) == 1


@pytest.mark.parametrize(("lanes", "text", "code"), [
    ([], "x", "lanes_none"), (["a"] * 5, "x", "lanes_many"), (["echo"], "  ", "words_none")])
def test_what_cannot_be_sent_is_refused(talk: Talk, lanes: list[str], text: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        talk.send(text, lanes)
    assert refused.value.code == code
    assert talk.look().path == ()


KILLED = """
import sys, time
from studio.chats.client import Address
from studio.chats.shelf import Shelf
from studio.chats.talk import Talk
from studio.workspace import Workspace
class Road:
    def road(self, lane):
        return Address(sys.argv[2], "a-key-for-tests", True), lane
talk = Talk(Shelf(Workspace.at(sys.argv[1])).create(), Road())
talk.send("x", ["slow"])
print(talk.conversation.id, flush=True)
time.sleep(60)
"""


def test_a_studio_killed_in_mid_answer_leaves_a_stopped_answer(shelf: Shelf, server: AServer) -> None:
    root = shelf.folder.parent.parent
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(root), server.url], cwd=PROJECT, text=True,
                             stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(PROJECT)})
    id = child.stdout.readline().strip()
    conversation = shelf.open(id)
    until(lambda: len(conversation.look().turns[0].answers[0].content) > 20)
    assert conversation.look().is_live, "another studio sees it coming"
    assert conversation.look().turns[0].answers[0].state == "answering"
    child.send_signal(signal.SIGKILL)
    child.wait()
    version = conversation.look(0).version - 1
    answer = conversation.look(version).turns[0].answers[0]
    assert not conversation.look(conversation.look().version).turns, "its death is told once"
    assert answer.state == "stopped" and answer.content.startswith("word0 ") and not conversation.look().is_live
    talk = Talk(conversation, Road(server))
    talk.proceed(answer.id)
    talk.stop()
    talk.wait(10)
    after = conversation.look().turns[0].answers[0]
    assert after.state in ("done", "stopped") and after.content.startswith(answer.content)
