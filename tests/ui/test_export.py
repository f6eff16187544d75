"""The Export tab without a browser: what is chosen becomes a run; forms, forecasts, verdicts and files are told."""

from __future__ import annotations

import html
import io
import json
import os
import re
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.args import document
from studio.errors import WorkError
from studio.exports import admission, optional
from studio.exports.place import Place as Folder
from studio.exports.place import manifest
from studio.prepare import parts
from studio.prepare.progress import Step
from studio.records import write_json
from studio.runs import outcome
from studio.runs.files import RunFolder
from studio.runs.store import RunStore
from studio.texts import LANGUAGES, say
from studio.ui.page import Page
from studio.ui.tabs.chat.place import Place as Talks
from studio.ui.tabs.export import files, forms
from studio.ui.tabs.export import optional as installing
from studio.ui.tabs.export.place import Place
from studio.workspace import PROJECT, Workspace
from tests.chats.test_lanes import run as a_run_of_kind
from tests.exports.a_run import a_run, at_work

HOSTILE = '<img src=x onerror="alert(1)">'
TOKEN = "hf_aVerySecretWord"
VERDICT = {"state": "passed", "form": "merged", "runtime": "transformers", "rows": 16, "token_agreement": 0.9944,
           "answers_same": 15, "max_logit_difference": 0.0484, "perplexity": {"source": 32.27, "result": 32.23},
           "from": {"origin": "held_out", "names": ["tuned"], "why": ""}, "template": True, "ends": True,
           "chat": [{"prompt": HOSTILE, "source": "two", "result": "three"}], "reasons": [], "notes": []}


class Person:
    """Somebody who presses things in the tab."""

    def __init__(self, page: Page, lang: str = "en", at: str = "") -> None:
        self.tab, self.lang, self.place = page.export, lang, Place().open(at)
        self.shelf = self.body = ""
        self.press("look")

    def press(self, do: str, **said: Any) -> str:
        """What stands on the right after a press; `shelf` has the left."""
        event = SimpleNamespace(_data={"do": do, **said})
        shelf, body, self.place = self.tab.act(self.lang, self.place, event)
        self.shelf, self.body = str(shelf), str(body)
        return self.body

    def begin(self, **fields: Any) -> str:
        """A press on the primary button."""
        once = re.search(r'data-once="(\d+)"', self.body)
        assert once
        return self.press("begin", once=once[1], fields=fields)

    def say(self, key: str, **values: Any) -> str:
        return say(self.lang, f"page.export.{key}", **values)


def text(drawn: str) -> str:
    """What is read of HTML."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", drawn)).split())


def card(drawn: str, form: str) -> str:
    """The card of a form."""
    found = re.search(rf'<label[^>]*data-key="form-{form}".*?</label>', drawn)
    assert found, form
    return found[0]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a LoRA run of the starter, one with a prefix, and a finished export."""
    found = Workspace(tmp_path_factory.mktemp("export-tab"))
    (found.root / "saves").mkdir()
    prefixed = a_run_of_kind(found, "prefixed", 5, kind="prefix", spec='created: "2026-01-01T00:00:00+00:00"\n')
    os.utime(prefixed.spec, (1e9, 1e9))
    a_run(found, "tuned")
    exported(found, "home")
    return found


@pytest.fixture(scope="module")
def page(workspace: Workspace) -> Page:
    """The page on it."""
    return Page(workspace, "en")


def exported(workspace: Workspace, name: str, verdict: dict[str, Any] | None = None, **more: Any) -> RunFolder:
    """An export that has come to its end, with a card, a picture and a folder of its own."""
    spec = admission.admit({"model_name_or_path": "tuned", **more}, workspace)
    folder = RunStore(workspace).create(spec, name)
    place = Folder.of(spec, folder, workspace)
    place.begin(100)
    for path in (PROJECT / "data" / "starter").iterdir():
        if path.is_file():
            (place.aside / path.name).write_bytes(path.read_bytes())
    (place.aside / "README.md").write_text("---\nlicense: other\n---\n# At home\n\nSums **by heart**.\n")
    (place.aside / "README_zh.md").write_text("---\nlicense: other\n---\n# 带回家\n")
    (place.aside / "curves.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (place.aside / "extra").mkdir()
    (place.aside / "extra" / "words.txt").write_text("words")
    place.mark_written()
    listed = manifest(place.aside, lambda: None)
    place.finish({"form": spec.export_to, "source": "tuned/step-10", "run": "tuned", "step": 10, "seconds": 2.5,
                  "path": str(place.target), "files": [one for one in listed if one["name"] != ".written"],
                  "acceptance": VERDICT | (verdict or {}), "bytes": sum(one["bytes"] for one in listed)})
    write_json(folder.process, {"supervisor": None, "engine": None, "started": 1.0})
    outcome.write(folder, "finished", exit_code=0)
    return folder


def started(page: Page, monkeypatch: pytest.MonkeyPatch) -> list[tuple[RunFolder, dict[str, str]]]:
    """The exports that are begun from now on, which no engine does here, with what they were told in secret."""
    found: list[tuple[RunFolder, dict[str, str]]] = []
    monkeypatch.setattr(page.desk, "start", lambda folder, lang, secrets=None: found.append((folder, secrets or {})))
    return found


# ---- what is exported, in which form

def test_the_newest_run_is_preset_with_its_best_step(page: Page) -> None:
    person = Person(page)
    assert '<option value="tuned" selected>' in person.body
    step = person.say("setup.step_of", step="10")
    assert text(person.say("setup.result", step=f"{step} · best · loss 1")) in text(person.body)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_form_is_a_card_with_its_size_and_the_chosen_one_is_marked(page: Page, lang: str) -> None:
    person = Person(page, lang)
    for form in forms.ordered():
        assert say(lang, f"exporters.{form}.label") in card(person.body, form)
    for form in ("merged", "adapter", "gguf"):
        assert re.search(r"\d [KM]B", text(card(person.body, form)))
    chosen = person.press("form", value="gguf")
    assert "checked" in card(chosen, "gguf") and "checked" not in card(chosen, "merged")
    assert person.press("form", value="no such form") and "checked" in card(person.body, "merged")


def test_what_cannot_be_made_of_a_source_says_why_and_cannot_be_pressed(page: Page) -> None:
    person = Person(page)
    prefix = card(person.body, "prefix")
    assert "disabled" in prefix and person.say("forms.of_lora") in text(prefix)
    person.press("model", value="prefixed")
    merged = card(person.body, "merged")
    assert text(person.say("forms.of_prefix")) in text(merged)
    assert "disabled" not in card(person.body, "prefix")


def test_only_the_forms_own_settings_are_drawn_and_sent(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, person = started(page, monkeypatch), Person(page)
    assert 'name="gguf_type"' not in person.body and 'name="export_dtype"' in person.body
    person.press("settle", fields={"export_dtype": "fp16"})
    drawn = person.press("form", value="gguf")
    assert 'name="gguf_type"' in drawn and 'name="export_dtype"' not in drawn
    assert re.search(r'<option value="q8_0"[^>]*>[^<]* · [\d.]+ [KM]B<', drawn)
    person.press("settle", fields={"gguf_type": "f16"})
    person.press("form", value="merged")
    assert re.search(r'<option value="fp16" selected', person.body)
    person.begin()
    told = document.read(begun[0][0].spec)
    assert (told["export_to"], told["export_dtype"], told["gguf_type"]) == ("merged", "fp16", "q8_0")


def test_a_step_that_is_chosen_is_the_one_that_is_exported(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, person = started(page, monkeypatch), Person(page)
    person.press("step", value="step-20")
    person.begin()
    assert document.read(begun[0][0].spec)["model_name_or_path"] == "tuned/step-20"
    assert person.place.run == begun[0][0].name and person.place.address == {"run": begun[0][0].name}


def test_a_nervous_hand_begins_one_export(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, person = started(page, monkeypatch), Person(page)
    person.begin()
    person.press("begin", once="0", fields={})
    assert len(begun) == 1


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(
    page: Page, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    begun, person = started(page, monkeypatch), Person(page, lang)
    person.press("settle", fields={"export_size": "-3", "output_dir": "mine", "export_dir": "/etc"})
    drawn = person.begin()
    assert not begun and 'value="-3"' in drawn and 'value="mine"' in drawn
    for name in ("export_size", "export_dir"):
        beside = re.search(rf'data-key="of-{name}".*?role="alert">([^<]+)<', drawn)
        assert beside and (name in beside[1] or "/etc" in beside[1])
    assert text(person.say("setup.some_wrong", count=2)) in text(drawn)
    mended = person.press("settle", fields={"export_size": "5"})
    assert mended.count('role="alert"') == drawn.count('role="alert"') - 1 and 'value="-3"' not in mended


def test_a_run_that_still_trains_offers_its_last_complete_step(page: Page, workspace: Workspace) -> None:
    run = a_run(workspace, "busy", steps=(10, 20))
    at_work(run)
    person = Person(page)
    person.press("model", value="busy")
    assert text(person.say("setup.still_training", step="20")) in text(person.body)
    assert person.tab.act("en", person.place, SimpleNamespace(_data={"do": "look"}))
    run.process.unlink()


def test_a_form_that_holds_another_takes_one_that_can_be_made(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, person = started(page, monkeypatch), Person(page)
    person.press("model", value="prefixed")
    drawn = person.press("form", value="zip")
    assert re.search(r'name="zip_form"[^>]*data-chosen="prefix"', drawn)
    person.begin()
    assert not begun or document.read(begun[0][0].spec)["zip_form"] == "prefix"


def test_the_forecast_tells_size_memory_time_and_free_disk_before(page: Page) -> None:
    person = Person(page)
    told = re.search(r'data-key="forecast".*?</dl>', person.body)
    assert told
    for word in ("size", "memory", "time", "free"):
        assert person.say(f"setup.{word}") in text(told[0])
    assert len(re.findall(r"[\d.]+ [KMGT]?B", text(told[0]))) == 3


def test_a_folder_that_is_no_model_is_refused_in_a_sentence(page: Page) -> None:
    person = Person(page)
    person.press("model", value="?")
    drawn = person.press("other", fields={"name": "/nowhere/at/all"})
    assert 'role="alert"' in drawn and "/nowhere/at/all" in text(drawn)
    assert 'data-do="other"' in drawn
    person.press("other")
    assert 'data-do="other"' not in person.body and 'name="model"' in person.body


# ---- a hub's token

def test_a_token_reaches_the_export_by_environment_and_nothing_else_has_it(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    begun, person = started(page, monkeypatch), Person(page)
    drawn = person.press("form", value="hub")
    assert re.search(r'<input name="token" type="password" value=""', drawn)
    assert TOKEN not in person.begin(token=TOKEN) and not begun
    person.press("settle", fields={"hub_repo": "me/sums"})
    assert TOKEN not in person.begin(token=TOKEN)
    folder, secrets = begun[0]
    assert secrets == {"HF_TOKEN": TOKEN}
    assert TOKEN not in repr(person.place)
    assert not [path for path in folder.path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def test_each_hub_asks_for_its_own_token(page: Page) -> None:
    person = Person(page)
    person.press("form", value="hub")
    assert "HF_TOKEN" in person.body
    assert "MODELSCOPE_API_TOKEN" in person.press("settle", fields={"hub_name": "modelscope"})
    assert "TOKEN" not in person.press("form", value="merged")


# ---- optional parts

@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_part_that_is_missing_is_installed_by_a_press(
    page: Page, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    here, goes_on, ended = [False], threading.Event(), threading.Event()

    def install(name: str, tell: Any, wheels: str = "") -> None:
        tell(Step("installing", "llama_cpp_python", "", 1, 3))
        goes_on.set()
        assert ended.wait(20)
        here[0] = True

    monkeypatch.setattr(parts, "is_installed", lambda name: here[0])
    monkeypatch.setattr(optional, "install", install)
    installing._running.clear()
    person = Person(page, lang)
    drawn = person.press("form", value="gguf")
    label = say(lang, "parts.llama-cpp.label")
    assert label in text(drawn) and 'data-do="install"' in drawn
    person.press("install", to="no-such-part")
    assert not installing._running
    person.press("install", to="llama-cpp")
    assert goes_on.wait(20)
    assert text(person.say("optional.installing", part=label)) in text(person.press("look"))
    assert "1 / 3" in person.body and "llama_cpp_python" in person.body and "data-poll" in person.body
    ended.set()
    installing._running["llama-cpp"]._thread.join(20)
    assert 'data-do="install"' not in person.press("look")


def test_an_installation_that_fails_says_why_and_can_be_tried_again(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(name: str, tell: Any, wheels: str = "") -> None:
        raise WorkError("part_no_network", part=name, log="/tmp/pip.log")

    monkeypatch.setattr(parts, "is_installed", lambda name: False)
    monkeypatch.setattr(optional, "install", install)
    installing._running.clear()
    person = Person(page)
    person.press("form", value="gguf")
    person.press("install", to="llama-cpp")
    installing._running["llama-cpp"]._thread.join(20)
    drawn = person.press("look")
    assert "/tmp/pip.log" in drawn and 'data-do="install"' in drawn
    installing._running.clear()


# ---- an opened export

@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_finished_export_shows_verdict_place_commands_files_and_card(
    page: Page, workspace: Workspace, lang: str
) -> None:
    person = Person(page, lang, at="home")
    read = text(person.body)
    for word in ("99.44 %", "15 / 16", "0.0484", "32.27 → 32.23", str(workspace.saves / "home" / "export")):
        assert word in read
    assert "vllm serve" in read and "extra/words.txt" in read
    assert ("by heart" if lang == "en" else "带回家") in read and "license" not in read
    assert HOSTILE not in person.body and HOSTILE in read
    assert person.say("verdict.passed") in text(person.shelf)


@pytest.mark.parametrize("state", ["passed", "lossy", "failed", "unchecked"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_verdict_has_its_sign_its_word_and_its_remedy(
    page: Page, workspace: Workspace, state: str, lang: str
) -> None:
    name = f"{state}-{lang}"
    reasons = [{"code": "template_lost", "runtime": "transformers"}] if state == "failed" else []
    spelling = {"expected": "<|user|>", "found": "User:"} if state == "failed" else {}
    exported(workspace, name, {"state": state, "reasons": reasons, "template": state != "failed", "spelling": spelling})
    person = Person(page, lang, at=name)
    assert f'class="accepted {state}"' in person.body
    assert person.say(f"verdict.{state}") in text(person.shelf)
    if state == "failed":
        assert text(say(lang, "exports.acceptance.template_lost", runtime="transformers")) in text(person.body)
        assert "<|user|>" in text(person.body) and person.say("verdict.differs") in text(person.body)


def test_a_running_export_shows_its_phases_and_what_is_written_and_can_be_stopped(
    page: Page, workspace: Workspace
) -> None:
    spec = admission.admit({"model_name_or_path": "tuned", "export_to": "zip"}, workspace)
    folder = RunStore(workspace).create(spec, "under-way")
    at_work(folder)
    write_json(folder.progress, {"phase": "exporting", "step": 7, "total": 28, "name": "model.layers.0.mlp.weight"})
    person = Person(page, at="under-way")
    read = text(person.body)
    assert "7 / 28" in read and "model.layers.0.mlp.weight" in read and 'aria-valuenow="25"' in person.body
    assert re.search(r'class="now" aria-current="step">write<', person.body)
    assert person.say("phases.packing") in read and person.say("phases.delivering") not in read
    assert "data-poll" in person.body
    person.press("stop")
    assert folder.stop.exists()
    write_json(folder.progress, {"phase": "packing", "step": 5_000_000, "total": 20_000_000, "name": "a.zip"})
    assert "5.0 MB / 20.0 MB" in text(person.press("look"))
    folder.process.unlink()


@pytest.mark.parametrize("how", ["failed", "stopped"])
def test_an_export_that_ended_early_says_so_and_goes_on(
    page: Page, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    folder = RunStore(workspace).create(admission.admit({"model_name_or_path": "tuned"}, workspace), f"ended-{how}")
    write_json(folder.process, {"supervisor": None, "engine": None, "started": 1.0})
    outcome.write(folder, how, exit_code=1 if how == "failed" else 0)
    if how == "failed":
        write_json(folder.failure, {"code": "disk_full", "values": {"path": "/there"}, "traceback": ""})
    resumed: list[str] = []
    monkeypatch.setattr(page.desk, "resume", lambda folder, lang, secrets=None: resumed.append(folder.name))
    person = Person(page, at=folder.name)
    wanted = say("en", "errors.disk_full", path="/there") if how == "failed" else person.say("opened.stopped")
    assert text(wanted) in text(person.body)
    person.press("resume", fields={})
    assert resumed == [folder.name]


def test_what_is_deleted_can_be_had_back(page: Page, workspace: Workspace) -> None:
    exported(workspace, "away")
    person = Person(page, at="away")
    drawn = person.press("remove")
    assert not (workspace.saves / "away").exists() and text(person.say("opened.removed", name="away")) in text(drawn)
    person.press("restore")
    assert person.place.run == "away" and (workspace.saves / "away" / "export").is_dir()
    assert text(person.say("opened.removed", name="away")) not in text(person.body)


def test_an_export_whose_files_are_gone_says_so_and_offers_no_download(page: Page, workspace: Workspace) -> None:
    folder = exported(workspace, "broken")
    next((folder.path / "export").glob("*.safetensors")).unlink()
    person = Person(page, at="broken")
    assert text(person.say("take.gone")) in text(person.body) and "/archive" not in person.body
    assert 'data-do="remove"' in person.body


def test_an_export_that_is_gone_is_told(page: Page) -> None:
    assert "long gone" in text(Person(page, at="long gone").body)


# ---- ways on

def test_an_export_is_opened_in_chat_beside_its_source(page: Page, workspace: Workspace) -> None:
    person = Person(page, at="home")
    assert 'data-do="chat"' in person.body
    answer = page.export.talk("en", person.place, Talks(), SimpleNamespace(_data={}))
    assert answer[3].setup["lanes"] == ["tuned/step-10", str(workspace.saves / "home" / "export")]
    assert answer[-1] == "chat"


def test_an_address_opens_an_export_or_prepares_one_of_a_run(page: Page) -> None:
    tab = page.export
    assert tab.about("home", Place()).run == "home"
    assert tab.about("tuned", Place()).of("setup")["model"] == "tuned"
    assert tab.about("tuned/step-10", Place()).of("setup") == {"model": "tuned", "step": "step-10"}


def test_an_earlier_export_is_set_up_once_more_without_its_name(page: Page, workspace: Workspace) -> None:
    exported(workspace, "once", export_dtype="fp32", output_dir="once", acceptance_rows=7)
    place = page.export.again("once", Place())
    setup = place.of("setup")
    assert (setup["model"], setup["step"], setup["form"]) == ("tuned", "step-10", "merged")
    assert setup["typed"] == {"export_dtype": "fp32", "acceptance_rows": "7"}


def test_the_archive_has_every_file_as_it_is_and_nothing_else_is_given(workspace: Workspace) -> None:
    app = FastAPI()
    files.route(app, workspace)
    client = TestClient(app)
    folder = workspace.saves / "home" / "export"
    answer = client.get("/studio/export/home/archive")
    assert answer.status_code == 200 and 'filename="home.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert set(archive.namelist()) == {f"home/{name}" for name in there}
        assert archive.read("home/extra/words.txt") == b"words"
    one = client.get("/studio/export/home/file/extra/words.txt")
    assert one.content == b"words" and one.headers["content-type"] == "application/octet-stream"
    picture = client.get("/studio/export/home/picture/curves.svg")
    assert picture.headers["content-type"].startswith("image/svg") and "sandbox" in picture.headers[
        "content-security-policy"]
    (folder / "unlisted.txt").write_text("not of the export")
    for path in ("home/file/unlisted.txt", "home/file/../../spec.yaml", "home/file/%2e%2e/spec.yaml",
                 "home/picture/config.json", "tuned/archive", "no-such/archive"):
        assert client.get(f"/studio/export/{path}").status_code == 404, path


def test_a_link_out_of_the_export_is_not_followed(workspace: Workspace, tmp_path: Path) -> None:
    folder = exported(workspace, "linked")
    (tmp_path / "secret").write_text("words")
    inside = folder.path / "export" / "extra" / "words.txt"
    inside.unlink()
    inside.symlink_to(tmp_path / "secret")
    app = FastAPI()
    files.route(app, workspace)
    assert TestClient(app).get("/studio/export/linked/file/extra/words.txt").status_code == 404


def test_secrets_reach_the_engine_and_no_file_of_the_run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.runs import start as starting

    seen: list[dict[str, str]] = []
    monkeypatch.setattr(starting, "_spawn", lambda folder, root, command, env, lock: seen.append(dict(env)) or "ok")
    folder = RunStore(workspace).create(admission.admit({"model_name_or_path": "tuned"}, workspace), "whispered")
    starting.start(folder, workspace, secrets={"HF_TOKEN": TOKEN})
    assert seen[0]["HF_TOKEN"] == TOKEN
    assert not [path for path in folder.path.rglob("*") if path.is_file() and TOKEN in path.read_text(errors="replace")]
    assert TOKEN not in json.dumps(document.read(folder.spec))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_runs_page_names_its_exports_with_their_verdicts_and_an_exports_page_its_own(page: Page, lang: str) -> None:
    def summary_of(run: str) -> str:
        drawn = page.runs._opened(lang, run, None)[-len(page.runs.pages):]
        return str(drawn[next(place for place, one in enumerate(page.runs.pages) if one is page.runs.summary)])

    summary = summary_of("tuned")
    assert say(lang, "page.export.verdict.passed") in text(summary) and "run=home" in summary
    drawn = summary_of("home")
    assert "99.44 %" in text(drawn) and "tab=export&amp;run=home" in drawn
