"""The Evaluate tab without a browser: what is chosen becomes a run; scores, buckets and rows are told."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.args import document
from studio.errors import InputError
from studio.runs.files import RunFolder
from studio.runs.monitor import Monitor
from studio.runs.store import RunStore
from studio.scores import harness, judge, report, summary
from studio.scores.admission import admit
from studio.scores.browse import Predictions
from studio.scores.judge import Verdicts
from studio.scores.predictions import Prediction, Writer
from studio.scores.report import bench
from studio.scores.scoring import score_file
from studio.scores.statistics import Interval
from studio.specs.evaluate import ARGUMENTS
from studio.texts import LANGUAGES, say
from studio.ui import amounts, run_pages, status
from studio.ui.page import Page
from studio.ui.tabs.chat.place import Place as Talks
from studio.ui.tabs.evaluate import files
from studio.ui.tabs.evaluate.place import Place
from studio.workspace import Workspace
from tests.chats.test_lanes import run
from tests.scores.a_report import HOSTILE

ROWS = 60
CUT = "again and again"


class Person:
    """Somebody who presses things in the tab."""

    def __init__(self, page: Page, lang: str = "en", at: str = "") -> None:
        self.tab, self.lang, self.place = page.evaluate, lang, Place().open(at)
        self.setup = self.body = ""
        self.press("look")

    def press(self, do: str, **said: Any) -> str:
        """What stands on the right after a press; `setup` has the left."""
        event = SimpleNamespace(_data={"do": do, **said})
        self.setup, self.body, self.place = map(_plain, self.tab.act(self.lang, self.place, event))
        return str(self.body)

    def say(self, key: str, **values: Any) -> str:
        return say(self.lang, f"page.evaluate.{key}", **values)


def _plain(one: Any) -> Any:
    return str(one) if isinstance(one, str) else one


def text(drawn: str) -> str:
    """What is read of HTML."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", drawn)).split())


def numbers(drawn: str) -> list[int]:
    """The rows of the table, as they are numbered."""
    return [int(one) for one in re.findall(r'data-key="row-(\d+)"', drawn)]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a trained run and an evaluation of it."""
    found = Workspace(tmp_path_factory.mktemp("evaluate-tab"))
    found.data.mkdir()
    run(found, "tuned", 10, 20, best=20, spec="dataset: [arithmetic]\nval_size: 40\neval_strategy: steps\n")
    evaluation(found, "first")
    return found


@pytest.fixture(scope="module")
def page(workspace: Workspace) -> Page:
    """The page on it."""
    return Page(workspace, "en")


def evaluation(workspace: Workspace, name: str, models: tuple[str, ...] = ("base", "tuned")) -> RunFolder:
    """A finished evaluation: the base right in a third of the rows, the others in five of six."""
    draft = {"stage": "evaluate", "eval_run": "tuned", "eval_models": list(models), "metrics": ["exact_match"]}
    folder = RunStore(workspace).create(admit(draft, workspace), name, {})
    with Writer(folder.results / "predictions.jsonl") as writer:
        for row in range(ROWS):
            for place, model in enumerate(models):
                is_right = row % 6 < 5 if place else row % 3 == 0
                said = f"{row} + 1 = {row + 1}" if is_right else CUT if row % 6 == 5 and place else "no idea"
                asked = ({"role": "system", "content": "Reckon."}, {"role": "user", "content": f"What is {row} + 1?"})
                writer.write(Prediction(model, row, said, f"{row} + 1 = {row + 1}", asked, tokens=7, seconds=0.1,
                                        finish="length" if said == CUT else "stop", place=("sums.json", row + 1)))
    path = folder.results / "predictions.jsonl"
    score_file(path, ["exact_match", "token_f1"])
    predictions = Predictions(path)
    made = summary.summarise(predictions, ["exact_match", "token_f1"], models)
    summary.write(folder.results, made)
    report.write(folder.results, made, predictions, report.of_run(folder.path))
    folder.outcome.write_text(json.dumps({"outcome": "finished", "state": "finished", "exit_code": 0}))
    return folder


def begun(page: Page, person: Person, monkeypatch: pytest.MonkeyPatch) -> list[RunFolder]:
    """The evaluations that a press on Evaluate starts, which no engine does here."""
    started: list[RunFolder] = []
    monkeypatch.setattr(page.desk, "start", lambda folder, lang: started.append(folder))
    once = re.search(r'data-once="(\d+)"', person.setup)
    assert once
    person.press("begin", once=once[1])
    return started


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_run_beside_its_base_on_what_it_held_out_is_chosen_already(page: Page, lang: str) -> None:
    person = Person(page, lang)
    told = text(person.setup)
    assert person.say("setup.base", run="tuned") in told and person.say("setup.held_out", run="tuned") in told
    assert person.say("setup.forecast", models=2, rows="40", answers="80") in told
    assert person.say("opened.none") in text(person.body)
    assert "page.evaluate" not in told + text(person.body)


def test_what_was_chosen_is_what_is_frozen(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person(page)
    person.press("model", value="tuned/step-10", place=2)
    person.press("settle", fields={"ask": "set:arithmetic_heldout", "max_samples": "12", "task": "generation"})
    person.press("measure", metric="last_number", value=True)
    person.press("settle", fields={"temperature": "0.5", "max_new_tokens": "64", "seed": "42"})
    assert person.say("setup.settings_changed", count=2) in text(person.setup)
    started = begun(page, person, monkeypatch)
    assert len(started) == 1 and person.place.run == started[0].name
    spec = document.read(started[0].spec)
    wanted = {"eval_models": ["base", "tuned", "tuned/step-10"], "dataset": ["arithmetic_heldout"], "max_samples": 12,
              "metrics": ["last_number"], "temperature": 0.5, "max_new_tokens": 64, "task": "generation"}
    assert {name: spec[name] for name in wanted} == wanted


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_judge_is_chosen_with_what_it_takes_and_its_verdict_is_told(
    page: Page, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    person = Person(page, lang)
    assert person.say("setup.judge") in text(person.setup)
    asked = {"judge": "http://127.0.0.1:9/v1#wise", "judge_rows": "15", "judge_rubric": "Be short."}
    person.press("settle", fields=asked)
    told = text(person.setup)
    assert person.say("setup.judge_by", name="wise") in told
    assert person.say("setup.judging", calls="30", tokens=400) in told  # one model beside the first, in both orders
    spec = document.read(begun(page, person, monkeypatch)[0].spec)
    assert {name: spec[name] for name in asked} == {**asked, "judge_rows": 15}

    folder = evaluation(workspace, f"judged-{lang}")
    rated = {"base": Interval(4.0, 3.0, 5.0, 15, "bootstrap"), "tuned": Interval(8.0, 7.0, 9.0, 15, "bootstrap")}
    judge.write(folder.results, Verdicts("http://x/v1#wise", judge.RATE, "r", 15, judge.Cost(30, 900, 120), (), rated))
    seen = text(Person(page, lang, folder.name).body)
    assert person.say("judge.title") in seen
    assert all(one(lang) in seen for one in bench.told(folder.results))


def test_a_judge_without_an_address_is_told_beside_its_field(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person(page)
    person.press("settle", fields={"judge": "wise"})
    assert begun(page, person, monkeypatch) == []
    assert say("en", "problems.judge_address") in text(person.setup)


def test_the_same_press_twice_begins_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person(page)
    started = begun(page, person, monkeypatch)
    person.press("begin", once="0")
    assert len(started) == 1


def test_what_is_wrong_stands_beside_its_field_and_nothing_begins(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person(page)
    person.press("settle", fields={"ask": "run:tuned", "max_samples": "many", "task": "generation"})
    person.press("settle", fields={"temperature": "7", "top_p": "0"})
    before = {one.name for one in page.desk.store.summaries()}
    assert begun(page, person, monkeypatch) == []
    assert {one.name for one in page.desk.store.summaries()} == before
    for name in ("temperature", "top_p"):
        part = re.search(rf'data-key="of-{name}".*?</div>', person.setup)
        assert part and "problem" in part[0]
    questions = person.setup[person.setup.index('data-key="questions"'):person.setup.index('data-key="measures"')]
    assert "many" in text(questions) and "problem" in questions


def test_a_model_that_is_not_there_is_told_with_the_nearest_one(page: Page) -> None:
    person = Person(page)
    person.press("model", value="?", place=2)
    assert person.say("setup.other_name") in text(person.setup)
    assert "tuned" in text(person.press("other", fields={"name": "tunedd"}))
    person.press("other", fields={"name": "http://127.0.0.1:9/v1#m"})
    assert "http://127.0.0.1:9/v1#m" in person.setup
    person.press("drop", place=2)
    assert "127.0.0.1:9" not in person.setup
    assert "tuned" in text(person.press("model", value="tuned", place=0))  # it is asked already


def test_no_path_of_this_machine_can_be_asked_for(page: Page, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('[{"instruction": "a", "output": "b"}]')
    person = Person(page)
    for value in (f"set:{secret}", f"exam:{tmp_path}", f"run:{secret}"):
        person.press("settle", fields={"ask": value, "max_samples": "", "task": "generation", "dataset": str(secret)})
        for folder in begun(page, person, monkeypatch):
            assert str(tmp_path) not in folder.spec.read_text()


def test_an_exam_of_the_data_folder_is_asked_by_its_options(page: Page, workspace: Workspace,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    exam = workspace.data / "exam" / "val"
    exam.mkdir(parents=True)
    rows = "\n".join(f"{row},What is {row} + 1?,{row},{row + 1},7,8,B" for row in range(4))
    (exam / "sums_val.csv").write_text(f"id,question,A,B,C,D,answer\n{rows}\n")
    person = Person(page)
    value = f"exam:{exam.parent}"
    assert value in html.unescape(person.setup)
    person.press("settle", fields={"ask": value, "max_samples": "", "task": "generation"})
    assert 'data-chosen="choices"' in person.setup and 'name="n_shot"' in person.setup
    assert 'data-metric="bleu4_char"' not in person.setup and 'data-metric="choice"' in person.setup
    person.press("settle", fields={"ask": value, "max_samples": "", "task": "choices", "n_shot": "2"})
    spec = document.read(begun(page, person, monkeypatch)[0].spec)
    assert spec["task"] == "choices" and spec["dataset"] == [str(exam.parent)] and spec["n_shot"] == 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_scores_stand_with_their_intervals_and_what_they_are_worth(page: Page, lang: str) -> None:
    person = Person(page, lang, "first")
    told = text(person.body)
    assert "83 %" in told and "33 %" in told and re.search(r"83 % 7\d – 9\d", told)
    assert say(lang, "scores.report.pairs.told") in told
    assert person.body.count('class="plot s0"') == 2 and "<script" not in person.body
    assert "page.evaluate" not in told and "scores." not in told


def test_buckets_are_filters_and_their_counts_are_those_of_the_rows(page: Page) -> None:
    person = Person(page, at="first")
    wanted = {"fixed": [row for row in range(ROWS) if row % 6 < 5 and row % 3], "broken": [],
              "same_right": [row for row in range(ROWS) if row % 6 < 5 and not row % 3],
              "same_wrong": [row for row in range(ROWS) if row % 6 == 5]}
    for bucket, rows in wanted.items():
        drawn = person.press("bucket", to=bucket)
        assert re.search(rf'data-to="{bucket}"[^>]*><b>{len(rows)}</b>', drawn)
        assert numbers(drawn) == rows[:20]
    assert len(numbers(person.press("bucket", to=""))) == 20
    assert numbers(person.press("page", to="2")) == list(range(40, 60))
    assert numbers(person.press("page", to="99")) == list(range(40, 60))


def test_rows_are_searched_sorted_and_those_cut_off_found(page: Page) -> None:
    person = Person(page, at="first")
    assert numbers(person.press("search", fields={"words": "What is 37 + 1"})) == [37]
    assert person.say("rows.none") in text(person.press("search", fields={"words": "unheard of"}))
    person.press("search", fields={"words": ""})
    assert all(row % 6 == 5 for row in numbers(person.press("cut", value=True))[:10])
    person.press("cut", value=False)
    assert all(row % 6 == 5 for row in numbers(person.press("order", value="score"))[:10])
    assert all(row % 6 < 5 and row % 3 for row in numbers(person.press("order", value="-change")))
    assert person.press("order", value="../etc") and person.place.of("rows")["order"] == "row"


def test_an_opened_row_tells_everything_word_by_word_and_token_by_token(page: Page) -> None:
    person = Person(page, at="first")
    drawn = person.press("row", to="1")
    opened = drawn[drawn.index('data-key="opened-1"'):]
    for part in ("Reckon.", "What is 1 + 1?", "1 + 1 = 2", "no idea", "sums.json:2"):
        assert part in text(opened)
    assert "<del>no</del>" in opened and "<ins>" in opened
    assert 'class="t' not in opened
    assert re.search(r'<b class="t trained"[^>]*>.*?2', person.press("tokens", model="base", row="1"))
    assert 'class="t ' not in person.press("tokens", model="base", row="1")
    assert 'data-key="opened-1"' not in person.press("row", to="1")


def test_a_row_goes_on_in_chat_with_its_models_and_its_question(page: Page) -> None:
    person = Person(page, at="first")
    event = SimpleNamespace(_data={"do": "chat", "to": "3"})
    *_, talk, tabs, tab = page.evaluate.ask("en", person.place, Talks(), event)
    assert tab == "chat" and isinstance(tabs, gr.Tabs)
    assert talk.setup == {"lanes": ["starter", "tuned"], "system": "Reckon."}
    assert talk.of("composer")["draft"] == "What is 3 + 1?"
    gone = page.evaluate.ask("en", person.place, Talks(), SimpleNamespace(_data={"to": "999"}))
    assert say("en", "errors.row_gone", row=1000) in text(str(gone[1]))


def test_of_three_models_any_two_are_compared(page: Page, workspace: Workspace) -> None:
    evaluation(workspace, "three", ("base", "tuned", "tuned/step-10"))
    person = Person(page, at="three")
    assert re.search(r'data-to="fixed"[^>]*><b>30</b>', person.body)
    drawn = person.press("side", side="a", value="tuned")
    assert re.search(r'data-to="fixed"[^>]*><b>0</b>', drawn)
    drawn = person.press("side", side="a", value="tuned/step-10")  # the two change places
    assert person.place.of("rows")["b"] == "tuned"


def test_what_hostile_answers_say_is_text(page: Page, workspace: Workspace) -> None:
    folder = evaluation(workspace, "hostile")
    path = folder.results / "predictions.jsonl"
    path.unlink()
    with Writer(path) as writer:
        for row, said in enumerate(HOSTILE):
            asked = ({"role": "<i>", "content": said}, {"role": "user", "content": said})
            for model, answer in (("base", said), ("<b>tuned</b>", f"{HOSTILE[row - 1]} {said}")):
                writer.write(Prediction(model, row, answer, said, asked, thinking=said, place=(said, row)))
    score_file(path, ["exact_match", "token_f1"])
    summary.write(folder.results, summary.summarise(Predictions(path), ["exact_match", "token_f1"]))
    person = Person(page, at="hostile")
    for row in range(len(HOSTILE)):
        person.press("page", to=str(row // 20))
        person.press("row", to=str(row))
        drawn = person.press("tokens", model="base")
        assert f'data-key="opened-{row}"' in drawn and 'data-key="lens-base"' in drawn and "compared" in drawn
        found = Tags(drawn)
        assert found.names.isdisjoint({"script", "img", "iframe", "style", "object"})
        assert not any(name.startswith("on") for name, _ in found.attributes)
        assert not any("script:" in value or value.startswith("data:") for name, value in found.attributes
                       if name in ("href", "src"))


class Tags(HTMLParser):
    """The elements and attributes of HTML as a browser reads them."""

    def __init__(self, drawn: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(drawn)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.names.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_an_address_opens_an_evaluation_or_what_is_to_be_asked_of_a_run(page: Page) -> None:
    def at(run: str) -> list[Any]:
        asked = {"tab": "evaluate", "run": run}
        return page._place(asked, "", "", None, None, Place(), None)  # type: ignore[arg-type]

    assert at("first")[1] == "evaluate" and at("first")[6].run == "first"
    asked = at("tuned")[6]
    assert asked.run == "" and asked.of("setup")["run"] == "tuned"
    gone = Person(page, at="first")
    gone.place = Place("nowhere")
    assert gone.say("opened.gone", name="nowhere") in text(gone.press("look"))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_of_the_run_tells_what_was_found_and_leads_to_it(page: Page, workspace: Workspace, lang: str) -> None:
    line = next(one for one in page.desk.store.summaries() if one.name == "first")
    folder = RunFolder(workspace.saves / "first")
    drawn = str(run_pages.summary(line, page.desk.look("first"), folder, lang))
    assert "tuned" in text(drawn) and "50" in text(drawn) and "tab=evaluate&amp;run=first" in drawn
    assert say(lang, "page.runs.loss") not in text(drawn)


def test_the_runs_tab_has_no_curves_for_a_run_that_does_not_learn(page: Page, workspace: Workspace) -> None:
    def shown(name: str, seen: Any = None) -> dict[int, Any]:
        runs = page.runs
        fresh = runs.refresh("en", "", "-created", name, "", seen)
        return {component._id: update for component, update in zip(runs.outputs, fresh, strict=True)}

    runs, of_tuned, of_first = page.runs, shown("tuned"), shown("first")
    assert of_tuned[runs.panel.curves._id]["visible"] is True
    assert of_first[runs.panel.curves._id]["visible"] is False
    assert of_tuned[runs.panel.found._id]["visible"] is False and of_first[runs.panel.found._id]["visible"] is True
    assert of_first[runs.panel.loss.drawing._id] == gr.skip() != of_tuned[runs.panel.loss.drawing._id]
    drawn = str(of_first[runs.summary._id])
    assert "evaluation/first/report.html" in drawn and "83 %" in text(drawn)
    assert re.search(r"Exact match base 33 % .* tuned 83 % ", text(drawn)) and drawn.count("<tr>") == 5
    head = text(str(of_first[runs.panel.head._id]))
    assert "loss" not in head and "tokens/s" not in head and "done" in head
    assert isinstance(of_first[runs.tabs._id], gr.Tabs) and of_tuned[runs.tabs._id] == gr.skip()
    again = shown("first", ("first", -1, "finished", "en"))  # no page is turned under somebody who reads
    assert again[runs.tabs._id] == gr.skip()


def test_a_kind_of_work_that_has_no_form_here_cannot_be_duplicated(page: Page, workspace: Workspace,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    glimpse = page.desk.look("first")
    assert page.runs._of_kind(glimpse, None)[0]["visible"] is True
    monkeypatch.setattr(page.runs, "others", {})
    assert page.runs._of_kind(glimpse, None)[0]["visible"] is False
    assert page.runs._of_kind(page.desk.look("tuned"), None)[0]["visible"] is True


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_evaluation_that_ended_early_says_what_is_done_and_not_a_step(workspace: Workspace, lang: str) -> None:
    folder = RunFolder(workspace.saves / f"cut-{lang}")
    folder.path.mkdir()
    folder.spec.write_text((workspace.saves / "first" / "spec.yaml").read_text())
    folder.progress.write_text(json.dumps({"phase": "answering", "step": 7, "total": 90, "time": 1.0}))
    folder.outcome.write_text(json.dumps({"outcome": "stopped", "state": "stopped", "exit_code": 0}))
    glimpse = Monitor(folder).look()
    told = status.what_happened(glimpse, lang)
    assert told == say(lang, "page.end.other.stopped", done="7", total="90", took=amounts.duration(0.0))
    ended = status.what_happened(Monitor(workspace.saves / "first").look(), lang)
    assert ended == say(lang, "page.end.other.finished", took=amounts.duration(0.0))


def test_duplicating_an_evaluation_fills_its_form_and_not_that_of_a_training(page: Page, workspace: Workspace,
                                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"stage": "evaluate", "eval_models": ["base", "tuned/step-10"], "eval_run": "tuned", "max_samples": 7,
             "dataset": ["arithmetic_heldout"], "metrics": ["last_number", "chrf"], "temperature": 0.5, "guard": True,
             "judge": "http://127.0.0.1:9/v1#wise", "seed": 7}
    RunStore(workspace).create(admit(asked, workspace), "many", {})
    count, places = len(page.form.inputs), [Place() for _ in page.others]
    filled = page.runs.duplicated("many", *places)
    mine = count + list(page.others).index("evaluate")
    place = filled.pop(mine)
    assert set(map(str, filled)) == {str(gr.skip())} and len(filled) == count + len(page.others) - 1
    assert page.runs.tab_of("many")[1] == "evaluate" and page.runs.tab_of("tuned")[1] == "train"
    assert page.runs.duplicated("tuned", *places)[count:] == [gr.skip()] * len(places)
    person = Person(page)
    person.place = place
    person.press("look")
    again = document.read(begun(page, person, monkeypatch)[0].spec)
    before = document.read(workspace.saves / "many" / "spec.yaml")
    assert {name: again[name] for name in ARGUMENTS} == {name: before[name] for name in ARGUMENTS}


@pytest.mark.parametrize("draft", [
    {"eval_models": ["starter"], "guard": True},
    {"eval_models": ["starter"], "dataset": ["arithmetic_heldout", "number_words_heldout"], "max_new_tokens": 9},
    {"eval_run": "tuned", "task": "likelihood"},
    {"eval_models": ["base"], "model_name_or_path": "starter", "dataset": ["number_words_heldout"]},
])
def test_whatever_was_asked_can_be_asked_again(page: Page, workspace: Workspace, draft: dict[str, Any],
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunStore(workspace).create(admit({"stage": "evaluate"} | draft, workspace), None, {})
    person = Person(page)
    person.place = page.evaluate.again(folder.name, Place())
    person.press("look")
    again, before = (document.read(one.spec) for one in (begun(page, person, monkeypatch)[0], folder))
    names = [{"base": "starter"}.get(name, name) if not before["eval_run"] else name for name in before["eval_models"]]
    assert again["eval_models"] == names
    assert all(again[name] == before[name] for name in ARGUMENTS if name != "eval_models")


def test_tasks_of_the_harness_are_named_where_it_is_installed(page: Page, workspace: Workspace,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace.data / "mine").mkdir()
    (workspace.data / "mine" / "toy.yaml").write_text("task: toy\n")
    person = Person(page)

    def choose(**typed: str) -> str:
        person.press("settle", fields={"task": "harness", "max_samples": "5", **typed})
        return text(person.setup)

    monkeypatch.setattr(harness, "program", _missing)
    assert say("en", "errors.harness_missing") in choose() and 'name="tasks"' not in person.setup
    assert begun(page, person, monkeypatch) == []
    monkeypatch.setattr(harness, "program", lambda: ("lm_eval",))
    assert person.say("setup.tasks_own", folders="mine") in choose(tasks="arc_easy, mine", n_shot="2")
    assert 'data-key="measures"' not in person.setup and 'name="guard"' not in person.setup
    spec = document.read(begun(page, person, monkeypatch)[0].spec)
    assert (spec["task"], spec["dataset"]) == ("harness", ["arc_easy", str(workspace.data / "mine")])
    assert (spec["max_samples"], spec["n_shot"], spec["metrics"]) == (5, 2, [])
    again = page.evaluate.again(person.place.run, Place())
    assert again.of("setup")["tasks"] == "arc_easy, mine"
    person = Person(page)
    (workspace.root / "outside").mkdir()
    (workspace.root / "outside" / "toy.yaml").write_text("task: toy\n")
    choose(tasks=str(workspace.root / "outside"))  # what its files name would run
    assert begun(page, person, monkeypatch) == [] and str(workspace.root / "outside") in text(person.setup)


def _missing() -> tuple[str, ...]:
    raise InputError("harness_missing")


def test_reports_are_given_and_nothing_else(workspace: Workspace) -> None:
    app = FastAPI()
    files.route(app, workspace)
    client = TestClient(app)
    (workspace.saves / "first" / "results" / "asked.json").write_text("{}")
    looked = client.get("/studio/evaluation/first/report.html")
    assert looked.status_code == 200 and "sandbox" in looked.headers["content-security-policy"]
    assert "attachment" not in looked.headers.get("content-disposition", "")
    taken = client.get("/studio/evaluation/first/predictions.jsonl")
    assert "attachment" in taken.headers["content-disposition"] and taken.headers["x-content-type-options"] == "nosniff"
    for path in ("first/spec.yaml", "first/..%2Fspec.yaml", "nowhere/report.html", "first/asked.json"):
        assert client.get(f"/studio/evaluation/{path}").status_code == 404


def test_a_tick_of_the_tab_that_is_not_in_sight_draws_nothing(page: Page) -> None:
    assert page.evaluate.refresh("train", "en", Place("first")) == [gr.skip()] * 3


def test_a_users_own_function_is_shown_and_runs_only_once_it_was_read(page: Page, workspace: Workspace,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUDIO_ROOT", raising=False)
    assert 'data-metric="custom"' not in Person(page).setup
    (workspace.data / "metrics").mkdir()
    path = workspace.data / "metrics" / "mine.py"
    path.write_text("def score(answer, reference, row):\n    return 1.0 if '<b>' in answer else 0.0\n")
    person = Person(page)
    person.press("measure", metric="custom", value=True)
    person.press("settle", fields={"custom_function": "mine"})
    assert "'<b>' in answer" in html.unescape(person.setup) and "<b>'" not in person.setup
    assert begun(page, person, monkeypatch) == [] and person.say("metrics.read") in text(person.setup)
    read = re.search(r'data-hash="(\w+)"', person.setup)
    assert read
    person.press("measure", hash=read[1], value=True)
    spec = document.read(begun(page, person, monkeypatch)[0].spec)
    assert spec["metrics"] == ["custom"] and spec["custom_hash"] == read[1]
    path.write_text("def score(answer, reference, row):\n    return 0.5\n")  # another text was never read
    person.place = person.place.open("")
    assert begun(page, person, monkeypatch) == []
