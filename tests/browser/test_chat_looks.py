"""What can be measured of the Chat tab's looks: one language, no sideways scrolling, names on everything."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.browser.conftest import Studio
from tests.browser.test_looks import CJK, LATIN, NAMES, texts

CHAT = "20260101-120000-abcdef"
# Where one can stand, in an order in which each can be reached from the one before, and what is seen there.
PLACES = {"": ".empty-talk", f"chat={CHAT}": ".turn-of", "part=votes": ".results", "part=prompts": ".of-prompts"}
# What has the same name in every language: forms of files, the protocol's words, numbers' types.
SAME = re.compile(
    r"Enter|Shift|Markdown|JSON|ShareGPT|CSV|txt|jsonl|OpenAI|MB|GB|KB|DPO|name|description|parameters|float32"
    r"|Studio|Top|Min", re.IGNORECASE)
# Where people, models and lanes speak.
DATA = (".asked, .words, .shelf .name, .shelf small, h2, option, .lane-name, .compared, .lane-line, .call, "
        ".results td, .about.problem, .lane, .chip, .proof dd, .saving")


@pytest.fixture(autouse=True, scope="module")
def conversation(studio: Studio) -> None:
    """A conversation with everything in it: two lanes, a variant, a branch, thinking, a tool, a failure, a vote."""
    proof = {"tokens": 4, "seconds": 0.5, "base_hash": "303c128a4151", "adapter_hash": "1e7f5f4a84b1", "step": 24,
             "dtype": "float32", "template": "own", "seed": 42, "chosen": "best", "changed_on_disk": True}
    token = ["42", 7, -0.2, [["42", 7, -0.2], ["43", 8, -2.0]]]
    table = "\n".join(["Words $x^2$ and `code`:", "", "```python", "x = 1  # " + "long " * 40, "```", "",
                       "| a | b |", "|---|---|", "| " + "wide " * 30 + "| 2 |"])
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    events: list[dict[str, Any]] = [
        {"do": "begin", "id": CHAT, "title": "", "at": 1.0},
        {"do": "settings", "values": {"lanes": ["starter", "not-there-" + "long-" * 12]}},
        {"do": "ask", "id": "m1", "parent": None, "content": "12 + 30 = ?", "slots": {"A": "starter", "B": "other"}},
        {"do": "answer", "id": "a1", "message": "m1", "slot": "A", "lane": "starter", "content": table,
         "thinking": "12", "tokens": [token]},
        {"do": "end", "answer": "a1", "state": "done", "proof": proof, "finish": "length"},
        {"do": "answer", "id": "a2", "message": "m1", "slot": "B", "lane": "other", "content": "41"},
        {"do": "end", "answer": "a2", "state": "stopped", "proof": proof},
        {"do": "answer", "id": "a3", "message": "m1", "slot": "B", "lane": "other", "content": "w" * 300},
        {"do": "end", "answer": "a3", "state": "done", "proof": proof, "tool_calls": [call]},
        {"do": "correct", "answer": "a3", "text": "42"},
        {"do": "ask", "id": "m2", "parent": "m1", "content": "and?", "blind": 3,
         "slots": {"A": "starter", "B": "other"}},
        {"do": "answer", "id": "a4", "message": "m2", "slot": "A", "lane": "starter", "content": "yes"},
        {"do": "end", "answer": "a4", "state": "done", "proof": proof},
        {"do": "answer", "id": "a5", "message": "m2", "slot": "B", "lane": "other", "content": ""},
        {"do": "end", "answer": "a5", "state": "failed", "code": "engine_gone"},
        {"do": "vote", "message": "m2", "choice": "tie", "answers": {"A": "a4", "B": "a5"}, "at": 2.0},
    ]
    folder = studio.root / "data" / "chats"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{CHAT}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events), encoding="utf-8")


def stand(page: Any, place: str) -> None:
    """Go to a place of the tab and unfold everything there."""
    asked = {"tab": "chat", "part": "talk", **dict(part.split("=") for part in place.split("&") if part)}
    page.evaluate(f"studio.go({json.dumps(asked)})")
    page.wait_for_selector(f"#chat {PLACES[place]}")
    page.wait_for_function("() => studio.idle()")
    page.evaluate("document.querySelectorAll('#chat details').forEach(one => { one.open = true; })")


@pytest.mark.parametrize(("locale", "foreign"), [("zh-CN", LATIN), ("en-US", CJK)])
def test_the_tab_speaks_one_language(visit: Any, locale: str, foreign: re.Pattern[str]) -> None:
    page = visit(locale, path="?tab=chat")
    for place in PLACES:
        stand(page, place)
        said = SAME.sub("", NAMES.sub("", texts(page, "chat", without=DATA)))
        assert sorted(set(foreign.findall(said))) == [], place


def test_nothing_scrolls_sideways_and_every_control_has_a_name(visit: Any) -> None:
    page = visit("zh-CN", path="?tab=chat", width=390, height=844)
    for place in PLACES:
        stand(page, place)
        for width in (700, 1024, 1440, 390):
            page.set_viewport_size({"width": width, "height": 844})
            page.wait_for_timeout(200)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (place, width)
        nameless = page.evaluate("""() => [...document.querySelectorAll(
          '#chat button, #chat input, #chat textarea, #chat select, #chat a[href]')].filter(e => e.offsetParent &&
          !(e.innerText || e.ariaLabel || e.title || e.placeholder
            || (e.labels && [...e.labels].some(l => l.innerText))))
          .map(e => e.outerHTML.slice(0, 120))""")
        assert nameless == [], place


def test_the_box_to_write_in_stays_in_sight(visit: Any) -> None:
    page = visit(path=f"?tab=chat&chat={CHAT}", width=1280, height=700)
    page.wait_for_selector("#chat .turn-of")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 700})
        for end in (0, 10_000):
            page.evaluate(f"window.scrollTo(0, {end})")
            page.wait_for_timeout(200)
            box = page.locator("#chat .composer textarea[name=text]").bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= 700, (width, end)


def test_switching_the_language_redraws_the_tab_where_it_stands(visit: Any) -> None:
    page = visit("en-US", path=f"?tab=chat&chat={CHAT}")
    page.wait_for_selector("#chat .turn-of")
    page.fill("#chat .composer textarea[name=text]", "half a thought")
    page.click("#lang label:has(input[value=zh])")
    page.wait_for_selector("#chat .composer :text('发送')")
    assert page.locator("#chat .turn-of").count() == 2
    assert page.input_value("#chat .composer textarea[name=text]") == "half a thought"
