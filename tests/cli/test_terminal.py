"""The terminal's chat without a terminal: what lines mean, who sees which messages, what is shown and saved."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from studio.cli.program import run
from studio.cli.terminal.answers import Listener, body
from studio.cli.terminal.commands import Said, understood
from studio.cli.terminal.dialogue import Answer, Dialogue
from studio.cli.terminal.saved import save
from studio.cli.terminal.screen import Screen, harmless
from studio.cli.terminal.session import Session
from studio.cli.voice import Voice
from studio.errors import InputError, StopAsked, StudioError, WorkError

ENGLISH = Voice("en")


class Echo:
    """Answers with what it was sent; `gone` fails, `slow` is cut off by Ctrl-C after its first word."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[dict[str, str]], int]] = []

    def names(self) -> Sequence[str]:
        return ["base", "tuned"]

    def ready(self, lane: str) -> str:
        if lane == "nobody":
            raise InputError("lane_unknown", name=lane, known=["base"])
        return lane

    def answer(self, lane: str, messages: Sequence[dict[str, str]], seed_shift: int,
               on_piece: Callable[[str, str], None], into: Answer, should_stop: Callable[[], bool]) -> None:
        self.sent.append((lane, list(messages), seed_shift))
        if lane == "gone":
            raise WorkError("server_gone", value=9)
        for word in (f"{lane}: ", messages[-1]["content"]):
            into.text += word
            on_piece("words", word)
            if lane == "slow":
                os.kill(os.getpid(), signal.SIGINT)
                assert should_stop()
                raise StopAsked("answering")
        into.reason, into.tokens = "stop", 2


def chat(*lines: str, lanes: Sequence[str] = ("base",), interactive: bool = True, as_json: bool = False,
         ) -> tuple[Session, Echo, str]:
    """A chat that hears these lines; with who answered and what was shown."""
    echo, to = Echo(), io.StringIO()
    screen = Screen(ENGLISH, to, quiet=as_json)
    session = Session(Dialogue(lanes), echo, screen, ENGLISH, json=as_json, interactive=interactive)
    session.run(lines)
    return session, echo, to.getvalue()


@pytest.mark.parametrize(("line", "meant"), [
    ("", None), ("   ", None), ("1+1?", Said("", "1+1?")), (" /help ", Said("help", "")),
    ("/system be short", Said("system", "be short")), ("//etc is a folder", Said("", "/etc is a folder")),
    ("a /help inside", Said("", "a /help inside")), ("你好", Said("", "你好")),
])
def test_a_line_means_one_thing(line: str, meant: Said | None) -> None:
    assert understood(line) == meant


def test_an_unknown_command_names_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        understood("/regenrate")
    assert (caught.value.code, caught.value.values["nearest"]) == ("chat_command_unknown", "/regenerate")
    with pytest.raises(InputError, match="chat_command_takes_none"):
        understood("/clear all")


def test_each_lane_sees_its_own_answers_and_the_others_where_it_gave_none() -> None:
    _, echo, _ = chat("/system be short", "one", "/compare tuned", "two", "three")
    last = [messages for lane, messages, _ in echo.sent if lane == "tuned"][-1]
    assert [one["content"] for one in last] == ["be short", "one", "base: one", "two", "tuned: two", "three"]
    assert [one["role"] for one in last] == ["system", "user", "assistant", "user", "assistant", "user"]


def test_clear_forgets_the_turns_and_keeps_the_system_message() -> None:
    _, echo, _ = chat("/system be short", "one", "/clear", "two")
    assert [one["content"] for one in echo.sent[-1][1]] == ["be short", "two"]


def test_regenerate_asks_the_same_again_with_another_seed() -> None:
    session, echo, _ = chat("one", "/regenerate", "/regenerate")
    assert [shift for _, _, shift in echo.sent] == [0, 1, 2]
    assert len({json.dumps(messages) for _, messages, _ in echo.sent}) == 1
    assert len(session.dialogue.turns) == 1


def test_ctrl_c_keeps_what_was_said_and_ends_the_round_not_the_chat() -> None:
    session, echo, shown = chat("one", "two", lanes=("slow", "base"))
    assert [lane for lane, _, _ in echo.sent] == ["slow", "slow"]
    assert session.dialogue.turns[0].answers["slow"].stopped
    assert echo.sent[1][1][1]["content"] == "slow: "
    assert "slow:" in shown


def test_ctrl_c_in_a_pipe_ends_the_program() -> None:
    with pytest.raises(KeyboardInterrupt):
        chat("one", lanes=("slow",), interactive=False)


def test_a_question_that_nobody_answered_was_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    session, echo, _ = chat("one", "/model gone", "two", "/model base", "three")
    assert [one["content"] for one in echo.sent[-1][1]] == ["one", "base: one", "three"]
    assert session.exit_code == 0
    assert "exit code 9" in capsys.readouterr().err


def test_an_answer_that_cannot_be_given_anew_is_kept() -> None:
    session, _, _ = chat("one", "/model gone", "/regenerate")
    assert session.dialogue.turns[0].answers["base"].text == "base: one"


def test_one_lane_that_fails_does_not_silence_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    session, _, shown = chat("one", lanes=("gone", "base"), interactive=False)
    assert "base: one" in shown
    assert session.exit_code == 1
    assert "exit code 9" in capsys.readouterr().err


def test_a_wrong_line_in_a_pipe_is_told_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    session, echo, _ = chat("/nonsense", "one", "/model nobody", "/quit", "two", interactive=False)
    assert (session.exit_code, len(echo.sent)) == (2, 1)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_compare_off_leaves_the_first() -> None:
    session, _, shown = chat("/compare tuned base", "/compare off", "/model")
    assert session.dialogue.lanes == ["base"]
    assert "* base" in shown
    assert "  tuned" in shown


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, shown = chat("12+30?", "你好", lanes=("base", "tuned"), interactive=False, as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["question"], one["model"]) for one in lines] == [
        ("12+30?", "base"), ("12+30?", "tuned"), ("你好", "base"), ("你好", "tuned")]
    assert shown == ""


def test_a_models_words_never_steer_the_terminal() -> None:
    assert harmless("a\x1b[2Jb\x07\r\n\tc\u202ed\x9b31m") == "a[2Jb\n\tcd31m"
    to = io.StringIO()
    Screen(ENGLISH, to).piece("words", "\x1b]0;owned\x07你好")
    assert to.getvalue() == "]0;owned你好"


def test_thinking_stands_apart_from_the_answer() -> None:
    to, said = io.StringIO(), Answer("base")
    screen = Screen(ENGLISH, to)
    listener = Listener(said, screen.piece)
    for delta in ({"role": "assistant"}, {"reasoning_content": "two and"}, {"reasoning_content": " two"},
                  {"content": "fo"}, {"content": "ur"}):
        listener({"choices": [{"delta": delta}]})
    listener({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    listener({"choices": [], "usage": {"completion_tokens": 5}, "studio": {"step": 300, "adapter_hash": "9f2c"}})
    screen.finished(said)
    assert to.getvalue() == "(thinks)\ntwo and two\n(answers)\nfour\n"
    assert (said.thinking, said.text, said.reason, said.tokens) == ("two and two", "four", "stop", 5)
    assert said.first_seconds is not None
    assert said.proof["step"] == 300


def test_a_tool_call_in_parts_is_put_together() -> None:
    said = Answer("base")
    listener = Listener(said, lambda kind, text: None)
    for function in ({"name": "weather", "arguments": ""}, {"arguments": '{"city":'}, {"arguments": ' "Paris"}'}):
        listener({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": function}]}}]})
    assert said.calls == [{"name": "weather", "arguments": '{"city": "Paris"}'}]


def test_the_arguments_of_answering_go_by_the_names_of_the_protocol() -> None:
    asked = body("base", [], {"max_new_tokens": 8, "answer_seed": 5, "temperature": 0.0, "top_k": None}, 2)
    assert (asked["max_tokens"], asked["seed"], asked["temperature"]) == (8, 7, 0.0)
    assert not {"max_new_tokens", "answer_seed", "top_k"} & set(asked)


@pytest.mark.parametrize("name", ["talk.md", "talk.json", "talk.jsonl"])
def test_a_saved_conversation_holds_every_word(name: str, tmp_path: Path) -> None:
    session, _, _ = chat("/system 说中文", "一加一？", "two", lanes=("base", "tuned"))
    path, turns = save(session.dialogue, str(tmp_path / name))
    text = path.read_text(encoding="utf-8")
    assert turns == 2
    assert all(word in text for word in ("说中文", "一加一？", "base: two", "tuned: two"))
    with pytest.raises(InputError, match="chat_save_exists"):
        save(session.dialogue, str(path))


def test_a_sharegpt_file_is_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session, _, _ = chat("one", "two", lanes=("base", "tuned"))
    path, _ = save(session.dialogue, str(tmp_path / "talk.jsonl"))
    assert run(["data", "check", str(path), "--json", "--root", str(tmp_path)]) == 0
    checked = json.loads(capsys.readouterr().out)
    assert (checked["format"], checked["rows"]) == ("sharegpt", 2)


def test_what_cannot_be_saved_is_said(tmp_path: Path) -> None:
    session, _, _ = chat("one")
    for name, code in (("talk.exe", "chat_save_kind"), ("no/such/folder/talk.md", "chat_save_failed")):
        with pytest.raises(StudioError) as caught:
            save(session.dialogue, str(tmp_path / name))
        assert caught.value.code == code
    with pytest.raises(InputError, match="chat_save_empty"):
        save(Dialogue(["base"]), str(tmp_path / "talk.md"))
