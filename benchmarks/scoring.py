"""CPU-seconds of scoring 100,000 predictions by BLEU-4 and ROUGE, beside the libraries: `scoring.py [studio bare]`.

The predictions are those of the older systems' manner, Chinese and English mixed, log-normal in length. The bare loop
parses the lines and asks jieba, rouge-chinese and nltk as the older systems do; it keeps the means and nothing else.
The studio scores the file on all cores and writes every score of every row into it.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from functools import cache
from pathlib import Path

from measure import HOME, PROJECT, PYTHON, contest, cpu_seconds, environment

ROWS = int(os.environ.get("STUDIO_BENCH_ROWS", "100000"))
METRICS = ["bleu4_char", "rouge1", "rouge2", "rougel"]
SETS = ("number_words", "arithmetic", "bilingual", "identity")
_STUDIO = """
import json, sys
from pathlib import Path
from studio.scores import scoring
scoring.score_file(Path(sys.argv[1]), json.loads(sys.argv[2]))
"""
_BARE = """
import json, sys
import jieba
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_chinese import Rouge
sums = dict.fromkeys(("bleu-4", "rouge-1", "rouge-2", "rouge-l"), 0.0)
for line in open(sys.argv[1], encoding="utf-8"):
    row = json.loads(line)
    answer, reference = row["answer"], row["reference"]
    hypothesis, wanted = list(jieba.cut(answer)), list(jieba.cut(reference))
    if " ".join(hypothesis).strip() and " ".join(wanted).strip():
        found = Rouge().get_scores(" ".join(hypothesis), " ".join(wanted))[0]
        for name in found:
            sums[name] += found[name]["f"]
    sums["bleu-4"] += sentence_bleu([list(reference)], list(answer), smoothing_function=SmoothingFunction().method3)
print(sums)
"""


@cache
def predictions() -> Path:
    """The file of predictions, made once: words of the samples, answers that share about half with the references."""
    path = HOME / "rows" / f"predictions-{ROWS}.jsonl"
    if path.exists():
        return path
    chance = random.Random(0)
    pool = [row for name in SETS for row in json.loads((PROJECT / "data" / f"{name}.json").read_text(encoding="utf-8"))]
    pieces = sorted({str(row.get("output", "")) for row in pool} - {""})
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        for row in range(ROWS):
            wanted = [chance.choice(pieces) for _ in range(max(1, min(20, round(chance.lognormvariate(0.5, 0.8)))))]
            said = [one if chance.random() < 0.5 else chance.choice(pieces) for one in wanted]
            file.write(json.dumps({"model": "bench", "row": row, "prompt": [], "reference": " ".join(wanted),
                                   "answer": " ".join(said), "finish": "stop", "tokens": 1, "seconds": 0.0,
                                   "scores": {}}, ensure_ascii=False) + "\n")
    return path


def studio() -> float:
    """The file scored in place, a process a core."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "predictions.jsonl"
        path.write_bytes(predictions().read_bytes())
        return cpu_seconds([PYTHON, "-c", _STUDIO, path, json.dumps(METRICS)], environment(STUDIO_ROOT=scratch))


def bare() -> float:
    """The libraries in one loop."""
    return cpu_seconds([PYTHON, "-c", _BARE, predictions()])


CONTESTANTS = {"bare": bare, "studio": studio}

if __name__ == "__main__":
    contest(f"{ROWS:,} predictions scored by BLEU-4 and ROUGE", CONTESTANTS, "bare", "CPU-seconds", sys.argv[1:])
