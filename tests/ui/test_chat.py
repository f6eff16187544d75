"""The Chat tab without a browser: presses, refusals in sentences, blind rounds that tell nothing, answers that grow."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from studio.chats import talks
from studio.data.catalogue import Catalogue
from studio.errors import InputError
from studio.texts import LANGUAGES
from studio.ui.page import Page
from studio.ui.tabs.chat import live, parts
from studio.ui.tabs.chat.place import PARTS, Place
from studio.workspace import Workspace
from tests.chats.a_server import KEY, AServer

TOOLS = '[{"name": "weather", "description": "of a city", "parameters": {"type": "object", "properties": {}}}]'


class Person:
    """Somebody who presses things in the tab."""

    def __init__(self, page: Page, server: AServer, lang: str = "en") -> None:
        self.tab, self.lang, self.place = page.chat, lang, Place()
        self.url = f"{server.url}/v1"
        self.list = self.body = ""

    def press(self, do: str, **said: Any) -> str:
        """What stands in the part after a press."""
        event = SimpleNamespace(_data={"do": do, **said})
        self.list, self.body, self.place = self.tab.act(self.lang, self.place, event)
        return str(self.body)

    def lanes(self, *models: str) -> str:
        """Let models of the test's server answer."""
        talks.engine(self.tab.desk.workspace).remember_key(self.url, KEY)
        self.place = self.place.prepared({"lanes": [f"{self.url}#{model}" for model in models]})
        return self.press("look")

    def ask(self, text: str, wait: bool = True) -> str:
        """Send a question and wait for the answers."""
        self.press("send", fields={"text": text})
        return self.answered() if wait else str(self.body)

    def answered(self) -> str:
        """The part once nobody answers any more."""
        talks.talk(self.place.chat, self.tab.desk.workspace).wait(20)
        return self.press("look")

    @property
    def conversation(self) -> Any:
        return talks.talk(self.place.chat, self.tab.desk.workspace).conversation

    def answer(self, place: str = "A") -> Any:
        """The last answer in a column."""
        return next(one for one in self.conversation.look().turns[-1].answers if one.place == place)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace of these tests' own, since they leave conversations behind."""
    found = Workspace(tmp_path_factory.mktemp("chat-tab"))
    found.data.mkdir()
    yield found
    talks.stop_all()


@pytest.fixture(scope="module")
def page(workspace: Workspace) -> Page:
    """The page on it."""
    return Page(workspace, "en")


@pytest.fixture(scope="module")
def server() -> Iterator[AServer]:
    """A server whose models answer as their names say."""
    found = AServer()
    yield found
    found.close()


@pytest.fixture
def person(page: Page, server: AServer) -> Person:
    return Person(page, server)


def words(body: str) -> str:
    """What can be read of HTML."""
    return html.unescape(re.sub(r"<[^>]+>", " ", body))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_part_can_be_drawn_before_anything_was_said(page: Page, server: AServer, lang: str) -> None:
    person = Person(page, server, lang)
    for part in PARTS:
        body = person.press("part", to=part)
        assert body and 'role="alert"' not in body
    assert "starter" in person.press("begin")


def test_all_lanes_answer_one_question_each_with_its_proof(person: Person) -> None:
    person.lanes("echo", "echo2")
    body = person.ask("**hi** <b>there</b>")
    assert "echo heard <strong>hi</strong> &lt;b&gt;there&lt;/b&gt;" in body and "echo2 heard" in body
    assert body.count('class="proof"') == 2 and "step 3" in words(body) and "<b>there" not in body
    assert person.place.chat and person.place.chat in person.list


def test_what_grows_comes_block_by_block_and_nothing_twice(person: Person, workspace: Workspace) -> None:
    person.lanes("slow")
    person.ask("go", wait=False)
    seen, since, text, deadline = 0, 0, "", time.monotonic() + 10
    while seen < 5 and time.monotonic() < deadline:
        found = live.changes(person.place.chat, workspace, "en", since)
        assert found["busy"]
        if found["answers"]:
            part = found["answers"][0]
            text, seen = "".join(part["blocks"]), seen + (found["version"] > since)
        since = found["version"]
        time.sleep(0.05)
    assert "word0" in text and seen >= 5
    person.press("stop")
    assert "Stopped" in words(person.answered())
    last = live.changes(person.place.chat, workspace, "en", since)
    assert last["redraw"] and not last["busy"]
    assert live.changes(person.place.chat, workspace, "en", last["version"]) == {
        "version": last["version"], "busy": False, "answers": [], "redraw": False}


def test_what_another_tab_does_is_followed(person: Person, workspace: Workspace) -> None:
    person.lanes("echo")
    person.ask("first")
    first = person.conversation.look().path[-1]
    person.press("edit_to", message=first, fields={"text": "second"})
    person.answered()
    since = person.conversation.look().version
    assert not live.changes(person.place.chat, workspace, "en", since)["redraw"]
    person.conversation.point(first)
    assert live.changes(person.place.chat, workspace, "en", since)["redraw"]


def test_a_finished_block_is_not_sent_again(person: Person) -> None:
    grown = live.Grown()
    answer = SimpleNamespace(id="a", content="One.\n\nTwo")
    first = grown.since("en", answer, 0, 4)  # type: ignore[arg-type]
    answer.content += " three"
    second = grown.since("en", answer, 4, 5)  # type: ignore[arg-type]
    assert (first["from"], len(first["blocks"])) == (0, 2)
    assert second["from"] == 1 and "Two three" in second["blocks"][0] and len(second["blocks"]) == 1


def test_a_question_in_other_words_begins_a_branch_and_both_can_be_reached(person: Person) -> None:
    person.lanes("echo")
    person.ask("first")
    first = person.conversation.look().path[-1]
    assert "textarea" in person.press("edit", message=first)
    person.press("edit_to", message=first, fields={"text": "second"})
    body = person.answered()
    assert "echo heard second" in body and "echo heard first" not in body and "2 / 2" in body
    assert "echo heard first" in person.press("point", message=first)


def test_one_lane_can_be_asked_alone_and_answers_again(person: Person, server: AServer) -> None:
    person.lanes("echo", "echo2")
    person.ask("both")
    person.press("only", answer=person.answer("B").id)
    person.press("send", only="B", fields={"text": "you"})
    assert "echo2 heard you" in person.answered()
    assert [one.place for one in person.conversation.look().turns[-1].answers] == ["B"]
    person.press("again", answer=person.answer("B").id)
    assert "2 / 2" in person.answered()


def test_the_lens_shows_chances_and_starts_again_from_another_choice(person: Person) -> None:
    person.lanes("echo")
    person.ask("hello")
    answer = person.answer()
    body = person.press("lens", answer=answer.id)
    assert body.count('class="t sure" title') == 4 and "90 %" in words(body)
    body = person.press("token", answer=answer.id, at="1")
    assert "else" in words(body) and "8.2 %" in words(body)
    person.press("from", answer=answer.id, at="1", id="99")
    person.answered()
    assert person.answer().content.startswith("echoelse") and len(person.answer().variants) == 2


def test_before_a_vote_nothing_tells_who_answered(person: Person) -> None:
    person.lanes("echo-left", "echo-right")
    person.press("blind", value=True)
    person.press("send", fields={"text": "who"})
    talks.talk(person.place.chat, person.tab.desk.workspace).wait(20)
    shown = [person.press("look"), str(person.list),
             json.dumps(live.changes(person.place.chat, person.tab.desk.workspace, "en", 0))]
    for part in shown:
        spoken = part.replace("echo-left heard", "").replace("echo-right heard", "")  # the answers themselves
        assert "echo-" not in spoken and "9f2c" not in spoken and "class=\"proof\"" not in spoken
    turn = person.conversation.look().turns[-1].id
    body = person.press("vote", message=turn, choice="A")
    assert "echo-left" in body and "9f2c" in body and "You found A better" in words(body)
    assert "cast" not in words(body)
    again = person.press("vote", message=turn, choice="B")
    assert 'role="alert"' in again


def test_votes_become_a_table_and_a_preference_set(person: Person, workspace: Workspace) -> None:
    person.lanes("echo", "echo2")
    person.press("blind", value=True)
    person.ask("better?")
    person.press("vote", message=person.conversation.look().turns[-1].id, choice="B")
    body = words(person.press("part", to="votes"))
    assert "100 %" in body and "#echo2" in body
    assert "textarea" not in body and "preferences" in person.press("saving", what="preferences")
    body = person.press("save", what="preferences", fields={"name": "my_votes"})
    assert "?tab=data&amp;set=my_votes" in body
    entry = Catalogue(workspace).entry("my_votes")
    assert entry.ranking and "better?" in entry.path.read_text(encoding="utf-8")


def test_a_corrected_answer_goes_on_and_becomes_a_row(person: Person, workspace: Workspace) -> None:
    person.lanes("echo")
    person.ask("2+2?")
    answer = person.answer().id
    assert "textarea" in person.press("correct", answer=answer)
    body = person.press("corrected", answer=answer, fields={"text": "It is **4**."})
    assert "<strong>4</strong>" in body and "corrected by you" in body
    body = person.press("save", what="answer", answer=answer, fields={"name": "fixed"})
    assert "1 new in the dataset fixed" in words(body)
    assert "It is **4**." in Catalogue(workspace).entry("fixed").path.read_text(encoding="utf-8")
    assert "has this already" in words(person.press("save", what="answer", answer=answer, fields={"name": "fixed"}))
    assert 'role="alert"' in person.press("save", what="answer", answer=answer, fields={"name": "../x"})
    assert "echo heard" in person.press("take_back", answer=answer)


def test_a_tool_call_is_shown_and_answered(person: Person, server: AServer) -> None:
    person.lanes("calls")
    person.press("settle", fields={"tools": TOOLS})
    body = person.ask("weather?")
    assert "weather" in words(body) and '{"city": "Berlin"}' in words(body)
    person.press("tool", answer=person.answer().id, fields={"call-call_1": "sunny"})
    assert "calls heard sunny" in words(person.answered())
    assert server.asked("calls")[-1]["tools"][0]["function"]["name"] == "weather"


def test_thinking_is_folded(person: Person) -> None:
    person.lanes("thinks")
    body = person.ask("why")
    assert re.search(r'<details class="thinking".*?hm, yes\..*?</details>', body, re.S)


@pytest.mark.parametrize(("name", "value"), [("temperature", "99"), ("max_new_tokens", "0"), ("max_new_tokens", "-1"),
                                             ("top_p", "hot"), ("answer_seed", "-3"), ("top_k", "1.5"),
                                             ("tools", "not json"), ("tools", "[3]")])
def test_a_wrong_value_stands_beside_its_field_and_changes_nothing(person: Person, name: str, value: str) -> None:
    before = person.press("settle", fields={"temperature": "0.25"})
    assert 'value="0.25"' in before
    body = person.press("settle", fields={"temperature": "0.25", name: value})
    assert body.count('class="problem') == 1 and (value in body or value in html.unescape(body))
    assert dict(person.place.setup["sampling"]).get("temperature") == 0.25


def test_a_preset_sets_its_values_and_what_is_changed_is_counted(person: Person) -> None:
    body = person.press("preset", value="precise")
    assert 'data-chosen="precise"' in body and 'name="temperature" type="text" value="0"' in body
    assert "1 changed" in words(person.press("settle", fields={"max_new_tokens": "64"}))


def test_a_lane_that_cannot_answer_says_why(person: Person) -> None:
    person.place = person.place.prepared({"lanes": ["no-such-model"]})
    assert "no-such-model" in words(person.press("look")) and 'role="alert"' in str(person.body)
    person.place = Place()
    assert 'role="alert"' in person.press("other", slot="", fields={"name": "neither/nor"})
    assert 'role="alert"' in person.press("other", slot="", fields={"name": "/etc"})


def test_the_key_of_another_machine_is_written_nowhere(person: Person, workspace: Workspace) -> None:
    person.press("lane", value="?", slot="")
    body = person.press("other", slot="", fields={"name": f"{person.url}#echo", "key": "sk-very-secret"})
    assert "another machine" in words(body) and "sk-very-secret" not in body
    person.ask("hi")
    assert "sk-very-secret" not in str(person.body) + str(person.list) + str(person.place)
    for path in workspace.root.rglob("*"):
        assert not path.is_file() or b"sk-very-secret" not in path.read_bytes()


def test_an_answer_that_fails_says_so_and_can_be_asked_again(person: Person) -> None:
    person.lanes("broken")
    body = person.ask("hello")
    assert 'class="answer is-failed"' in body and 'data-do="again"' in body and "broken heard" in words(body)


def test_more_than_four_lanes_are_not_taken(person: Person) -> None:
    person.lanes("a", "b", "c", "d")
    assert 'role="alert"' in person.press("lane", value="starter", slot="")
    assert 'data-change="lane" data-chosen=""' not in person.press("look")


def test_conversations_are_found_renamed_copied_removed_and_taken_back(person: Person) -> None:
    person.lanes("echo")
    person.ask("a question about walruses")
    first = person.place.chat
    person.press("rename", fields={"title": "Sea <mammals>"})
    assert "Sea &lt;mammals&gt;" in str(person.list)
    assert first in (person.press("find", value="WALRUSES") and str(person.list))
    assert first not in (person.press("find", value="giraffes") and str(person.list))
    person.press("find", value="")
    person.press("duplicate")
    assert person.place.chat != first and "walruses" in str(person.body)
    copy = person.place.chat
    person.press("remove")
    assert copy not in person.place.chat and 'data-do="undo"' in str(person.list)
    person.press("undo", to=copy)
    assert person.place.chat == copy and "walruses" in str(person.body)


def test_a_conversation_that_is_gone_says_so(person: Person) -> None:
    for chat in ("20200101-000000-abcdef", "../../etc/passwd", "<b>"):
        body = person.press("open", to=chat)
        assert 'role="alert"' in body and "<b>" not in body


def test_an_address_leads_to_a_run_beside_its_base_or_to_a_conversation() -> None:
    place = Place().to("", "my-run")
    assert place.setup == {"run": "my-run"} and place.address == {"chat": "", "part": "", "run": "my-run"}
    talk = {"chat": "20260101-000000-abcdef", "part": "", "run": ""}
    assert Place().to(talk["chat"], "").address == talk == place.moved(talk["chat"]).address
    assert place.to("", "", "votes").part == "votes" and place.to("", "", "x").part == "talk"


def test_a_prompt_set_goes_through_all_lanes_into_a_table(person: Person, workspace: Workspace) -> None:
    person.lanes("echo", "echo2")
    person.press("part", to="prompts")
    person.press("prompts_begin", fields={"text": "one\n\n=two|3"})
    until = time.monotonic() + 20
    while "All 4 answers" not in words(person.press("look")):
        assert time.monotonic() < until, person.body
        time.sleep(0.05)
    assert "echo2 heard =two|3" in words(str(person.body))
    assert 'role="alert"' in person.press("prompts_remove") or "textarea" in str(person.body)
    assert 'role="alert"' in person.press("prompts_begin", fields={"text": "  ", "rows_of": ""})


def test_what_is_unexpected_is_a_sentence_too(person: Person, capsys: pytest.CaptureFixture[str],
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parts.ACTIONS, "stumble", lambda visit, said: 1 // 0)
    assert 'role="alert"' in person.press("stumble")
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert person.press("no such press")


def test_files_of_a_conversation_are_attachments(page: Page, person: Person, workspace: Workspace) -> None:
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    person.lanes("echo")
    person.ask("take me")
    app = FastAPI()
    live.route(app, workspace)
    with TestClient(app) as client:
        for form in ("markdown", "json", "sharegpt"):
            found = client.get(f"/studio/talk/{person.place.chat}/{form}")
            assert found.status_code == 200 and "take me" in found.text
            assert found.headers["content-disposition"].startswith("attachment")
            assert client.get(f"/studio/talk/{person.place.chat}/{form}?lang=../../x").status_code == 200
        for path in (f"{person.place.chat}/exe", "..%2F..%2Fx/json", "20200101-000000-abcdef/json"):
            assert client.get(f"/studio/talk/{path}").status_code == 404
        assert client.get(f"/studio/talk/{person.place.chat}?since=0&lang=xx").json()["version"] > 0


def test_the_train_form_takes_a_set_that_was_made_here(page: Page, person: Person) -> None:
    event = SimpleNamespace(_data={"do": "train", "stage": "sft", "set": "arithmetic"})
    stage, dataset, tabs = page.chat.give("en", event)
    assert stage["value"] == "sft" and dataset["value"] == ["arithmetic"] and isinstance(tabs, gr.Tabs)


def test_a_refused_question_stays_in_the_box(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    person.lanes("echo")

    def refuse(*_: Any, **__: Any) -> None:
        raise InputError("lanes_none")

    monkeypatch.setattr("studio.chats.talk.Talk.send", refuse)
    body = person.press("send", fields={"text": "keep me"})
    assert 'role="alert"' in body and ">keep me</textarea>" in body


def test_nothing_of_the_tab_waits_for_many_conversations(page: Page, server: AServer, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    folder = workspace.data / "chats"
    folder.mkdir(parents=True)
    for number in range(300):
        lines = [{"do": "begin", "id": f"20260101-000000-{number:06x}", "title": f"t{number}", "at": number}]
        (folder / f"20260101-000000-{number:06x}.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    person = Person(SimpleNamespace(chat=Page(workspace, "en").chat), server)  # type: ignore[arg-type]
    person.press("look")
    began = time.process_time()
    person.press("look")
    assert time.process_time() - began < 0.5
