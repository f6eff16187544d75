"""The Data tab in a real browser: a file dropped, mapped, looked at, examined, mended and trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.data.catalogue import Catalogue
from studio.data.versions import Versions
from studio.texts import say
from studio.workspace import Workspace
from tests.browser.conftest import Studio, wait_for_state

ROWS = [(f"第{number}位病人头痛,怎么办?", f"多休息,第 {number} 天再来复查。") for number in range(40)]
TWICE = 4


@pytest.fixture
def gbk(tmp_path: Path) -> Path:
    """A csv as a Chinese Excel writes it, with commas in its cells and some rows twice."""
    lines = ["科室,提问,回答", *(f'内科,"{asked}","{told}"' for asked, told in [*ROWS, *ROWS[:TWICE]])]
    path = tmp_path / "门诊.csv"
    path.write_bytes("\r\n".join(lines).encode("gb18030"))
    return path


def drop(page: Any, path: Path) -> None:
    """Drop a file on the zone, as a hand does."""
    moved = page.evaluate_handle(
        """([name, bytes]) => { const moved = new DataTransfer();
           moved.items.add(new File([new Uint8Array(bytes)], name)); return moved; }""",
        [path.name, list(path.read_bytes())],
    )
    page.dispatch_event("[data-drop]", "dragover", {"dataTransfer": moved})
    page.dispatch_event("[data-drop]", "drop", {"dataTransfer": moved})


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("locale", "lang"), [("zh-CN", "zh"), ("en-US", "en")])
def test_from_a_gbk_csv_to_training_on_its_mended_version(
    visit: Any, studio: Studio, gbk: Path, locale: str, lang: str
) -> None:
    page, name = visit(locale, path="?tab=data"), f"clinic_{lang}"
    words = lambda key: say(lang, f"page.data.{key}")  # noqa: E731

    # bring: what it is, which column is what, a name
    drop(page, gbk)
    page.wait_for_selector(".mapping")
    assert "gb18030" in page.inner_text(".mapping .facts")
    assert ROWS[0][0] in page.inner_text(".first-rows")
    page.select_option("[name=format]", "pairs")
    page.wait_for_selector("[name=column-prompt]")
    page.select_option("[name=column-prompt]", "提问")
    page.select_option("[name=column-response]", "回答")
    page.wait_for_selector(f".beside .turn.assistant:has-text('{ROWS[0][1]}')")
    page.fill(".naming [name=name]", name)
    page.click(".naming [type=submit]")
    page.wait_for_selector(".rows .turn.user")
    assert f"set={name}" in page.url and page.inner_text(".set-head h2") == name

    # the microscope: learned tokens apart, each with its id and bytes
    page.click(".rows .row:first-child [data-do=seen]")
    page.wait_for_selector(".tokens .t.trained")
    learned = "".join(page.locator(".tokens .t.trained:not(.special):not(.bytes)").all_inner_texts())
    assert "多休息" in learned and ROWS[0][0][:3] not in learned
    assert {"zh": "编号 ", "en": "id "}[lang] in page.locator(".tokens .t.trained").first.get_attribute("title")

    # the doctor, its examples, and the mending
    page.click(".set-head [data-to=doctor]")
    page.wait_for_selector(".asking-form")
    page.click(".asking-form [type=submit]")
    card = page.wait_for_selector(".piece[data-code=duplicate]")
    assert card.query_selector(".count").inner_text() == str(TWICE)
    assert len(card.query_selector_all(".examples li")) == 3
    page.click(".piece[data-code=duplicate] [data-do=rows]")
    page.wait_for_selector(".narrowed")
    assert page.locator(".rows > .row").count() == TWICE
    page.click(".set-head [data-to=doctor]")
    page.click(".piece[data-code=duplicate] [data-do=mend]")
    page.wait_for_selector(f".told .done:has-text('{name}@2')")
    workspace = Workspace(studio.root)
    assert Versions(workspace).index(name, 2).rows == len(ROWS)
    assert Versions(workspace).index(name, 1).rows == len(ROWS) + TWICE

    # train on the new version
    page.click("[data-do=train]")
    page.wait_for_selector("#card .forecast", state="visible")
    page.wait_for_selector(f"#arg-dataset .token:has-text('{name}@2'), #arg-dataset :text('{name}@2')")
    page.wait_for_function("name => document.querySelector('#card').innerText.includes(`${name}@2`)", arg=name)
    page.fill("#arg-num_train_epochs input", "1")
    page.click("#start")
    wait_for_state(page, "finished", patience=180_000)
    run = page.inner_text("#live-head .name")
    assert f"{name}@2" in (studio.root / "saves" / run / "spec.yaml").read_text(encoding="utf-8")
    page.click("#reset")

    # and back again: what will be trained is one press from the form
    page.click("#see-trained")
    page.wait_for_selector(".tokens .t.trained")
    assert words("parts.seen") in page.inner_text(".set-head [aria-current=page]")


def test_an_edit_survives_a_reload_and_is_undone(visit: Any, studio: Studio) -> None:
    (studio.root / "data").mkdir(exist_ok=True)
    rows = [{"instruction": f"q{number}", "output": f"a{number}"} for number in range(12)]
    (studio.root / "data" / "edited.json").write_text(json.dumps(rows), encoding="utf-8")
    page = visit(path="?tab=data&set=edited&part=rows")
    page.click("[data-key=row-0] [data-do=edit]")
    page.fill(".editor [name=cell-1]", "mended")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-key=row-0].edited")
    page.click("[data-key=row-1] [data-do=delete]")
    page.wait_for_selector("[data-key=row-1].deleted")
    page.reload()
    page.wait_for_selector("[data-key=row-1].deleted")
    page.click("[data-do=undo]")
    page.wait_for_selector("[data-key=row-1]:not(.deleted)")
    page.click("[data-do=redo]")
    page.wait_for_selector("[data-key=row-1].deleted")
    page.click("[data-do=save_version]")
    page.wait_for_function("location.search.includes('edited%402')")
    assert [row["output"] for _, row in Versions(Workspace(studio.root)).index("edited", 2).rows_at(slice(0, 2))] == [
        "mended", "a2"]


def test_back_and_forward_go_through_the_tab(visit: Any) -> None:
    page = visit(path="?tab=data&set=arithmetic&part=rows")
    page.wait_for_selector(".rows .row")
    page.click(".set-head [data-to=seen]")
    page.wait_for_selector(".tokens")
    page.wait_for_function("location.search.includes('part=seen')")
    page.go_back()
    page.wait_for_selector(".rows .row")
    page.go_forward()
    page.wait_for_selector(".tokens")


def test_what_is_typed_and_where_survives_an_answer(visit: Any) -> None:
    page = visit(path="?tab=data&part=templates")
    page.click("[data-do=new] >> nth=0")
    page.wait_for_selector("[name=source]")
    page.focus("[name=source]")
    page.evaluate("document.activeElement.setSelectionRange(0, 0)")
    for letter in "abc":
        page.keyboard.type(letter)
        page.wait_for_timeout(450)
    page.wait_for_function("document.querySelector('.rendered')?.textContent.startsWith('abc')")
    assert page.evaluate("[document.activeElement.name, document.activeElement.selectionStart]") == ["source", 3]


def test_every_press_is_reached_by_keyboard(visit: Any) -> None:
    page = visit(path="?tab=data&set=arithmetic&part=rows")
    page.wait_for_selector(".rows .row")
    page.focus(".set-head [data-to=rows]")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".asking-form")
    assert page.evaluate("document.activeElement.dataset.to") == "doctor"


def test_a_set_can_be_taken_along(visit: Any, studio: Studio) -> None:
    page = visit(path="?tab=data&part=make")
    page.click(".parts [data-to=download]")
    with page.expect_download() as download:
        page.click(".downloads a:has-text('identity')")
    entry = Catalogue(Workspace(studio.root)).entry("identity")
    assert entry.path is not None and Path(download.value.path()).read_bytes() == entry.path.read_bytes()
