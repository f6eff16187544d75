"""What can be measured of the Data tab's looks: one language, no sideways scrolling, names on everything."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.test_looks import CJK, LATIN, NAMES, texts

PLACES = ("&part=bring", "&part=make", "&part=templates", "&set=preferences&part=rows", "&set=bilingual&part=doctor",
          "&set=arithmetic&part=seen", "&set=arithmetic&part=lengths", "&set=arithmetic&part=versions")
# What has the same name in every language: kinds of files, hubs, formats and templates, and rows of data.
SAME = re.compile(
    r"jsonl?|csv|tsv|xlsx|parquet|arrow|txt|md|gz|xz|zst|zip|Hugging Face|ModelScope|my_file|organisation/name|Jinja"
    r"|cutoff_len|ChatGLM|instruct|tmp|pytest|data|root|studio|GB|KB|heldout",
    re.IGNORECASE,
)


# Where rows, names and texts of people stand.
DATA = (".talk, .tokens, .raw, .template-list, .shelf .name, h2, option, .drop small, .template-shown h3, .columns, "
        ".downloads a, .downloads small, .line, .ticks")


def words(page: Any) -> str:
    """What the tab says, without the rows, names and texts that are data."""
    page.wait_for_selector("#data-body .inside > *", state="attached")
    return texts(page, "data", without=DATA)


@pytest.mark.parametrize("place", PLACES)
def test_the_tab_speaks_one_language(visit: Any, place: str) -> None:
    chinese = SAME.sub("", NAMES.sub("", words(visit("zh-CN", path=f"?tab=data{place}"))))
    assert sorted(set(LATIN.findall(chinese))) == []
    assert sorted(set(CJK.findall(words(visit("en-US", path=f"?tab=data{place}"))))) == []


def test_switching_the_language_redraws_the_tab_where_it_stands(visit: Any) -> None:
    page = visit("en-US", path="?tab=data&set=arithmetic&part=rows")
    page.wait_for_selector(".rows .row")
    page.click("[data-do=turn][title='Next page'] >> nth=0")
    page.wait_for_selector("[data-key=row-10]")
    page.click("#lang label:has(input[value=zh])")
    page.wait_for_selector(".set-head :text('体检')")
    assert page.locator("[data-key=row-10]").count() == 1


@pytest.mark.parametrize("place", PLACES)
def test_nothing_scrolls_sideways(visit: Any, place: str) -> None:
    page = visit("zh-CN", path=f"?tab=data{place}", width=390, height=844)
    page.wait_for_timeout(1200)
    for width in (390, 700, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_timeout(250)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width


@pytest.mark.parametrize("place", PLACES)
def test_every_control_has_a_name(visit: Any, place: str) -> None:
    page = visit(path=f"?tab=data{place}")
    page.wait_for_timeout(1000)
    nameless = page.evaluate("""() => [...document.querySelectorAll(
      '#data button, #data input, #data textarea, #data select, #data a[href]')].filter(e => e.offsetParent &&
      !(e.innerText || e.ariaLabel || e.title || e.placeholder || (e.labels && [...e.labels].some(l => l.innerText))))
      .map(e => e.outerHTML.slice(0, 120))""")
    assert nameless == []
