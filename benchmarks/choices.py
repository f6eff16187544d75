"""CPU-seconds of 500 questions with four options, beside the lm-evaluation-harness: `choices.py [contestant …]`.

An exam of ten subjects with five solved examples in front of each question, weighed by letter with 4.8 million random
weights in float32 (STUDIO_BENCH_SIZE=small: 60 million). The harness's own `hf` model gets the very prompts, spelled
out in a task of its own. `-net` is without what a start costs (a run of ten questions).
"""

from __future__ import annotations

import csv
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from materials import model
from measure import PROJECT, PYTHON, Skipped, contest, cpu_seconds, environment

ROWS, FEW, SUBJECTS, SHOTS = int(os.environ.get("STUDIO_BENCH_ROWS", "500")), 10, 10, 5
SIZE = os.environ.get("STUDIO_BENCH_SIZE", "tiny")
HARNESS = os.environ.get("LM_EVAL_PYTHON", "")
_TASK = """task: bench
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_choice: ["A", "B", "C", "D"]
doc_to_target: right
target_delimiter: ""
metric_list: [{{metric: acc}}]
"""


def _exam(folder: Path) -> Path:
    """The exam as csv files; questions of words of the samples, log-normal in length."""
    chance = random.Random(0)
    words = (PROJECT / "data" / "plain.txt").read_text(encoding="utf-8").split()

    def text(median: float) -> str:
        return " ".join(chance.choices(words, k=max(2, min(120, round(chance.lognormvariate(0, 0.6) * median)))))

    for part, count in (("dev", SHOTS), ("test", ROWS // SUBJECTS)):
        (folder / part).mkdir(parents=True)
        for subject in range(SUBJECTS):
            with open(folder / part / f"s{subject}_{part}.csv", "w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([text(18), *(text(4) for _ in "ABCD"), chance.choice("ABCD")]
                                           for _ in range(count))
    return folder


def _prompts(exam: Path, base: Path, count: int) -> Iterator[dict[str, object]]:
    """The first questions of each subject as the studio spells them."""
    from studio.data import templates
    from studio.data.chat import ChatTokenizer
    from studio.engine.server.speech import Spoken, Talk
    from studio.scores.exams import Exam, evenly
    from studio.workspace import Workspace

    found = Exam.of(exam)
    assert found is not None
    spoken = Spoken(ChatTokenizer.load(base, templates.OWN, None, Workspace(PROJECT)), templates.OWN)
    for item in evenly(found.items("test"), count):
        shots = [message for one in found.shots(item.subject, SHOTS) for message in one.sample.messages]
        text = spoken.prompt(Talk((*shots, item.sample.messages[0]))).text
        yield {"prompt": text, "right": "ABCD".index(item.letter)}


def studio(count: int) -> float:
    """`evaluate` with everything that it does besides: intervals by subject, the report."""
    base = model(SIZE)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        exam = _exam(root / "exam")
        return cpu_seconds([PYTHON, "-m", "studio.cli", "evaluate", "--models", base, f"dataset={exam}", "task=choices",
                            f"n_shot={SHOTS}", f"max_samples={count}", "compute_type=fp32", "cpu_threads=1",
                            "--root", root])


def harness(count: int, batch: int) -> float:
    """The harness's own model in float32, from its command to its table."""
    if not HARNESS:
        raise Skipped("LM_EVAL_PYTHON is not set")
    base = model(SIZE)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        lines = [json.dumps(one, ensure_ascii=False) for one in _prompts(_exam(root / "exam"), base, count)]
        (root / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
        (root / "bench.yaml").write_text(_TASK.format(rows=root / "rows.jsonl"), encoding="utf-8")
        return cpu_seconds([HARNESS, "-m", "lm_eval", "run", "--model", "hf", "--model_args",
                            f"pretrained={base},dtype=float32", "--device", "cpu", "--tasks", "bench",
                            "--include_path", root, "--batch_size", batch],
                           environment(HF_DATASETS_CACHE=str(root / "cache"), HF_DATASETS_OFFLINE="1", PYTHONPATH=""))


CONTESTANTS = {
    "studio": lambda: studio(ROWS),
    "harness": lambda: harness(ROWS, 1),
    "harness-16": lambda: harness(ROWS, 16),
    "studio-net": lambda: studio(ROWS) - studio(FEW),
    "harness-net": lambda: harness(ROWS, 1) - harness(FEW, 1),
    "harness-16-net": lambda: harness(ROWS, 16) - harness(FEW, 16),
}

if __name__ == "__main__":
    contest(f"{ROWS} questions with options, {SIZE}", CONTESTANTS, "studio", "CPU-seconds", sys.argv[1:])
