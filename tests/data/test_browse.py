"""Browsing: pages, jumps, orders and filters over any number of rows, and a search that finds what a reader would."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from studio.data import jobs
from studio.data.browse import Browser, View
from studio.data.catalogue import Catalogue
from studio.data.search import text_of
from studio.data.versions import Versions
from studio.data.walk import walk
from studio.errors import InputError, StopAsked
from studio.workspace import Workspace

PROJECT = Path(__file__).resolve().parents[2]
MANY = 1_000_000
WORDS = ["Apple", "pear", "苹果", "Straße", "a/b", 'say "hi"', "two\nlines", "50% (off)", "É", "c:\\temp"]


def row(number: int, answer: str = "") -> dict[str, str]:
    return {"instruction": f"question {number}", "input": "", "output": answer or f"answer {number}"}


def browser_of(root: Path, rows: list, plain: bool = False, name: str = "a") -> Browser:
    workspace = Workspace(root)
    workspace.data.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(one, ensure_ascii=plain) + "\n" for one in rows)
    (workspace.data / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return Browser.of(Catalogue(workspace).entry(name), workspace)


def found(browser: Browser, *asked, **more) -> list[int]:
    return [number for some in browser.search(*asked, **more) for number in some]


def test_pages_have_the_rows_in_order_and_a_jump_finds_its_page(tmp_path: Path) -> None:
    browser = browser_of(tmp_path, [row(n) for n in range(45)])
    assert [one.place.number for one in browser.page(page=1)] == list(range(20, 40))
    assert [one.raw for one in browser.page(page=2)] == [row(n) for n in range(40, 45)]
    assert browser.page(page=3) == [] and browser.count() == 45
    assert browser.page_of(41) == 2 and browser.page_of(45) is None
    last = browser.row(44)
    assert last.sample.messages[-1].content == "answer 44" and json.loads(last.text) == row(44)


def test_a_row_says_why_training_leaves_it_out(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.data.mkdir(parents=True)
    (workspace.data / "a.jsonl").write_text(
        json.dumps(row(0)) + '\n{"instruction": \n' + json.dumps({**row(2), "output": " "}) + "\n3\n", encoding="utf-8")
    entry = Catalogue(workspace).entry("a")
    shown = Browser.of(entry, workspace).page()
    assert [one.skipped or one.sample for one in shown] == [sample for _, _, sample in walk(entry)]
    assert [one.skipped for one in shown][:3] == ["", "broken_line", "empty_answer"]


def test_files_of_a_folder_are_read_each_in_its_format(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (workspace.data / "many").mkdir(parents=True)
    turns = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    (workspace.data / "many" / "a.jsonl").write_text(json.dumps(row(0)) + "\n", encoding="utf-8")
    (workspace.data / "many" / "b.json").write_text(json.dumps([{"conversations": turns}]), encoding="utf-8")
    Catalogue(workspace).save("many", {"file_name": "many"})
    entry = Catalogue(workspace).entry("many")
    assert [one.sample for one in Browser.of(entry, workspace).page()] == [sample for _, _, sample in walk(entry)]
    with pytest.raises(InputError) as error:
        Versions(workspace).save("many", 1, Versions(workspace).draft("many").edits)
    assert error.value.code == "dataset_mixed"


def test_rows_are_ordered_by_length_and_filtered_by_number(tmp_path: Path) -> None:
    lengths = random.Random(3).sample(range(1, 200), 50)
    browser = browser_of(tmp_path, [row(n, "中" * length) for n, length in enumerate(lengths)])
    wanted = sorted(range(50), key=lambda n: (-len(text_of(row(n, "中" * lengths[n]))), n))
    assert list(browser.numbers(View(order="longest"))) == wanted
    assert [one.place.number for one in browser.page(View(order="shortest"), 0, 3)] == sorted(
        range(50), key=lambda n: (len(text_of(row(n, "中" * lengths[n]))), n))[:3]
    kept = tmp_path / "numbers.npy"
    np.save(kept, np.array([7, 3, 90, 12, -1]))
    assert list(browser.numbers(View(only=kept))) == [7, 3, 12] == list(browser.numbers(View(only=[7, 3, 12])))
    chosen = View(only=kept, order="longest")
    assert list(browser.numbers(chosen)) == [n for n in wanted if n in (3, 7, 12)] and browser.count(chosen) == 3
    assert browser.page_of(12, View(only=kept), 2) == 1 and browser.page_of(13, View(only=kept), 2) is None


def test_lengths_are_counted_once_and_anew_when_the_file_changed(tmp_path: Path, monkeypatch) -> None:
    browser = browser_of(tmp_path, [row(n) for n in range(5)])
    first = list(browser.lengths())
    monkeypatch.setattr("studio.data.search.text_of", lambda row: pytest.fail("counted again"))
    assert list(browser.lengths()) == first
    monkeypatch.undo()
    longer = browser_of(tmp_path, [row(n, "much longer than before") for n in range(5)])
    assert list(longer.lengths()) == [len(text_of(row(n, "much longer than before"))) for n in range(5)]


@pytest.mark.parametrize("plain", [True, False], ids=["escaped", "as it is"])
@pytest.mark.parametrize("any_case", [True, False])
def test_a_search_finds_the_rows_that_hold_the_words(tmp_path: Path, plain: bool, any_case: bool) -> None:
    rng = random.Random(1)
    rows = [{"instruction": rng.choice(WORDS), "output": " ".join(rng.sample(WORDS, 2))} for _ in range(60)]
    browser = browser_of(tmp_path, [{**one, "more": [{"deep": one["output"].swapcase()}]} for one in rows], plain)
    for words in [*WORDS, "APPLE", "é", "nowhere", "hi\"", "output"]:
        fold = str.lower if any_case else str
        wanted = [n for n in range(60) if fold(words) in fold(text_of(browser.row(n).raw))]
        assert found(browser, words, any_case=any_case) == wanted
    assert found(browser, "output") == [] and len(found(browser, "Apple")) > 5


def test_a_search_finds_letters_that_the_file_spells_by_their_numbers(tmp_path: Path) -> None:
    browser = browser_of(tmp_path, [])
    lines = [rb'{"a": "\u0041pple"}', rb'{"a": "a\/b"}', rb'{"a": "\u82F9\u679C"}']
    (tmp_path / "data" / "a.jsonl").write_bytes(b"\n".join(lines))
    browser = Browser.of(browser.entry, Workspace(tmp_path))
    assert (found(browser, "apple"), found(browser, "a/b"), found(browser, "苹果")) == ([0], [1], [2])
    assert found(browser, "pear") == []


def test_a_search_by_expression_finds_lines_and_refuses_what_is_none(tmp_path: Path) -> None:
    browser = browser_of(tmp_path, [row(n) for n in range(30)])
    assert found(browser, r"^question \d*7$", True) == [7, 17, 27]
    assert found(browser, "QUESTION 7", True, any_case=False) == []
    with pytest.raises(InputError) as error:
        found(browser, "(", True)
    assert error.value.code == "search_pattern"


def test_an_expression_that_would_take_for_ever_is_given_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("studio.data.search.PATIENCE_SECONDS", 0.2)
    browser = browser_of(tmp_path, [row(0, "a" * 60 + "!")])
    with pytest.raises(InputError) as error:
        found(browser, r"(?:(a|aa)+)+b", True)
    assert error.value.code == "search_slow"


def test_a_search_streams_tells_how_far_it_is_and_can_be_called_off(tmp_path: Path) -> None:
    browser = browser_of(tmp_path, [row(n, "x" * 2000) for n in range(6000)])
    told: list[tuple[int, int]] = []
    stream = browser.search("x", tell=lambda *far: told.append(far), should_stop=lambda: len(told) > 1)
    first = next(stream)
    assert 0 < len(first) < 6000 and told == [(len(first), 6000)]
    with pytest.raises(StopAsked):
        next(stream)


def test_a_search_sees_the_rows_as_the_draft_has_them(tmp_path: Path) -> None:
    browser = browser_of(tmp_path, [row(n) for n in range(9)])
    browser.draft = Versions(Workspace(tmp_path)).draft("a")
    browser.draft.edit(3, row(3, "pear"))
    added = browser.draft.add(row(100, "pear"))
    assert found(browser, "pear") == [3, added] and found(browser, "answer 3") == []


def test_a_page_of_a_file_that_changed_says_so(tmp_path: Path) -> None:
    browser = browser_of(tmp_path, [row(n) for n in range(9)])
    with open(tmp_path / "data" / "a.jsonl", "a", encoding="utf-8") as file:
        file.write("{}\n")
    with pytest.raises(InputError) as error:
        browser.page()
    assert error.value.code == "dataset_changed"


def test_formats_of_tables_and_other_encodings_are_searched_too(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.data.mkdir(parents=True)
    (workspace.data / "t.csv").write_bytes('问题,回答\n"一共几个,多少？",三个\n多少人？,两个\n'.encode("gb18030"))
    (workspace.data / "w.jsonl").write_bytes(json.dumps(row(0, "苹果"), ensure_ascii=False).encode("utf-16"))
    for name, words, wanted in (("t", "多少", [0, 1]), ("t", "几个,多少", [0]), ("w", "苹果", [0]), ("w", "梨", [])):
        assert found(Browser.of(Catalogue(workspace).entry(name), workspace), words) == wanted


BROWSED = """
import json, resource, sys, time
from pathlib import Path
from studio.data import jobs
from studio.data.browse import Browser, View
from studio.data.catalogue import Catalogue
from studio.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
browser = Browser.of(Catalogue(workspace).entry("many"), workspace)
start = time.process_time()
page = [one.raw["instruction"] for one in Browser.of(browser.entry, workspace).page(page=45_000)]
seconds = time.process_time() - start
hits = [number for some in browser.search("question 99999") for number in some]
longest = [one.place.number for one in browser.page(View(order="longest"), size=3)]
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
print(json.dumps({"page": page, "seconds": seconds, "hits": hits, "longest": longest, "grown": grown}))
"""


@pytest.mark.slow
def test_a_million_rows_are_browsed_searched_and_ordered_in_little_memory(tmp_path: Path) -> None:
    assert sys.platform != "linux" or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 1000  # kilobytes there
    (tmp_path / "data").mkdir()
    with open(tmp_path / "data" / "many.jsonl", "w", encoding="utf-8") as file:
        for number in range(MANY):
            words = "word " * (number % 40 + 50 * (number == 777_777))
            file.write(f'{{"instruction": "question {number}", "input": "", "output": "{words}"}}\n')
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", BROWSED, str(tmp_path)], cwd=PROJECT, capture_output=True, text=True,
                          check=True)
    said = json.loads(done.stdout)
    assert said["page"] == [f"question {n}" for n in range(900_000, 900_020)]
    assert said["seconds"] < 0.2
    assert said["hits"] == [99_999, *range(999_990, MANY)] and said["longest"][0] == 777_777
    assert said["grown"] < 150  # megabytes; the file has 150 of them
    assert time.monotonic() - start < 120


@pytest.mark.slow
def test_a_large_set_is_searched_by_a_job_whose_rows_can_be_shown(tmp_path: Path) -> None:
    browser = browser_of(tmp_path, [row(n) for n in range(30)])
    look = jobs.start(Workspace(tmp_path), "search", {"name": "a", "words": "question 2"}).wait(60)
    assert look.state == "finished" and look.result["count"] == 11
    assert [one.place.number for one in browser.page(View(only=Path(look.result["rows"])))] == [2, *range(20, 30)]
