"""The doctor finds what was planted and nothing else; clean rows raise no alarm; fixes take problems away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.data.catalogue import Entry
from studio.data.chat import ChatTokenizer
from studio.data.doctor import examination, examine, fix, last, report_folder
from studio.data.doctor.report import Report, is_of, read
from studio.data.index import RowIndex
from studio.data.prepare import prepare
from studio.data.tokenizer_files import TokenizerFiles
from studio.data.versions import Versions
from studio.errors import InputError, StopAsked
from studio.plugins import kinds, plugin
from studio.specs.train import check
from studio.texts import has
from studio.workspace import PROJECT, Workspace

STARTER = PROJECT / "data" / "starter"
CLEAN = json.loads((PROJECT / "data" / "arithmetic.json").read_text(encoding="utf-8"))[:300]
PLACES = (7, 120, 251)  # where defects are planted
IN_NEED = {"tokens": "truncated", "others": "overlap"}


def luhn(stem: str) -> str:
    """A card number with its check digit, written down from the standard's own example."""
    total = sum(d if place % 2 else (2 * d if 2 * d < 10 else 2 * d - 9)
                for place, d in enumerate(int(sign) for sign in reversed(stem)))
    return stem + str(-total % 10)


def row(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return {"instruction": question, "input": "", "output": answer, **more}


def chat(*turns: str) -> dict[str, Any]:
    return {"conversations": [{"from": ("human", "gpt")[place % 2], "value": words}
                              for place, words in enumerate(turns)]}


LETTERS = "Ab3dE6gH9jK2mN5pQ8sT1vW4xY7z"
STORY = ("The river rose all night and by the morning it had reached the lower gardens. Nobody slept. The old man "
         "carried his books upstairs, one box after the other")
PLANTED: dict[str, list[dict[str, Any]]] = {
    "secret": [row("Which key is set?", f"It is sk-proj-{LETTERS} in the file."),
               row("Show me the config.", "aws_key: AKIA" + "J5Q2X7LM3N8PRT4W" + " and nothing more."),
               row("Print it.", "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEA7xq")],
    "personal": [row("他的电话是多少？", "他的手机号是 13871926405，请直接联系。"),
                 row("请读出证件。", "身份证号码为 11010519491231002X。"),
                 row("Where can I pay?", f"Use card {luhn('622202170384915')} or write to li.hua@qq.com today.")],
    "hollow_answer": [row("Sort these numbers.", "N/A"), row("Name the river.", "<No output>"),
                      row("写一首诗。", "略。")],
    "placeholder": [row("你是谁？", "我是 <NAME>，由 <AUTHOR> 开发。"), row("Who are you?", "I am {{name}}, hello."),
                    row("Write a short note.", "Dear all, I will be late. [Your Name]")],
    "mojibake": [row("Who acted in it?", "FranÃ§oise and her fiancÃ© did."),
                 row("怎么打招呼？", "天气晴朗".encode().decode("gb18030")),
                 row("介绍一下。", "这是一个���例子。")],
    "invisible": [row("Say hello.", "Hello\u200b there."), row("Say more.", "More\x00 words."),
                  row("Say less.", "\ufeffLess.")],
    "cut_off": [row("Write a function.", "Here it is:\n```python\ndef f():\n    return 1"),
                row("Tell a story.", STORY), row("列出步骤。", "步骤如下：\n1. 准备材料\n2. 开火\n3.")],
    "language_mix": [row("请介绍一下长江的流域", "The Yangtze is the longest river in Asia and flows to the sea."),
                     row("Please describe the longest river of Asia, please.", "长江是亚洲最长的河流，全长六千里。"),
                     row("请用一句话介绍长江这条河流吧", "长江是亚洲最长的河，очень длинная。")],
    "white_space": [row("Say a word.", " Moon."), row("Say a colour.", "Blue.\n\n"), row("Say a tree.", "\n\nOak. ")],
    "unanswered": [chat("Hello there?", "Good day.", "And what is next?"), chat("你好", "您好。", "然后呢？"),
                   chat("Is it late?", "It is.", "Too late?", "No.", "And now?")],
    "equal_pair": [{"instruction": q, "input": "", "chosen": a, "rejected": a} for q, a in
                   (("Red or blue?", "Blue."), ("你好吗？", "我很好。"), ("Up or down?", "Up it is."))],
    "extreme_length": [row(f"Tell me all about {name}.", f"{name} is large. " * 900 + "So it is.")
                       for name in ("Rome", "Lima", "Oslo")],
}
PAIRS = [{"instruction": f"{one['instruction']}", "input": "", "chosen": one["output"], "rejected": f"{one['output']}0"}
         for one in CLEAN]
TALKS = [chat(one["instruction"], one["output"]) for one in CLEAN]


def base(code: str) -> list[dict[str, Any]]:
    """Clean rows of the shape that the defect needs."""
    return {"equal_pair": PAIRS, "unanswered": TALKS}.get(code, CLEAN)


def planted(rows: list[dict[str, Any]], defects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = list(rows)
    for place, defect in zip(PLACES, defects, strict=True):
        made[place] = defect
    return made


def written(folder: Path, rows: list[Any], name: str = "rows") -> Entry:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), encoding="utf-8")
    return Entry(name, path)


def counts(report: Report) -> dict[str, int]:
    return {one.code: one.count for one in report.problems}


@pytest.mark.parametrize("rows", [CLEAN, PAIRS, TALKS], ids=["questions", "pairs", "talks"])
def test_clean_rows_raise_no_alarm(tmp_path, rows):
    report = examine(written(tmp_path, rows), chat=ChatTokenizer.load(STARTER), cutoff_len=512,
                     against=[written(tmp_path, [row("Nobody asks this.", "Nobody.")], "other")])
    assert (counts(report), report.rows, report.usable, report.left_out) == ({}, 300, 300, ())


@pytest.mark.parametrize("code", PLANTED)
def test_a_planted_defect_is_found_where_it_is_and_nothing_else_is(tmp_path, code):
    report = examine(written(tmp_path, planted(base(code), PLANTED[code])), folder=tmp_path / "report")
    assert counts(report) == {code: 3}
    problem = report.problems[0]
    assert [one.number for one in problem.examples] == list(problem.numbers) == list(PLACES)
    assert [(one.file, one.line) for one in problem.examples] == [("rows.jsonl", place + 1) for place in PLACES]


@pytest.mark.parametrize("code", PLANTED)
def test_a_fix_takes_its_problem_away_and_leaves_the_rest_as_it_was(tmp_path, code):
    entry, folder = written(tmp_path, planted(base(code), PLANTED[code])), tmp_path / "report"
    report = examine(entry, folder=folder)
    if not report.problems[0].fixable:
        with pytest.raises(InputError) as refusal:
            fix(entry, report, [code], tmp_path)
        assert refusal.value.code == "doctor_no_fix"
        return
    edits, index = fix(entry, report, [code], tmp_path), RowIndex.of(entry, tmp_path)
    rows = [edits.changed[place] if place in edits.changed else index.row(place)[1]
            for place in range(300) if place not in edits.deleted]
    left = counts(examine(written(tmp_path, rows, "mended")))
    assert left == ({"mojibake": 1} if code == "mojibake" else {})  # a lost character stays lost
    assert all(place in PLACES for place in [*edits.changed, *edits.deleted])


def test_same_rows_are_counted_after_the_first_of_them(tmp_path):
    rows = planted(CLEAN, [CLEAN[0], {**CLEAN[0], "output": f"{CLEAN[0]['output']} "}, CLEAN[50]])
    problem = examine(written(tmp_path, rows), codes=["duplicate"]).problems[0]
    assert [one.number for one in problem.examples] == list(PLACES)
    assert [problem.why("en", one) for one in problem.examples] == \
        ["says the same as rows.jsonl:1", "says the same as rows.jsonl:1", "says the same as rows.jsonl:51"]


def test_nearly_the_same_rows_are_found_and_sums_in_one_sentence_are_not(tmp_path):
    question = "Explain in two sentences why the leaves of most trees turn red and yellow before they fall."
    answer = "The green pigment is taken back into the tree. What stays behind is yellow and red, and now it shows."
    rows = planted(CLEAN, [row(question, answer), row(question.replace("most trees", "many trees"), answer),
                           row(question, answer.replace("and now it shows", "so now it shows"))])
    sums = [row(f"Anna has {a} apples in her green basket and gives all of them to her neighbour. Whose are they?",
                f"All of the {a} apples are the neighbour's now, and the green basket is empty.") for a in range(50)]
    report = examine(written(tmp_path, rows + sums), codes=["duplicate", "near_duplicate"])
    assert [one.number for one in report.problems[0].examples] == [120, 251]
    assert counts(report) == {"near_duplicate": 2}


def test_one_answer_to_several_questions_is_no_near_duplicate(tmp_path):
    answer = "I am a small model of about one million parameters, trained on this machine to answer questions."
    rows = [row(question, answer) for question in ("Who are you?", "What can you tell me about yourself?", "你是谁？")]
    assert counts(examine(written(tmp_path, rows), codes=["near_duplicate", "duplicate"])) == {}


def test_identical_questions_with_different_answers_are_found(tmp_path):
    rows = planted(CLEAN, [row("Which way?", "Left."), row("which  way?", "Right."), row("Which way?", "LEFT.")])
    problem = examine(written(tmp_path, rows)).problem("conflict")
    assert [one.number for one in problem.examples] == [120]


def test_rows_of_the_test_set_are_found_by_their_question(tmp_path):
    other = written(tmp_path, [row("What  is the CAPITAL of France?", "Paris, said otherwise."), CLEAN[9]], "exam")
    rows = planted(CLEAN[:9] + CLEAN[10:] + CLEAN[9:10], [row("What is the capital of France?", "Paris.")] * 3)
    report = examine(written(tmp_path, rows), against=[other])
    assert [one.number for one in report.problem("overlap").examples] == [*PLACES, 299]
    assert report.problem("overlap").why("en", report.problem("overlap").examples[0]) == "asks what exam asks"


def test_a_test_question_in_slightly_other_words_is_found_and_one_with_other_numbers_is_not(tmp_path):
    asked = "A train leaves at 9 and travels 80 kilometres every hour. How far away is it when the clock strikes 12?"
    other = written(tmp_path, [row("Nobody asks this of anyone here.", "No."), row(asked, "240 kilometres.")], "exam")
    near = [row(asked.replace("every hour", "each hour"), "It is 240."), row(asked.replace("80", "90"), "It is 270.")]
    report = examine(written(tmp_path, planted(CLEAN, [*near, row("How far is it?", "Far.")])), against=[other])
    assert [one.number for one in report.problem("overlap").examples] == [PLACES[0]]


def test_rows_of_megabytes_are_looked_at_in_small_chunks(tmp_path, monkeypatch):
    sizes, take = [], examination._Examination._take
    monkeypatch.setattr(examination._Examination, "_take",
                        lambda self, chunk: (sizes.append(len(chunk)), take(self, chunk))[1])
    blank = row("Blank?", "a" + "\n" * 100_000 + "b.")
    rows = [row(f"Long {place}?", f"word{place} " * 200_000) for place in range(12)]
    report = examine(written(tmp_path, [*rows, blank]))
    assert report.rows == 13 and max(sizes) <= 4


def test_half_a_letter_does_not_spoil_the_report(tmp_path):
    path = tmp_path / "half.jsonl"
    path.write_text('{"question": "What?", "answer": " half \\ud83d of it"}\n', encoding="utf-8")
    report = examine(Entry("half", path), folder=tmp_path / "report")
    assert report.rows == 1 and read(tmp_path / "report") == report


def test_what_needs_tokens_is_said_with_how_much_is_too_long(tmp_path):
    tokenizer = ChatTokenizer.load(STARTER)
    longer = row("Count.", " ".join(map(str, range(400))))
    hopeless = row(" ".join(map(str, range(400))), "Done.")
    report = examine(written(tmp_path, planted(CLEAN, [longer, hopeless, longer])), chat=tokenizer, cutoff_len=300)
    assert counts(report) | {"duplicate": 1, "extreme_length": 0} == \
        {"truncated": 3, "untrained": 1, "duplicate": 1, "extreme_length": 0}
    example = report.problem("truncated").examples[0]
    length = len(tokenizer.encode_text(tokenizer.render([{"role": "user", "content": "Count."},
                                                         {"role": "assistant", "content": longer["output"]}]).rstrip()))
    assert example.values == {"over": length - 300, "length": length}
    assert [one.number for one in report.problem("untrained").examples] == [120]


def test_what_is_usable_and_what_is_cut_is_what_training_counts(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.data.mkdir()
    text = " ".join(map(str, range(400)))
    defects = [row("Count.", text), row(text, "Done."), row("No.", " ")]
    rows = [*planted(CLEAN, defects), row("Count on.", f"{text} {text}")]
    entry = written(workspace.data, rows)
    spec = check({"dataset": ["rows"], "cutoff_len": 300, "val_size": 0.1, "finetuning_type": "lora"})
    trained = prepare(spec, workspace, STARTER, write_cache=False).counts
    report = examine(entry, chat=ChatTokenizer.load(STARTER), cutoff_len=300)
    found = counts(report)
    assert (report.rows, report.usable) == (trained.read, trained.used) == (301, 299)
    assert found["truncated"] - found["untrained"] == trained.cut == 2
    assert {"empty_answer": found["empty_answer"], "prompt_too_long": found["untrained"]} == trained.skipped


def test_without_a_tokenizer_or_another_set_it_says_what_was_left_out(tmp_path):
    report = examine(written(tmp_path, CLEAN))
    assert set(report.left_out) == {"overlap", "truncated", "untrained", "missing_end"}


def test_a_template_that_writes_no_end_between_turns_is_told(tmp_path):
    source = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    tokenizer = ChatTokenizer(TokenizerFiles.of(STARTER), source, None, None)
    rows = planted(TALKS, [chat("One?", "Yes.", f"Two {place}?", "No.") for place in PLACES])
    report = examine(written(tmp_path, rows), chat=tokenizer, codes=["missing_end"])
    assert [one.number for one in report.problems[0].examples] == list(PLACES)
    assert report.problems[0].examples[0].values == {"turn": 1}


def test_skipped_rows_are_problems_by_their_reason(tmp_path):
    rows = planted(CLEAN, [row("Empty?", "  "), row("", "No question."), 7])
    report = examine(written(tmp_path, rows), folder=tmp_path / "report")
    assert counts(report) == {"empty_answer": 1, "no_question": 1, "not_an_object": 1}
    assert (report.rows, report.usable) == (300, 297)
    assert all(one.fixable and one.severity == "error" and one.why("zh", one.examples[0]) for one in report.problems)


def test_a_broken_array_ends_the_examination_with_its_line_and_what_stood_before_it_counts(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text("[\n" + ",\n".join(map(json.dumps, CLEAN[:40])) + ",\n{oops\n]", encoding="utf-8")
    report = examine(Entry("broken", path))
    assert report.rows == 40 and report.usable == 40
    problem = report.problem("dataset_broken")
    assert problem.examples[0].line == 42 and problem.why("en", problem.examples[0])


def test_progress_is_told_and_a_stop_leaves_nothing_behind(tmp_path):
    entry, told = written(tmp_path, CLEAN * 20), []
    examine(entry, tell=lambda done, total: told.append((done, total)))
    assert told[-1] == (6000, 6000) and len(told) > 5 and all(done <= total for done, total in told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    with pytest.raises(StopAsked):
        examine(entry, folder=tmp_path / "reports" / "one", should_stop=lambda: True)
    assert not (tmp_path / "reports").exists()


@pytest.mark.slow
def test_memory_does_not_follow_the_size_of_the_set(tmp_path):
    """A gigabyte for 250,000 rows would be 4 kB a row; what is kept of one is about 1 kB, the largest array twice."""
    program = """
import sys
from pathlib import Path
from studio.data.catalogue import Entry
from studio.data.doctor import examine
assert examine(Entry("rows", Path(sys.argv[1]))).rows == int(sys.argv[2])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
    peaks = []
    for count in (4_000, 44_000):
        rows = [row(f"Question {place} about {place * 7919 % 104_729} things in a row?", f"{place} of them. " * 12)
                for place in range(count)]
        done = subprocess.run([sys.executable, "-c", program, str(written(tmp_path, rows).path), str(count)],
                              cwd=PROJECT, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert (peaks[1] - peaks[0]) / 40_000 < 2  # kB a row


def test_a_report_is_kept_and_belongs_to_the_files_it_was_made_from(tmp_path):
    workspace, entry = Workspace(tmp_path), written(tmp_path, planted(CLEAN, PLANTED["secret"]))
    folder = report_folder(workspace, entry, cutoff_len=8)
    report = examine(entry, folder=folder)
    assert read(folder) == last(workspace, entry) == report
    assert np.load(folder / "secret.npy").dtype == np.int64
    written(tmp_path, CLEAN)
    assert last(workspace, entry) is None and not is_of(folder, entry)


def test_fixes_are_done_together_and_a_row_that_goes_is_not_mended(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.data.mkdir()
    twice = row("Say a word.", " Moon.")
    entry = written(workspace.data, planted(CLEAN, [twice, twice, row("Say a tree.", "Oak. ")]))
    report = examine(entry, folder=report_folder(workspace, entry))
    assert counts(report) == {"duplicate": 1, "white_space": 3}
    edits = fix(entry, report, ["duplicate", "white_space"], workspace.cache)
    version = Versions(workspace).save("rows", 1, edits, "mended")
    assert (version.rows, version.edited, version.deleted) == (299, 2, 1)
    assert counts(examine(Versions(workspace).entry("rows", 2))) == {}


@pytest.mark.parametrize("code", kinds("checks"))
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_check_has_its_words(code, lang):
    check = plugin("checks", code)
    parts = ["title", "matters", "row", *(["fix"] if check.FIX else [])]
    assert all(has(lang, f"data.doctor.checks.{code}.{part}") for part in parts)
    assert has(lang, f"data.doctor.checks.{code}.fix") == bool(check.FIX)
    assert check.FIX in ("", "drop", "mend") and check.SEVERITY in ("error", "warning", "note")
    assert hasattr(check, "see") != hasattr(check, "whole") and hasattr(check, "mend") == (check.FIX == "mend")
