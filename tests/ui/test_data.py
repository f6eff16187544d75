"""The Data tab without a browser: places, presses, refusals in sentences, and nobody waits for many sets."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from studio.data import incoming, jobs
from studio.data.catalogue import Catalogue
from studio.data.versions import Versions
from studio.errors import InputError
from studio.specs.train import ARGUMENTS
from studio.texts import LANGUAGES
from studio.ui.draft import judge
from studio.ui.form import read
from studio.ui.page import Page
from studio.ui.tabs.data import make
from studio.ui.tabs.data.parts import PARTS
from studio.ui.tabs.data.place import FREE, OF_A_SET, Place
from studio.ui.tabs.data.tab import GIVEN, OFFERED
from studio.workspace import Workspace

ROWS = [{"instruction": f"Question {number}?", "output": f"Answer {number}."} for number in range(25)]


class Person:
    """Somebody who presses things in the tab."""

    def __init__(self, page: Page, lang: str = "en") -> None:
        self.tab, self.lang, self.place = page.data, lang, Place()
        self.reading = [field.value for field in page.data.reading]
        self.list = self.body = ""

    def press(self, do: str, **said: Any) -> str:
        """What stands in the part after a press."""
        event = SimpleNamespace(_data={"do": do, **said})
        self.list, self.body, self.place = self.tab.act(self.lang, self.place, event, *self.reading)
        return str(self.body)

    def wait(self, for_: str, seconds: float = 60) -> str:
        """Look again until the words stand there."""
        until = time.monotonic() + seconds
        while for_ not in self.press("look"):
            assert time.monotonic() < until, self.body
            time.sleep(0.1)
        return str(self.body)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace of these tests' own, since they leave sets behind."""
    found = Workspace(tmp_path_factory.mktemp("data-tab"))
    found.data.mkdir()
    return found


@pytest.fixture(scope="module")
def page(workspace: Workspace) -> Page:
    """The page on it."""
    return Page(workspace, "en")


@pytest.fixture
def person(page: Page) -> Person:
    return Person(page)


@pytest.fixture
def brought(page: Page, workspace: Workspace) -> str:
    """A set of its own in the data folder."""
    workspace.data.mkdir(exist_ok=True)
    (workspace.data / "brought.json").write_text(json.dumps(ROWS), encoding="utf-8")
    return "brought"


def upload(workspace: Workspace, name: str, body: bytes) -> dict[str, Any]:
    """A file as the page's upload leaves it."""
    folder = incoming.uploads(workspace) / "abc"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(body)
    return {"path": str(folder / name), "name": name, "size": len(body)}


# ---- places


def test_an_address_leads_to_a_place_and_back() -> None:
    for name, part in (("a", "rows"), ("a@2", "doctor"), ("", "make")):
        assert Place.at(name, part).address == {"set": name, "part": part}
    assert Place.at("", "rows").part == "bring" and Place.at("a", "bring").part == "rows"
    assert (Place.at("a@b@3", "rows").name, Place.at("a@b@3", "rows").version) == ("a@b", 3)
    assert (Place.at("a@b", "rows").name, Place.at("a@b", "rows").version) == ("a@b", 0)


def test_another_set_forgets_what_was_remembered_of_the_first() -> None:
    place = Place("a", "rows").keep("rows", page=7).keep("shelf", query="x")
    assert place.open("b").of("rows") == {} and place.open("b").of("shelf") == {"query": "x"}
    assert place.open("a", "doctor").of("rows") == {"page": 7}


def test_every_part_can_be_reached_and_drawn(person: Person, brought: str) -> None:
    assert set(PARTS) == {*FREE, *OF_A_SET}
    for lang in LANGUAGES:
        person.lang = lang
        for part in FREE:
            assert 'role="alert"' not in person.press("part", to=part)
        person.press("open", to=brought)
        for part in OF_A_SET:
            drawn = person.press("part", to=part)
            assert 'role="alert"' not in drawn and f"of-{part}" in drawn


def test_a_press_that_means_nothing_changes_nothing(person: Person) -> None:
    for do in ("", "no_such_thing", "part", "open", "delete"):
        person.press(do, to="no such part")
    assert person.place.part in ("bring", "rows")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_set_that_is_gone_is_a_sentence(person: Person, lang: str) -> None:
    person.lang = lang
    for part in OF_A_SET:
        assert 'class="problem"' in person.press("open", to="not-there", part=part)


# ---- bring


def test_a_dropped_file_is_looked_at_mapped_and_saved(person: Person, workspace: Workspace) -> None:
    body = "科室,标题,提问,回答\n内科,头痛,\"头痛,怎么办?\",多休息\n外科,扭伤,脚扭了?,冷敷\n".encode("gb18030")
    drawn = person.press("dropped", files=[upload(workspace, "问诊.csv", body)])
    assert "gb18030" in drawn and "头痛,怎么办?" in drawn
    assert not (workspace.data / "问诊.csv").exists()
    person.press("format", value="pairs")
    person.press("column", role="prompt", value="提问")
    drawn = person.press("column", role="response", value="回答")
    assert "多休息" in drawn.split("first-rows")[0]
    drawn = person.press("save", fields={"name": "问诊"})
    assert person.place.address == {"set": "问诊", "part": "rows"} and "多休息" in drawn
    entry = Catalogue(workspace).entry("问诊")
    assert entry.path == workspace.data / "问诊.csv" and entry.columns["prompt"] == "提问"
    assert not any((workspace.data / incoming.ASIDE).iterdir())


def test_a_name_that_is_taken_is_refused_and_nothing_is_lost(person: Person, workspace: Workspace) -> None:
    person.press("dropped", files=[upload(workspace, "more.json", json.dumps(ROWS).encode())])
    drawn = person.press("save", fields={"name": "identity"})
    assert 'class="problem"' in drawn and "identity" in drawn
    assert Path(person.place.of("bring")["path"]).exists()
    person.press("leave")
    assert person.place.of("bring") == {} and not (workspace.data / "more.json").exists()


@pytest.fixture
def bait(tmp_path: Path) -> Path:
    """A file that is nobody's upload; taking moves files, so what is refused here is never a real one."""
    path = tmp_path / "bait.json"
    path.write_text("[]", encoding="utf-8")
    return path


@pytest.mark.parametrize("way", ["plain", "climbing", "link", "missing"])
def test_only_what_was_uploaded_is_taken(workspace: Workspace, bait: Path, way: str) -> None:
    room = incoming.uploads(workspace)
    room.mkdir(parents=True, exist_ok=True)
    link = room / f"{bait.parent.name}.json"
    link.symlink_to(bait)
    ways = {"plain": bait, "climbing": room / os.path.relpath(bait, room), "link": link, "missing": room / "none.json"}
    with pytest.raises(InputError, match="upload_foreign"):
        incoming.take(workspace, [(ways[way], "x.json")])
    assert bait.read_text(encoding="utf-8") == "[]"


@pytest.mark.parametrize(("said", "kept"), [("../../x.json", "x.json"), ("a/b\\c.csv", "c.csv"), (".hidden", "hidden"),
                                            ("a\x00b?.json", "a_b_.json"), ("", "data"), ("数据.jsonl", "数据.jsonl")])
def test_a_file_keeps_its_name_where_that_is_harmless(said: str, kept: str) -> None:
    assert incoming.file_name(said) == kept


@pytest.mark.parametrize("said", ["/etc", "..", ".", "no-such-file.json"])
def test_only_the_data_folder_can_be_named(workspace: Workspace, said: str) -> None:
    workspace.data.mkdir(exist_ok=True)
    with pytest.raises(InputError, match=r"path_outside|file_missing"):
        incoming.within(workspace, said)


def test_what_is_too_large_is_said(person: Person) -> None:
    drawn = person.press("dropped", refused=413, files=[{"name": "x", "size": 5_000_000_000}])
    assert "5.0 GB" in drawn and "4.0 GB" in drawn


def test_a_saved_set_can_be_read_in_another_way(person: Person, workspace: Workspace) -> None:
    rows = [{"a": f"Question {number}?", "b": f"Answer {number}."} for number in range(5)]
    (workspace.data / "odd.json").write_text(json.dumps(rows), encoding="utf-8")
    assert 'data-do="map"' in person.press("open", to="odd") and 'class="problem"' in person.body
    person.press("map")
    person.press("format", value="pairs")
    person.press("column", role="prompt", value="a")
    person.press("column", role="response", value="b")
    drawn = person.press("save", fields={"name": "odd"})
    assert "Answer 0." in drawn and 'class="problem"' not in drawn
    assert Catalogue(workspace).entry("odd").path == workspace.data / "odd.json"
    assert 'data-do="map"' not in person.press("open", to="identity")


# ---- rows


def test_rows_are_paged_found_and_jumped_to(person: Person, brought: str) -> None:
    person.press("open", to=brought)
    assert "1–10" in person.body and "Question 9?" in person.body
    assert "21–25" in person.press("turn", to="2") and "Question 24?" in person.body
    assert "Question 13?" in person.press("jump", fields={"number": "14"})
    assert "no row" in person.press("jump", fields={"number": "99"})
    found = person.press("search", fields={"words": "answer 2."})
    assert "Question 2?" in found and "Question 3?" not in found
    assert "1–10" in person.press("everything")
    assert "Question 10?" in person.press("order", value="longest")


def test_edits_are_undone_redone_and_saved_as_a_version(person: Person, brought: str, workspace: Workspace) -> None:
    person.press("open", to=brought)
    person.press("edit", to="1")
    assert "<textarea" in person.body
    assert "New words" in person.press("put", to="1", fields={"cell-0": "New words", "cell-1": "Answer"})
    person.press("delete", to="0")
    assert "1 edited" in person.body and "1 deleted" in person.body
    assert "1 deleted" not in person.press("undo") and "1 deleted" in person.press("redo")
    person.press("save_version")
    assert person.place.set == "brought@2" and "New words" in person.body and "Question 0?" not in person.body
    assert json.loads((workspace.data / "brought.json").read_text()) == ROWS
    person.press("part", to="versions")
    drawn = person.press("difference", to="2")
    assert "<del>Question 1?</del>" in drawn and "<ins>New words</ins>" in drawn and "Question 0?" in drawn


def test_many_rows_are_deleted_at_once_and_undone_at_once(person: Person, workspace: Workspace) -> None:
    (workspace.data / "many.json").write_text(json.dumps(ROWS), encoding="utf-8")
    person.press("open", to="many")
    person.press("choose", number="3", value=True)
    person.press("choose", number="4", value=True)
    person.press("choose", number="4", value=False)
    assert "Chosen: 1<" in person.body and person.body.count(" checked") == 1
    person.press("turn", to="1")
    assert "Chosen: 11<" in person.press("choose_page")
    person.press("delete_chosen")
    assert "11 deleted" in person.body and "chosen" not in Versions(workspace).draft("many").edits.added
    assert Versions(workspace).draft("many").edits.deleted == {3, *range(10, 20)}
    assert not Versions(workspace).draft("many").edits.deleted if person.press("undo") else False
    person.press("search", fields={"words": "answer 2"})
    person.press("delete_found")
    assert Versions(workspace).draft("many").edits.deleted == {2, 20, 21, 22, 23, 24}


def test_a_removed_set_leaves_its_files_and_can_be_put_back(person: Person, workspace: Workspace) -> None:
    lists = json.dumps({"listed": {"file_name": "listed.json", "note": "kept"}}, indent=1)
    for name in ("loose", "listed"):
        (workspace.data / f"{name}.json").write_text(json.dumps(ROWS), encoding="utf-8")
    (workspace.data / "dataset_info.json").write_text(lists, encoding="utf-8")
    for name in ("loose", "listed"):
        person.press("open", to=name)
        person.press("delete", to="1")
        person.press("save_version")
        person.press("remove")
        assert person.place.part == "bring" and f"{name}.json" in person.body
        assert f'data-to="{name}"' not in person.list and name not in dict(person.tab.desk.datasets("en")).values()
        assert json.loads((workspace.data / f"{name}.json").read_text()) == ROWS
        person.press("part", to="make")
        person.press("put_back")
        assert person.place.set == name and f'data-to="{name}"' in person.list
        assert [one.key for one in Versions(workspace).of(name)] == [name, f"{name}@2"]
        assert "put_back" not in person.press("part", to="bring")
    assert json.loads((workspace.data / "dataset_info.json").read_text()) == json.loads(lists)
    # the versions of a removed set do not become those of another with its name
    person.press("open", to="loose")
    person.press("remove")
    person.press("dropped", files=[upload(workspace, "loose.json", b'[{"instruction": "a", "output": "b"}]')])
    assert person.place.of("bring")["name"] == "loose-2"
    assert 'role="alert"' in person.press("save", fields={"name": "loose"})
    person.press("leave")
    person.press("put_back")
    assert 'data-do="remove"' not in person.press("open", to="identity")
    person.press("remove")
    assert "identity" in {entry.name for entry in Catalogue(workspace).entries()}


def test_what_is_no_json_is_said(person: Person, workspace: Workspace) -> None:
    talk = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    (workspace.data / "talks.json").write_text(json.dumps([talk]), encoding="utf-8")
    person.press("open", to="talks")
    assert "JSON" in person.press("put", to="0", fields={"whole": "{broken"})


# ---- what works behind


@pytest.mark.slow
def test_doctor_mends_as_a_new_version(person: Person, workspace: Workspace) -> None:
    (workspace.data / "twice.json").write_text(json.dumps([*ROWS, *ROWS[:3]]), encoding="utf-8")
    person.press("open", to="twice", part="doctor")
    person.press("examine", fields={"against": ""})
    assert "data-poll" in person.body or "piece" in person.body
    drawn = person.wait('data-code="duplicate"')
    assert drawn.count('class="why"') >= 3
    assert "3 rows" in person.press("rows", code="duplicate")
    assert person.place.part == "rows"
    assert "duplicate" in person.press("everything") and "1–10" in person.body
    assert "3 rows" in person.press("problem", value="duplicate")
    assert "1–10" in person.press("problem", value="")
    person.press("part", to="doctor")
    person.press("mend", code="duplicate")
    person.wait("twice@2 is made")
    assert person.place.set == "twice@2"


@pytest.mark.slow
def test_all_at_once_mends_only_what_nobody_misses(person: Person, workspace: Workspace) -> None:
    key = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0k1L2"
    others = [{"instruction": "The key?", "output": f"It is {key}"},
              {"instruction": "Mail?", "output": "ada@lovelace.org"},
              {"instruction": "Coffee?", "output": "CafÃ© au lait, dÃ©jÃ  vu"}]
    (workspace.data / "risky.json").write_text(json.dumps([*ROWS, *ROWS[:3], *others]), encoding="utf-8")
    person.press("open", to="risky", part="doctor")
    person.press("examine", fields={"against": ""})
    drawn = person.wait('data-code="duplicate"')
    for code, words in (("duplicate", "New version without these rows (3)"), ("mojibake", "with these mended (1)"),
                        ("secret", "New version without these rows (1)"), ("personal", "without these rows (1)")):
        card = drawn.split(f'data-key="card-{code}"')[1].split("</section>")[0]
        assert words in card, card
    assert "New version: 3 left out, 1 mended" in drawn
    person.press("mend")
    person.wait("risky@2 is made")
    version = Versions(workspace).of("risky")[-1]
    assert (version.deleted, version.edited, version.rows) == (3, 1, len(ROWS) + 3)
    text = version.path.read_text(encoding="utf-8")
    assert key in text and "ada@lovelace.org" in text and "Café" in text


@pytest.mark.slow
def test_lengths_are_measured_by_a_job_and_found_again(page: Page, person: Person, brought: str) -> None:
    person.press("open", to=brought, part="lengths")
    person.press("measure")
    person.wait("data-plot")
    other = Person(page, "zh")
    assert "data-plot" in other.press("open", to=brought, part="lengths")
    assert "25" in other.press("part", to="seen")
    person.press("together", value="identity")
    person.press("measure")
    assert "identity" in person.wait("data-plot") and "103" in person.body


def test_a_job_can_be_cancelled_from_the_page(person: Person, brought: str, workspace: Workspace) -> None:
    person.press("open", to=brought, part="doctor")
    person.press("examine", fields={})
    job = jobs.listed(workspace, "doctor")[0]
    person.press("cancel", to=job.name)
    assert job.wait(30).state in (jobs.CANCELLED, jobs.FINISHED)


# ---- what the model sees


def test_every_token_says_its_id_place_and_bytes(person: Person, brought: str) -> None:
    drawn = person.press("open", to=brought, part="seen")
    assert 't trained"' in drawn and 't context"' in drawn and "special" in drawn
    assert "bytes" in drawn and "id " in drawn
    assert "Row 5 of 25" in person.press("go", fields={"number": "5"})


def test_the_form_decides_what_is_cut(page: Page, brought: str) -> None:
    person = Person(page)
    person.reading[4] = "12"
    assert 't cut"' in person.press("open", to=brought, part="seen")


# ---- templates and making


def test_a_template_is_written_beside_what_it_renders(person: Person, workspace: Workspace) -> None:
    assert 'data-to="chatml"' in person.press("part", to="templates")
    person.press("new")
    drawn = person.press("write", value="{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}", fields={})
    assert "[user]" in drawn
    assert 'class="problem"' in person.press("write", value="{% for %}", fields={})
    source = "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"
    person.press("save", fields={"name": "mine", "source": source})
    assert (workspace.data / "templates" / "mine.jinja").read_text() == source
    assert 'data-to="mine"' in person.body


def test_a_saved_template_is_offered_in_the_form_and_trained_with(
    page: Page, person: Person, workspace: Workspace
) -> None:
    source = "{% for message in messages %}<{{ message.role }}>{{ message.content }}</s>{% endfor %}"
    person.press("part", to="templates")
    person.press("save", fields={"name": "house_style", "source": source})
    for lang in LANGUAGES:
        offered = dict(zip(OFFERED, page.data.offer(lang), strict=True))["template"]["choices"]
        assert offered[0][1] == "own" and "house_style" in [value for _, value in offered]
    given = page.data.give("en", Place(), SimpleNamespace(_data={"do": "use", "template": "house_style"}))
    field = dict(zip(GIVEN, given, strict=False))["template"]
    assert field["value"] == "house_style" and "house_style" in [value for _, value in field["choices"]]
    # the form as it stands then makes a run of it
    values = [widget.value for widget in page.form.inputs]
    values[list(ARGUMENTS).index("template")] = field["value"]
    assert judge(read(values), "en", page.desk, thorough=True).wrong == ()
    assert "template: house_style" in judge(read(values), "en", page.desk).yaml
    person.reading[2] = "house_style"
    assert "&lt;user&gt;" in re.sub(r"<[^>]*>", "", person.press("open", to="arithmetic", part="seen"))


@pytest.mark.slow
def test_sums_are_made_with_a_held_out_side(person: Person, workspace: Workspace) -> None:
    person.press("part", to="make")
    fields = {"plus": True, "questions": True, "lowest": "0", "highest": "99", "decimals": "0", "count": "50",
              "held_out": "20", "seed": "1", "name": "sums", "languages": "en", "answer": "result", "negative": False}
    person.press("make", kind="sums", fields={**fields, "count": "many"})
    assert "many" in person.body and person.place.part == "make"
    person.press("make", kind="sums", fields=fields)
    person.wait("of-rows")
    assert person.place.set == "sums" and Catalogue(workspace).entry("sums_heldout")


@pytest.mark.slow
def test_sums_stand_between_the_chosen_pairs_of_words(person: Person, workspace: Workspace) -> None:
    person.press("part", to="make")
    assert "问:/答:" in person.body and "Q:/A:" in person.body
    field = next(field for field, name in make._pairs() if name == "问:/答:")
    fields = {"plus": True, "lowest": "0", "highest": "99", "decimals": "0", "count": "30", "held_out": "0",
              "seed": "1", "name": "paired", "languages": "zh", "answer": "result", field: True}
    person.press("make", kind="sums", fields=fields)
    person.wait("of-rows")
    path = Catalogue(workspace).entry("paired").path
    assert path is not None
    asked = [row["instruction"] for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())]
    assert all(one.startswith("问:") and one.endswith("答:") for one in asked)


# ---- into the form


def test_train_on_this_fills_the_form(page: Page, brought: str) -> None:
    given = page.data.give("en", Place("brought@2", "rows"), SimpleNamespace(_data={"do": "train"}))
    assert given[0]["value"] == ["brought@2"] and given[1] == gr.skip() and given[-1].selected == "train"
    given = page.data.give("en", Place("brought", "lengths"), SimpleNamespace(_data={"do": "use", "cutoff_len": "512"}))
    assert dict(zip(GIVEN, given, strict=False))["cutoff_len"]["value"] == "512" and given[-1] == gr.skip()


def test_what_will_be_trained_is_one_press_from_the_form(page: Page) -> None:
    assert page.data.see(Place(), ["arithmetic"]).address == {"set": "arithmetic", "part": "seen"}
    assert page.data.see(Place(), []).address == {"set": "", "part": "bring"}


# ---- many sets, strange words


def test_five_hundred_sets_are_listed_within_a_second(page: Page, tmp_path: Path) -> None:
    from studio.ui.desk import Desk

    data = tmp_path / "data"
    data.mkdir()
    listed = {}
    for number in range(500):
        name = f"set_{number:03}"
        (data / f"{name}.json").write_text(json.dumps(ROWS))
        listed[name] = {"file_name": f"{name}.json"}
    (data / "dataset_info.json").write_text(json.dumps(listed))
    person = Person(page)
    tab = object.__new__(type(page.data))
    tab.__dict__.update(page.data.__dict__, desk=Desk(Workspace(tmp_path)))
    person.tab = tab
    for press in ({"do": "look"}, {"do": "open", "to": "set_400"}, {"do": "find", "value": "set_49"}):
        began = time.process_time()
        person.press(**press)
        assert time.process_time() - began < 1.0, press
    assert "set_499" in person.list and "set_400" not in person.list


def test_names_and_rows_are_text_not_html(person: Person, workspace: Workspace) -> None:
    evil = "<img src=x onerror=alert(1)>"
    (workspace.data / "evil.json").write_text(json.dumps([{"instruction": evil, "output": evil}] * 2))
    person.press("open", to="evil")
    for part in OF_A_SET:
        assert evil not in person.press("part", to=part)
    assert evil not in person.press("find", value=evil) and evil not in person.list
    assert evil not in person.press("open", to=evil)
