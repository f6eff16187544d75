"""A model's words as HTML: Markdown, maths and code; whatever a model writes, nothing of it runs or calls out."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.ui import maths, prose

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b onmouseover=alert(1)>b</b>",
    "<div onclick='x()'>\n\nhi\n</div>",
    "[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](data:text/html,<script>) [w](vbscript:x)",
    "[x](&#106;avascript:alert(1)) [x](java\tscript:alert(1)) [x]( javascript:alert(1))",
    "![x](javascript:alert(1)) ![x](https://example.org/seen.png) ![x](/gradio_api/x)",
    "<javascript:alert(1)> <https://example.org/\"onmouseover=alert(1)>",
    '[x](https://example.org "t\\" onclick=alert(1)")',
    "```html\"><script>alert(1)</script>\n<script>alert(2)</script>\n```",
    "$\\text{<img src=x onerror=alert(1)>}$",
    "$$\n\\href{javascript:alert(1)}{x} \\style{background:url(https://example.org)}{y} \\class{a\"b}{z}\n$$",
    "\\(\\mathrm{</math><script>alert(1)</script>}\\)",
    "|a|\n|-|\n|<svg onload=alert(1)>|",
    "[r]: javascript:alert(1)\n\n[r]",
    "<!-- --><![CDATA[<script>]]><?php x ?><style>*{display:none}</style><iframe src=//example.org>",
)
NAMES = "a br blockquote button code del div em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong"
ELEMENTS = {*NAMES.split(), "table", "tbody", "td", "th", "thead", "tr", "ul"}
ATTRIBUTES = {"class", "data-copy-code", "href", "rel", "start", "style", "tabindex", "target", "title", "type"}


class Seen(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        allowed = ATTRIBUTES if tag in ELEMENTS else maths._ATTRIBUTES if tag in maths._ELEMENTS else set()
        if tag not in ELEMENTS | maths._ELEMENTS:
            self.wrong.append(tag)
        for name, value in attrs:
            if name not in allowed or (name == "style" and not re.fullmatch(r"text-align:\w+", value or "")):
                self.wrong.append(f"{tag} {name}={value}")
            if name == "href" and not re.match(r"https?://|mailto:", value or ""):
                self.wrong.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_decl(self, decl: str) -> None:
        self.wrong.append(decl)

    handle_pi = unknown_decl = handle_comment = handle_decl


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_of_a_model_is_shown_and_never_run(text: str) -> None:
    assert Seen(prose.render(text, "en")).wrong == []


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*HOSTILE, *"<>$`|\\[](){}*_\n", "$$", "```", "\n\n", "- ", "x", '"']), max_size=14))
def test_no_mixture_of_them_runs_either(parts: list[str]) -> None:
    assert Seen(prose.render("".join(parts), "en")).wrong == []


@pytest.mark.parametrize(
    "text",
    ["[" * 5000, "**" * 4000, "> " * 3000, "`" * 9000, "$" * 4001, "\\(" * 3000, "*a " * 4000, "![" * 4000,
     "$\\frac" + "{" * 900 + "$", "| a " * 3000 + "\n" + "|---" * 3000, "a\n" * 8000, "x" * 100_000],
    ids=lambda text: text[:6].strip(),
)
def test_no_text_keeps_the_page_waiting(text: str) -> None:
    began = time.process_time()
    prose.render(text, "en")
    assert time.process_time() - began < 2


def test_markdown_is_read() -> None:
    html = prose.render("# T\n\na **b** `c<d`\nnext\n\n- one\n- two\n\n|a|b|\n|-|-|\n|1|2|\n\n~~old~~", "en")
    for part in ("<h1>T</h1>", "<strong>b</strong>", "<code>c&lt;d</code><br />", "<li>one</li>", "<td>2</td>",
                 "<s>old</s>"):
        assert part in html


def test_code_keeps_every_character_and_has_a_press_to_copy_it() -> None:
    html = prose.render("```python\nif a < b:\n\n    print('$x$')\n```", "en")
    assert Seen(html).words == "pythonCopyif a < b:\n\n    print('$x$')"
    assert "data-copy-code" in html and ">复制<" in prose.render("```\nx\n```", "zh")


@pytest.mark.parametrize("text", ["$x^2$", "\\(x^2\\)", "$$x^2$$", "\\[x^2\\]", "so $$\nx^2\n$$", "$$\nx\n\n^2\n$$"])
def test_formulas_are_drawn(text: str) -> None:
    assert "<msup>" in prose.render(text, "en")


@pytest.mark.parametrize("text", ["It costs $5 and $6.", "US$ 3, HK$ 4", "`$x$`", "a \\\\(b\\\\)"])
def test_prices_and_code_are_no_formulas(text: str) -> None:
    assert "<math" not in prose.render(text, "en")


def test_a_wrong_formula_is_shown_as_it_was_written() -> None:
    assert Seen(prose.render("so $\\frac{$ it is", "en")).words.strip() == "so \\frac{ it is"


def test_a_growing_text_changes_only_its_last_block() -> None:
    text = "First **one**.\n\n```js\nlet a = 1;\n\nlet b;\n```\n\nThen $$\na\n\nb\n$$\n\n- x\n\n- y\n\nlast"
    before: list[str] = []
    for length in range(len(text) + 1):
        now = prose.blocks(text[:length], "en")
        assert len(now) >= len(before) - 1
        assert now[: max(0, len(before) - 2)] == before[: max(0, len(before) - 2)]
        before = list(now)
    assert prose.split(text)[-1] == "last" and len(before) >= 4


def test_a_block_is_rendered_once() -> None:
    prose._block.cache_clear()
    for end in ("", " a", " a b"):
        prose.blocks(f"One.\n\nTwo.\n\nThree{end}", "en")
    assert prose._block.cache_info().misses == 5
