"""`chat` in a real terminal and in pipes: wide letters, arrow keys, Ctrl-C, another server, the studio's own engine."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.client import PROJECT, Client, wait
from tests.cli.window import Server, Window, serving

pytestmark = pytest.mark.slow
SECRET = "sk-nobody-may-see-this"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def window(client: Client, server: Server) -> Iterator[Window]:
    """A chat with the server in a terminal."""
    found = Window(client.command("chat", "--url", server.url), client.environment(OPENAI_API_KEY=SECRET), PROJECT)
    found.wait_for_prompt()
    yield found
    found.close()


def piped(client: Client, lines: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`chat` with these lines at its standard input."""
    return subprocess.run(client.command("chat", *words), input=lines, env=client.environment(**environment),
                          cwd=PROJECT, text=True, capture_output=True, timeout=120, encoding="utf-8")


def test_wide_letters_are_edited_and_earlier_lines_come_back(window: Window, server: Server) -> None:
    server.words = 0
    window.type("你好吗世界{left}{left}{backspace}、")
    window.wait_for("you> 你好、世界")
    assert window.screen.cursor.x == 5 + 3 * 2  # each of these letters is two columns wide
    window.type("{enter}")
    window.wait_for_prompt()
    assert server.asked[-1]["messages"] == [{"role": "user", "content": "你好、世界"}]
    window.type("second line{enter}")
    window.wait_for_prompt()
    window.type("{up}{up}！{enter}")
    window.wait_for_prompt()
    assert [one["content"] for one in server.asked[-1]["messages"]] == [
        "你好、世界", "你好、世界 ", "second line", "second line ", "你好、世界！"]
    window.type("a{alt-enter}b{enter}")
    window.wait_for_prompt()
    assert server.asked[-1]["messages"][-1]["content"] == "a\nb"
    window.type("{ctrl-d}")
    assert window.end() == 0


def test_the_history_is_there_on_another_day_and_for_nobody_else(client: Client, server: Server) -> None:
    server.words = 0
    kept = client.root / ".cache" / "chat_history"
    for line in ("昨天的问题{enter}", "{up}{up}{enter}"):
        window = Window(client.command("chat", "--url", server.url), client.environment(), PROJECT)
        window.wait_for_prompt()
        window.type(line)
        window.wait_for_prompt()
        window.type("/quit{enter}")
        assert window.end() == 0
        window.close()
    assert [one["messages"][-1]["content"] for one in server.asked] == ["昨天的问题", "昨天的问题"]
    assert kept.stat().st_mode & 0o077 == 0


def test_ctrl_c_stops_the_answer_and_not_the_program(window: Window, server: Server) -> None:
    window.type("tell me everything{enter}")
    window.wait_for("word 5")
    window.type("{ctrl-c}")
    window.wait_for("stopped", 10)
    window.wait_for_prompt()
    wait(server.left.is_set, 10)
    server.words = 0
    window.type("{ctrl-c}")
    window.wait_for("Ctrl-D or /quit")
    window.type("and now{enter}")
    window.wait_for("\nand now\n")
    window.wait_for_prompt()
    kept = server.asked[-1]["messages"]
    assert [one["role"] for one in kept] == ["user", "assistant", "user"]
    assert kept[1]["content"].startswith("word 0 word 1")
    assert "word 399" not in kept[1]["content"]
    window.type("/quit{enter}")
    assert window.end() == 0


def test_commands_at_the_prompt(window: Window, server: Server, tmp_path: Path) -> None:
    server.words = 0
    window.type("/modl{enter}")
    window.wait_for("Did you mean /model?")
    window.type("/model third{enter}")
    window.wait_for("has no model third")
    window.type("/compare second{enter}/system be short{enter}hello there{enter}")
    window.wait_for("first:\nhello there")
    window.wait_for("second:\nhello there")
    window.wait_for_prompt()
    window.type(f"/save {tmp_path}/talk.json{{enter}}")
    window.wait_for("1 questions saved")
    saved = json.loads((tmp_path / "talk.json").read_text(encoding="utf-8"))
    assert saved["second"] == [{"role": "system", "content": "be short"}, {"role": "user", "content": "hello there"},
                               {"role": "assistant", "content": "hello there "}]


def test_the_key_of_another_server_is_sent_and_never_shown(window: Window, server: Server) -> None:
    server.words = 0
    window.type("hello{enter}")
    window.wait_for_prompt()
    window.type("/quit{enter}")
    assert window.end() == 0
    assert set(server.keys) == {f"Bearer {SECRET}"}
    assert SECRET not in window.raw


def test_the_terminal_is_left_in_order_when_the_chat_is_told_to_go(window: Window) -> None:
    window.process.send_signal(signal.SIGTERM)
    assert window.end() == 128 + signal.SIGTERM
    assert "Traceback" not in window.text


def test_a_pipe_is_answered_line_by_line_and_ends(client: Client, server: Server) -> None:
    server.words = 0
    lines = "\ufeff12 + 30 = ?\n\n七加八等于几？"
    done = piped(client, lines, "--url", server.url, "second", "temperature=0", "max_tokens=9")
    assert (done.returncode, done.stdout) == (0, "12 + 30 = ? \n七加八等于几？ \n"), done.stderr
    assert {(one["model"], one["temperature"], one["max_tokens"]) for one in server.asked} == {("second", 0.0, 9)}


def test_a_pipe_in_json_and_what_goes_wrong_in_it(client: Client, server: Server) -> None:
    server.words = 0
    done = piped(client, "one\n/nonsense\ntwo\n", "--url", server.url, "first", "second", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["question"], one["model"], one["answer"]) for one in lines] == [
        ("one", "first", "one "), ("one", "second", "one "), ("two", "first", "two "), ("two", "second", "two ")]
    assert done.returncode == 2
    assert "/nonsense" in done.stderr


@pytest.mark.parametrize(("words", "said", "code"), [
    (("--url", "ftp://x"), "ftp://x", 2), (("--url", "http://127.0.0.1:9/v1"), "127.0.0.1:9", 1),
    (("no-such-model",), "no-such-model", 2), (("--api-key", "k"), "--url", 2),
])
def test_what_cannot_be_is_said_in_a_sentence(client: Client, words: tuple[str, ...], said: str, code: int) -> None:
    done = piped(client, "one\n", *words)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (code, "")


def test_everything_wrong_is_said_at_once(client: Client) -> None:
    done = piped(client, "", "temperature=99", "lora_rank=8", "nobody")
    assert all(word in done.stderr for word in ("temperature", "lora_rank", "nobody"))


def test_the_starter_answers_in_a_pipe_and_leaves_nothing_behind(client: Client) -> None:
    done = piped(client, "12 + 30 = ?\n", "temperature=0", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert "42" in answer["answer"]
    assert answer["studio"]["base_hash"]
    assert "starter" in done.stderr
