"""The form in a real browser: bad values, YAML there and back, search, keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.args import document
from tests.browser.conftest import SHORT, wait_for_state

BAD = {"learning_rate": "abc", "num_train_epochs": "0", "per_device_train_batch_size": "-1", "lora_rank": "1.5"}


def unfold(page: Any, group: str) -> None:
    """Open a folded group."""
    page.click(f"#{group} > .label-wrap")


@pytest.mark.parametrize(("locale", "word"), [("en-US", "must be"), ("zh-CN", "必须")])
def test_bad_values_are_said_beside_their_fields(visit: Any, studio: Any, locale: str, word: str) -> None:
    page = visit(locale)
    runs = sorted(path.name for path in (studio.root / "saves").glob("[!.]*"))
    for name, value in BAD.items():
        page.fill(f"#arg-{name} input", value)
    for name in BAD:
        beside = page.wait_for_selector(f"#arg-{name} .problem-beside")
        assert name in beside.inner_text() or word in beside.inner_text()
        assert page.get_attribute(f"#arg-{name} input", "aria-invalid") == "true"
    page.click("#start")
    page.wait_for_timeout(1500)
    assert sorted(path.name for path in (studio.root / "saves").glob("[!.]*")) == runs
    page.click("#reset")
    page.wait_for_selector(".problem-beside", state="detached")
    assert page.input_value("#arg-num_train_epochs input") == "3"


def test_a_problem_in_a_folded_group_can_be_reached_from_the_card(visit: Any) -> None:
    page = visit()
    unfold(page, "group-optimizer")
    page.fill("#arg-weight_decay input", "-3")
    page.wait_for_selector("#arg-weight_decay .problem-beside")
    unfold(page, "group-optimizer")
    page.click("#card a[data-field=weight_decay]")
    page.wait_for_function("document.activeElement === document.querySelector('#arg-weight_decay input')")


def test_yaml_goes_out_and_comes_back_whole(visit: Any, tmp_path: Path) -> None:
    page = visit()
    page.fill("#arg-learning_rate input", "5e-5")
    page.fill("#arg-lora_target input", "q_proj, v_proj")
    page.fill("#arg-output_dir input", "there-and-back")
    unfold(page, "group-data")
    page.fill("#arg-default_system textarea", "你是一个助手：请回答。")
    unfold(page, "fold-yaml")
    page.wait_for_function("(document.querySelector('#text-yaml') || {textContent: ''}).textContent.includes('请回答')")
    said = page.text_content("#text-yaml")
    assert document.loads(said)["learning_rate"] == 5e-5
    with page.expect_download() as download:
        page.click("[data-save]")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == "there-and-back.yaml" and path.read_text(encoding="utf-8") == said
    page.click("#reset")
    page.wait_for_function("!document.querySelector('#text-yaml')?.textContent?.includes('请回答')")
    page.set_input_files("#load-yaml input[type=file], #fold-yaml ~ * input[type=file], input[type=file]", str(path))
    page.wait_for_function("said => document.querySelector('#text-yaml')?.textContent === said", arg=said)
    page.reload()
    page.wait_for_function("document.querySelector('#arg-output_dir input')?.value === 'there-and-back'")
    page.click("#reset")


def test_a_wrong_yaml_is_one_sentence_and_changes_nothing(visit: Any, tmp_path: Path) -> None:
    page = visit()
    path = tmp_path / "wrong.yaml"
    path.write_text("lora_rnak: 8\n", encoding="utf-8")
    page.set_input_files("input[type=file]", str(path))
    page.wait_for_selector("#card .problem")
    assert "lora_rank" in page.inner_text("#card")
    assert page.input_value("#arg-lora_rank input") == "8"


def test_search_and_tuner_show_only_what_belongs(visit: Any) -> None:
    page = visit()
    page.fill("#search input", "dropout")
    page.wait_for_selector("#arg-lora_dropout input", state="visible")
    page.wait_for_selector("#arg-num_train_epochs", state="hidden")
    page.fill("#search input", "")
    page.wait_for_selector("#arg-num_train_epochs", state="visible")
    page.click("#arg-finetuning_type input")
    page.locator("#arg-finetuning_type [role=option], [role=option]").nth(1).click()
    page.wait_for_selector("#arg-pre_seq_len input", state="visible")
    page.wait_for_selector("#arg-lora_rank", state="hidden")
    page.click("#reset")
    page.wait_for_selector("#arg-lora_rank", state="visible")


def test_ctrl_enter_starts_and_a_chosen_name_is_kept(visit: Any, tmp_path: Path) -> None:
    page = visit("zh-CN")
    path = tmp_path / "short.yaml"
    path.write_text(SHORT + "output_dir: by-keyboard\n", encoding="utf-8")
    page.set_input_files("input[type=file]", str(path))
    page.wait_for_function("document.querySelector('#arg-output_dir input')?.value === 'by-keyboard'")
    page.focus("#arg-num_train_epochs input")
    page.keyboard.press("Control+Enter")
    wait_for_state(page, "finished")
    assert page.inner_text("#live-head .name") == "by-keyboard"
    page.click("#start")
    page.wait_for_selector("#arg-output_dir .problem-beside")
    page.click("#reset")


def test_the_command_is_the_one_that_runs(visit: Any) -> None:
    page = visit()
    page.fill("#arg-lora_rank input", "16")
    unfold(page, "fold-command")
    page.wait_for_function(
        "(document.querySelector('#text-command') || {textContent: ''}).textContent.includes('lora_rank=16')"
    )
    page.click("#reset")


def test_labels_explain_themselves_by_mouse_and_by_keyboard(visit: Any) -> None:
    page = visit()
    tip = page.locator("#arg-learning_rate .info-text")
    assert not tip.is_visible()
    page.hover("#arg-learning_rate [data-testid=block-info]")
    assert tip.is_visible()
    page.mouse.move(5, 5)
    page.focus("#arg-num_train_epochs input")
    page.keyboard.press("Tab")
    assert tip.is_visible()
