"""The report opens anywhere and does nothing: whatever models said is shown, never run; both languages are in it."""

from __future__ import annotations

import csv
import io
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.scores import report, summary
from studio.scores.browse import Predictions
from studio.scores.predictions import Prediction, Writer
from studio.scores.report import About, dots, page, plain, prose, wording
from studio.scores.statistics import Interval
from studio.texts import sentences
from tests.scores.a_report import HOSTILE, written

RUNS = ("script", "img", "iframe", "object", "embed", "link", "base", "form", "video", "audio")
HANDLER = re.compile(r"on\w+", re.I)


class Seen(HTMLParser):
    """Every element with its attributes, as a browser would read them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((name, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def harmless(text: str) -> Seen:
    """What is seen of it; fails for anything that runs or calls."""
    seen = Seen(text)
    for name, attributes in seen.tags:
        assert name not in RUNS, name
        assert not [key for key in attributes if HANDLER.fullmatch(key) or key in ("src", "srcset", "action")]
        assert (attributes.get("href") or "https:").startswith(("http:", "https:", "mailto:"))
    return seen


# Words of models.

@pytest.mark.parametrize("words", HOSTILE)
def test_what_a_model_wrote_is_shown_and_never_run(words: str) -> None:
    seen = harmless(prose.render(words))
    assert {name for name, _ in seen.tags} <= {
        "p", "pre", "code", "a", "div", "table", "thead", "tbody", "tr", "th", "td", "math", "mrow", "mtext", "mi",
        "mo", "mtable", "mtr", "mtd", "mspace"}
    if words.startswith("<script"):
        assert "".join(seen.words).strip() == words


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from([*HOSTILE, "<", ">", "&", '"', "`", "```", "$", "$$", "\\(", "\\]", "*", "_", "[", "](",
                                 ")", "\n", "\n\n", "#", "|", "-", "> ", "a", "b c", "\u7b54"]), max_size=14))
def test_whatever_is_joined_to_whatever_stays_harmless(parts: list[str]) -> None:
    seen = harmless(prose.render("".join(parts)))
    assert not {name for name, _ in seen.tags} & {"style", "svg", "input", "span", "html", "body"}


@pytest.mark.parametrize("markup", [
    "<script>alert(1)</script>", "<svg onload=alert(1)><style>*{}</style>", '<a href="javascript:alert(1)">x</a>',
    '<math href="javascript:alert(1)" onclick="alert(1)"><mi mathvariant="bold" style="x">a', "<p onclick=alert(1)>",
    "<input name=lang>", "<iframe src=//e>", "<meta http-equiv=refresh content=0>", "<p><table><td></p></b>",
])
def test_only_known_elements_leave_the_library(markup: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prose, "_converted", lambda words: f"{markup}after")
    found = prose.render("x")
    seen = harmless(found)
    assert {name for name, _ in seen.tags} <= {"p", "table", "td", "math", "mi"}
    assert all(set(attributes) <= {"mathvariant"} for _, attributes in seen.tags)
    assert found.count("<p>") == found.count("</p>") and "after" in found


def test_a_very_long_answer_is_cut_and_the_report_says_so(tmp_path: Path) -> None:
    with Writer(tmp_path / "predictions.jsonl") as writer:
        writer.write(Prediction("base", 0, "word " * 20_000, "````\n```"))
    predictions = Predictions(tmp_path / "predictions.jsonl")
    made = summary.summarise(predictions, [])
    text = page.html(made, predictions, About("run"))
    assert len(text) < 60_000 and "the first 1200 of 100000 characters" in text
    lines = plain.markdown(made, predictions, About("run"), "en").split("\n")
    assert lines.count("`````") == 2 and len("\n".join(lines)) < 5_000


def test_markdown_and_maths_are_drawn() -> None:
    found = prose.render("So **x** is $\\frac{1}{2}$, and $$\\int_0^1 x\\,dx$$ costs $5 or $10.\n\n- one\n- two")
    assert "<strong>x</strong>" in found and "<mfrac>" in found and "<li>two</li>" in found
    assert "$5 or $10" in found and found.count("<math") == 2
    assert "a &lt; b &amp; c" in prose.render("a < b & c")
    assert "<mi>&lt;</mi>" in prose.render("$a<b$")
    assert prose.render("\\frac is $\\frac{1}$") and prose.render("") == ""


@pytest.mark.parametrize("unit", [">", "`", "$x$ ", "*_", "[", "\\(", "a_", "<", "(", "$" + "{" * 50, "![[", "\\frac",
                                  "\\["])
def test_words_made_to_be_slow_are_not(unit: str) -> None:
    began = time.process_time()
    harmless(prose.render(unit * (prose.MOST // len(unit))))
    harmless(prose.render(unit * 100_000))
    assert time.process_time() - began < 3


# The report.

@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report about hostile answers, names, settings."""
    return written(tmp_path_factory.mktemp("run") / "results")


def test_the_report_runs_nothing_and_calls_nobody(results: Path) -> None:
    text = (results / "report.html").read_text("utf-8")
    seen = harmless(text)
    policies = [attributes for name, attributes in seen.tags if name == "meta" and "content" in attributes]
    assert any("default-src 'none'" in (one["content"] or "") for one in policies)
    assert [name for name, _ in seen.tags].count("style") == 1
    assert [name for name, _ in seen.tags].count("input") == 2
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style and not re.search(r"url\(|@import|https?:", style[1])
    assert len(text) < 400_000


def test_the_report_says_everything_in_both_languages(results: Path) -> None:
    text = (results / "report.html").read_text("utf-8")
    for lang in ("en", "zh"):
        known = sentences(lang)
        for key in ("scores.title", "pairs.title", "buckets.title", "samples.title", "notes.title", "settings.title",
                    "again.title", "samples.ended"):
            assert known[f"scores.report.{key}"] in text, key
        for bucket in ("fixed", "broken", "same_right", "same_wrong"):
            assert f">{known[f'scores.bucket.{bucket}']}<" in text
    spoken = re.findall(r'<span class="(en|zh)"', text)
    assert spoken.count("en") == spoken.count("zh") > 50


def test_the_report_opens_in_the_language_that_was_asked_for(results: Path) -> None:
    predictions = Predictions(results / "predictions.jsonl")
    made = summary.load(results) or summary.summarise(predictions, ["exact_match"])
    text = page.html(made, predictions, About("run"), "zh")
    chosen = [attributes["id"] for name, attributes in Seen(text).tags if name == "input" and "checked" in attributes]
    assert chosen == ["to-zh"] and '<html lang="zh-Hans">' in text


def test_the_notes_tell_leaks_cut_answers_and_broken_metrics(results: Path) -> None:
    text = (results / "report.md").read_text("utf-8")
    assert "3 of the 120 rows stand in the training set too (2 the same, 1 nearly the same)" in text
    assert "1 of 120 answers of base were cut off at the token limit" in text
    assert re.search(r"broke on 3 answers.*\\<script\\>", text)


def test_markdown_keeps_what_models_said_in_fences(results: Path) -> None:
    for name in ("report.md", "report_zh.md"):
        text = (results / name).read_text("utf-8")
        outside, fence = [], ""
        for line in text.split("\n"):
            mark = re.match(r"`{3,}$", line)
            if mark and not fence:
                fence = line
            elif fence and line == fence:
                fence = ""
            elif not fence:
                outside.append(line)
        assert not fence
        assert not re.search(r"(?<!\\)<(?!\s)", "\n".join(outside).replace("`</pre><script>alert(1)</script>`", ""))


def test_the_table_holds_every_score_in_full(results: Path) -> None:
    text = (results / "scores.csv").read_text("utf-8")
    assert text.startswith("\ufeff")
    lines = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    assert len(lines) == 6 and lines[0]["model"] == "base" and lines[0]["how"] == "wilson"
    assert 0 < float(lines[0]["low"]) < float(lines[0]["value"]) < float(lines[0]["high"]) < 1


@pytest.mark.parametrize("name", ["=cmd()", "+1", "-1", "@x", "\t=1"])
def test_no_cell_of_the_table_is_a_formula(name: str) -> None:
    made = summary.Summary((name,), ("exact_match",), 1, 0, {name: {"exact_match": Interval(0.5, 0, 1, 2, "wilson")}})
    row = list(csv.reader(io.StringIO(plain.table(made))))[1]
    assert row[0] == f"'{name}"


# What it says.

def pair(**more: object) -> dict[str, object]:
    return {"a": "base", "b": "tuned", "metric": "exact_match", "difference": 0.61, "low": 0.52, "high": 0.68,
            "p": 1e-9, "test": "mcnemar", "n": 100, "enough": True, "needed": None, **more}


@pytest.mark.parametrize(("one", "says"), [
    (pair(), "tuned is 61 points above base (52 to 68). That is more than chance (p < 0.001)"),
    (pair(difference=-0.04, low=-0.07, high=-0.01, p=0.02),
     "tuned is 4 points below base (1 to 7). That is more than chance (p = 0.020)"),
    (pair(difference=0.0, low=-0.004, high=0.004, p=1.0), "base and tuned do equally well"),
    (pair(difference=0.05, low=-0.1, high=0.2, p=0.4, enough=False, needed=1234),
     "100 rows cannot tell base and tuned apart (p = 0.40)"),
])
def test_the_headline_says_what_the_difference_is_worth(one: dict[str, object], says: str) -> None:
    scores = {name: {"exact_match": Interval(0.5, 0.4, 0.6, 100, "wilson")} for name in ("base", "tuned")}
    made = summary.Summary(("base", "tuned"), ("exact_match",), 100, 1, scores, pairs=[one])
    found = [sentence("en") for sentence in wording.headline(made)]
    assert says in found[0].replace("\u00a0", " ")
    if one["needed"]:
        assert "about 1\u202f300 rows" in found[1]


def test_of_many_models_only_the_pairs_with_the_first_are_shown() -> None:
    names = ("base", "tuned", "c", "d", "e")
    made = summary.Summary(names, ("exact_match",), 9, 1, {}, pairs=[pair(), pair(a="c", b="d")])
    assert [one["a"] for one in wording.pairs(made)] == ["base"]
    assert len(wording.pairs(replace(made, models=names[:4]))) == 2


def test_an_adjusted_chance_is_what_counts() -> None:
    assert wording.is_told(pair(p=0.03)) and not wording.is_told(pair(p=0.03, adjusted=0.09))
    assert wording.verdict(pair(p=0.03, adjusted=0.09))("en") == "too few rows to tell"
    assert wording.verdict(pair(p=0.9))("en") == "the same, within 1 point"
    assert wording.verdict(pair(p=0.9, metric="length_ratio"))("en") == "no difference"


def test_one_model_alone_has_a_headline_too() -> None:
    scores = {"base": {"exact_match": Interval(.5, .4, .6, 9, "wilson")}}
    made = summary.Summary(("base",), ("exact_match",), 9, 1, scores)
    assert [one("en") for one in wording.headline(made)] == ["base reaches 50 % on Exact match (40 to 60)."]
    assert wording.headline(summary.Summary((), (), 0, 0, {})) == []


def test_an_axis_holds_everything_that_is_drawn_on_it() -> None:
    scores = [Interval(3.2, 2.9, 3.6, 9, "bootstrap"), Interval(None, None, None, 0, "none")]
    low, high = dots.axis(scores, False)
    assert low <= 2.9 and high >= 3.6
    assert dots.axis([], False) == (0, 1) == dots.axis(scores, True)
    assert dots.ticks((0.0, 1.0), 100) == ["0", "25", "50", "75", "100"]


def test_a_run_whose_spec_is_gone_is_called_by_its_name(tmp_path: Path) -> None:
    assert report.of_run(tmp_path).title == tmp_path.name
    (tmp_path / "spec.yaml").write_text("stage: evaluate\nstudio_version: '1'\npackages:\n  torch: '2'\n", "utf-8")
    about = report.of_run(tmp_path)
    assert about.settings == {"stage": "evaluate"} and about.versions["torch"] == "2"


def test_an_exam_is_shown_subject_by_subject(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    with Writer(path) as writer:
        for model, right in (("base", 2), ("tuned", 8)):
            for row in range(20):
                subject = "law" if row % 2 else "<b>art_history"
                writer.write(Prediction(model, row, "A" if row % 10 < right else "B", "A", subject=subject,
                                        scores={"exact_match": float(row % 10 < right)}))
    predictions = Predictions(path)
    made = summary.summarise(predictions, ["exact_match"])
    text = page.html(made, predictions, About("exam", {}, (), {}, {}, 0.0, None))
    seen = harmless(text)
    card = "".join(seen.words).split("By subject", 1)[1].split("Differences", 1)[0]
    assert card.index("<b>art history") < card.index("law") and "n = 10" in card
    assert card.count("base") == card.count("tuned") == 2 and "80" in card


def test_rows_of_no_subject_have_no_such_part(tmp_path: Path) -> None:
    folder = written(tmp_path)
    assert "By subject" not in (folder / "report.html").read_text(encoding="utf-8")
