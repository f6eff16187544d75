"""What can be measured of the looks: one language, no sideways scrolling, dark and light, nothing that jumps."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.conftest import Studio

CJK = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
LATIN = re.compile(r"[A-Za-z]{3,}")
# Names that are the same in every language.
NAMES = re.compile(
    r"[a-z]+(?:_[a-z0-9]+)+|\d{8}-\d{6}[\w-]*|starter|short-run|broken-run|by-keyboard|there-and-back|renamed|sft|lora"
    r"|all|main|YAML|DoRA|LoRA|rsLoRA|AdamW?|Adafactor|SGD|NEFTune|CPU|alpha|beta|epsilon|dropout|P-Tuning|ChatML|Alpaca"
    r"|arithmetic|identity|bilingual|preferences|plain|spec|json|yaml",
    re.IGNORECASE,
)

_TEXT = """() => {
  const seen = element => { const box = element.getBoundingClientRect(); const style = getComputedStyle(element);
    return box.width > 0 && box.height > 0 && style.visibility !== 'hidden' && style.display !== 'none'; };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) { const parent = walk.currentNode.parentElement;
    const quiet = 'script, style, title, code, pre, svg, #lang, .log, .log-fold > .label-wrap';
    const silent = parent && parent.closest(quiet);
    if (parent && !silent && seen(parent)) found.push(walk.currentNode.textContent); }
  document.querySelectorAll('input, textarea').forEach(field => {
    if (seen(field)) found.push(field.placeholder, field.title); });
  document.querySelectorAll('.drawing text').forEach(text => found.push(text.textContent));
  return found.filter(Boolean);
}"""


def texts(page: Any, tab: str, without: str = "") -> str:
    """Everything that can be read on a tab, all groups open; what `without` selects is taken out in the same breath."""
    page.wait_for_timeout(1500)
    for fold in page.query_selector_all(f"#{tab} .label-wrap"):
        if fold.is_visible() and "open" not in (fold.get_attribute("class") or ""):
            fold.click()
    page.wait_for_timeout(500)
    if not without:
        return "\n".join(page.evaluate(_TEXT))
    taken_out = "document.querySelectorAll(names).forEach(part => part.remove())"
    return "\n".join(page.evaluate(f"names => {{ {taken_out}; return ({_TEXT})() }}", without))


@pytest.mark.parametrize("path", ["", "?tab=runs&run={run}", "?tab=train&run={run}"])
def test_the_chinese_page_speaks_no_english_and_the_english_page_no_chinese(
    visit: Any, finished: str, path: str
) -> None:
    chinese = NAMES.sub("", texts(visit("zh-CN", path=path.format(run=finished)), "tabs"))
    assert sorted(set(LATIN.findall(chinese))) == []
    english = texts(visit("en-US", path=path.format(run=finished)), "tabs")
    assert sorted(set(CJK.findall(english))) == []


def test_switching_leaves_no_word_behind(visit: Any, finished: str) -> None:
    page = visit("en-US", path=f"?tab=train&run={finished}")
    texts(page, "tabs")
    page.click("#lang label:has(input[value=zh])")
    page.wait_for_selector("#start:has-text('开始训练')")
    assert sorted(set(LATIN.findall(NAMES.sub("", texts(page, "tabs"))))) == []
    page.reload()
    page.wait_for_selector("#start:has-text('开始训练')")


@pytest.mark.parametrize("path", ["", "?tab=runs", "?tab=runs&run={run}", "?tab=train&run={run}"])
def test_nothing_scrolls_sideways(visit: Any, finished: str, path: str) -> None:
    page = visit("zh-CN", path=path.format(run=finished), width=390, height=844)
    page.wait_for_timeout(1200)
    for width in (390, 700, 1024, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_timeout(400)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_until_chosen(visit: Any, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    ground = "getComputedStyle(document.body).backgroundColor"
    colours = {"light": "rgb(250, 250, 247)", "dark": "rgb(21, 23, 26)"}
    other = "dark" if scheme == "light" else "light"
    assert page.evaluate(ground) == colours[scheme]
    page.click("[data-theme-switch]")
    page.wait_for_function(f"{ground} === '{colours[other]}'")
    page.reload()
    page.wait_for_function(f"{ground} === '{colours[other]}'")


def test_a_tick_moves_nothing(visit: Any, finished: str) -> None:
    page = visit(path=f"?tab=train&run={finished}")
    page.wait_for_function("+document.querySelector('#figure-live-loss .drawing')?.dataset.points > 5")
    boxes = """() => ['#bar', '#this-run', '#live', '#figure-live-loss', '#figure-live-norm'].map(id => {
      const box = document.querySelector(id).getBoundingClientRect();
      return [box.x, box.y, box.width, box.height].map(Math.round); })"""
    before = page.evaluate(boxes)
    page.wait_for_timeout(3500)
    assert page.evaluate(boxes) == before


def test_empty_and_full_live_panels_are_equally_high(visit: Any, studio: Studio, finished: str) -> None:
    full = visit(path=f"?tab=train&run={finished}")
    full.wait_for_function("+document.querySelector('#figure-live-loss .drawing')?.dataset.points > 5")
    empty = visit(path="?tab=train&run=not-there")
    empty.wait_for_timeout(1500)
    heights = [
        page.evaluate("document.querySelector('#live').getBoundingClientRect().height") for page in (full, empty)
    ]
    assert abs(heights[0] - heights[1]) <= 24


def test_every_control_has_a_name_and_the_order_of_tab_is_the_order_of_reading(visit: Any) -> None:
    page = visit()
    nameless = page.evaluate("""() => [...document.querySelectorAll('button, input, textarea, a[href]')].filter(e =>
      e.offsetParent && !(e.innerText || e.ariaLabel || e.title || e.placeholder
        || (e.labels && [...e.labels].some(l => l.innerText)))).map(e => e.outerHTML.slice(0, 120))""")
    assert nameless == []
    page.focus(".brand")
    places = ["#bar", ".tab-wrapper", ".what", "#this-run", "#live"]
    passed = []
    for _ in range(36):
        page.keyboard.press("Tab")
        passed.append(page.evaluate("places => places.findIndex(id => document.activeElement.closest(id))", places))
    assert passed == sorted(passed)
    assert set(passed) >= {0, 1, 2, 3}


def test_a_hidden_page_asks_for_nothing(visit: Any) -> None:
    page = visit()
    asked: list[str] = []
    page.wait_for_timeout(1500)
    page.evaluate("studio.hide(true)")
    page.wait_for_timeout(1500)
    page.on("request", lambda request: asked.append(request.url) if "queue/join" in request.url else None)
    page.wait_for_timeout(4500)
    assert asked == []
    page.evaluate("studio.hide(false)")
    page.wait_for_timeout(4500)
    assert asked


def test_an_opened_run_stands_below_the_list_on_a_small_screen(visit: Any, finished: str) -> None:
    page = visit("zh-CN", path=f"?tab=runs&run={finished}", width=390, height=844)
    page.wait_for_selector("#run-summary dt")
    above, below = page.locator("#runs-list").bounding_box(), page.locator("#opened").bounding_box()
    assert below["y"] >= above["y"] + above["height"] and below["width"] > 340


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_a_narrow_top_bar_keeps_its_buttons_on_one_line(visit: Any, locale: str) -> None:
    page = visit(locale, width=390, height=844)
    middles = [page.locator(name).bounding_box() for name in ("#brand", "#pulse", "#lang", "#theme")]
    assert max(box["y"] + box["height"] / 2 for box in middles) - min(
        box["y"] + box["height"] / 2 for box in middles) < 8
