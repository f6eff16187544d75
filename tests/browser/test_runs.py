"""The list of runs in a real browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Studio, points, trained


def rows(page: Any) -> list[str]:
    return page.eval_on_selector_all("#runs-table tbody tr", "rows => rows.map(row => row.dataset.run)")


def test_a_run_is_found_opened_and_read(visit: Any, finished: str) -> None:
    page = visit(path="?tab=runs")
    page.wait_for_selector(f"#runs-table tr[data-run={finished}]")
    page.fill("#runs-search input", "no such thing")
    page.wait_for_selector("#runs-table .empty")
    page.fill("#runs-search input", finished)
    page.click(f"#runs-table a[data-run={finished}]")
    page.wait_for_selector("#run-summary dl")
    assert page.url.endswith(f"?tab=runs&run={finished}")
    page.get_by_role("tab", name="Curves", exact=True).click()
    page.wait_for_function("+document.querySelector('#figure-run-loss .drawing')?.dataset.points > 5")
    assert points(page, "run-loss") == 12
    page.get_by_role("tab", name="Settings", exact=True).click()
    first = page.inner_text("#run-settings tr:first-child")
    assert "changed" in first
    page.get_by_role("tab", name="Checkpoints", exact=True).click()
    assert "best" in page.inner_text("#run-checkpoints").lower()
    page.get_by_role("tab", name="Log", exact=True).click()
    page.wait_for_selector("#run-log", state="visible")
    page.get_by_role("tab", name="Files", exact=True).click()
    assert "spec.yaml" in page.inner_text("#run-files")


def test_an_address_opens_a_run_and_back_goes_back(visit: Any, finished: str) -> None:
    page = visit(path=f"?tab=runs&run={finished}")
    page.wait_for_selector("#run-summary dl")
    page.get_by_role("tab", name="Train", exact=True).click()
    page.wait_for_selector("#start", state="visible")
    page.wait_for_function("location.search.includes('tab=train')")
    page.go_back()
    page.wait_for_selector("#run-summary dl", state="visible")
    page.go_forward()
    page.wait_for_selector("#start", state="visible")


def test_rename_delete_undo(visit: Any, studio: Studio, finished: str) -> None:
    trained(studio, "to-be-renamed")
    page = visit("zh-CN", path="?tab=runs&run=to-be-renamed")
    page.wait_for_selector("#run-summary dl")
    page.fill("#run-new-name input", finished)
    page.click("#run-rename")
    page.wait_for_selector("#run-said .problem")
    page.fill("#run-new-name input", "renamed")
    page.click("#run-rename")
    page.wait_for_selector("#runs-table tr.open[data-run=renamed]")
    assert (studio.root / "saves" / "renamed").is_dir() and "to-be-renamed" not in rows(page)
    page.click("#run-remove")
    page.wait_for_selector("#undo [data-undo]")
    page.wait_for_selector("#runs-table tr[data-run=renamed]", state="detached")
    assert not (studio.root / "saves" / "renamed").exists()
    page.click("#undo [data-undo]")
    page.wait_for_selector("#runs-table tr[data-run=renamed]")
    assert (studio.root / "saves" / "renamed" / "spec.yaml").exists()


def test_duplicate_fills_the_form(visit: Any, finished: str) -> None:
    page = visit(path=f"?tab=runs&run={finished}")
    page.wait_for_selector("#run-summary dl")
    page.click("#run-duplicate")
    page.wait_for_selector("#start", state="visible")
    page.wait_for_function("document.querySelector('#card').innerText.includes('24')")
    assert page.input_value("#arg-output_dir input") == ""
    page.click("#reset")


@pytest.mark.parametrize("column", ["name", "created"])
def test_a_click_on_a_column_sorts(visit: Any, studio: Studio, finished: str, column: str) -> None:
    page = visit(path="?tab=runs")
    page.click(f"#runs-table th.c-{column} button")
    page.wait_for_function(f"document.querySelector('#runs-table th.c-{column}').ariaSort !== 'none'")
    once = rows(page)
    page.click(f"#runs-table th.c-{column} button")
    page.wait_for_function(
        "once => JSON.stringify([...document.querySelectorAll('#runs-table tbody tr')].map(r => r.dataset.run)) "
        "!== JSON.stringify(once) || once.length < 2",
        arg=once,
    )
    assert sorted(rows(page)) == sorted(once)


def test_a_broken_run_is_shown_with_what_is_wrong(visit: Any, studio: Studio) -> None:
    folder = studio.root / "saves" / "broken-run"
    folder.mkdir(exist_ok=True)
    (folder / "spec.yaml").write_text("a: [", encoding="utf-8")
    page = visit(path="?tab=runs&run=broken-run")
    page.wait_for_selector("#runs-table tr[data-run=broken-run] .problem")
    page.get_by_role("tab", name="Settings", exact=True).click()
    page.wait_for_selector("#run-settings .problem")


def test_zoom_survives_an_update_and_the_axis_turns_logarithmic(visit: Any, finished: str) -> None:
    page = visit(path=f"?tab=train&run={finished}")
    page.wait_for_function("+document.querySelector('#figure-live-loss .drawing')?.dataset.points > 5")
    drawing = "document.querySelector('#figure-live-loss .drawing')"
    page.locator("#figure-live-loss .drawing").scroll_into_view_if_needed()
    box = page.locator("#figure-live-loss .drawing").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, middle, steps=5)
    page.mouse.up()
    page.wait_for_function(f"{drawing}.layout.xaxis.range[0] > 1")
    zoomed = page.evaluate(f"{drawing}.layout.xaxis.range")
    page.click("#lang label:has(input[value=zh])")
    page.wait_for_function(f"{drawing}.layout.xaxis.title.text === '步数'")
    assert page.evaluate(f"{drawing}.layout.xaxis.range") == zoomed
    page.hover("#figure-live-loss")
    page.click("#figure-live-loss [data-tool=log]")
    page.wait_for_function(f"{drawing}.layout.yaxis.type === 'log'")
    page.click("#figure-live-loss [data-tool=whole]")
    page.wait_for_function(f"{drawing}.layout.xaxis.range[0] === 0")
