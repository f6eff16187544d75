"""CPU-seconds of answering 500 rows of mixed length, beside LLaMA-Factory's predict: `predict.py [contestant …]`.

The starter answers rows of the shipped samples behind texts of log-normal length, greedily, at most 64 tokens each;
everybody scores and writes what he answered. What a start costs (a run of 20 rows) is taken off the `-net` figures.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from measure import LLAMAFACTORY, PROJECT, PYTHON, Skipped, contest, cpu_seconds, environment

ROWS, FEW, TOKENS = 500, 20, 64
STARTER = PROJECT / "data" / "starter"
SETS = ("number_words", "arithmetic", "bilingual", "identity")
HERE = Path(__file__).parent
_LLAMAFACTORY = """
import json, sys
from llamafactory.train.tuner import run_exp
run_exp(json.loads(sys.argv[1]))
"""


@cache
def rows() -> list[dict[str, str]]:
    """Questions of the samples, a text of some length in front of each, their answers as references."""
    rng = random.Random(0)
    pool = [row for name in SETS for row in json.loads((PROJECT / "data" / f"{name}.json").read_text(encoding="utf-8"))]
    words = [word for row in pool for word in f"{row.get('instruction', '')}".split()]
    found = []
    for row in rng.sample(pool, ROWS):
        text = " ".join(rng.choices(words, k=min(400, int(rng.lognormvariate(3.2, 1.0)))))
        found.append({"instruction": f"{text}\n\n{row['instruction']}", "input": row.get("input", ""),
                      "output": row["output"]})
    return found


def _data(folder: Path, count: int) -> Path:
    folder.mkdir()
    (folder / "bench.json").write_text(json.dumps(rows()[:count], ensure_ascii=False), encoding="utf-8")
    (folder / "dataset_info.json").write_text('{"bench": {"file_name": "bench.json"}}', encoding="utf-8")
    return folder


def studio(count: int) -> float:
    """`predict` with everything that it does besides: metrics, intervals, the report."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        data = _data(root / "data", count)
        return cpu_seconds([PYTHON, "-m", "studio.cli", "predict", "starter", "bench", "-o", root / "out.jsonl",
                            f"dataset_dir={data}", f"max_new_tokens={TOKENS}", "compute_type=fp32", "cpu_threads=1",
                            "metrics=bleu-4,rouge-1,rouge-2,rouge-l", "--root", root])


def llamafactory(count: int, **more: Any) -> float:
    """Its predict with the batch size of its defaults (8)."""
    if not LLAMAFACTORY:
        raise Skipped("LLAMAFACTORY_PYTHON is not set")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        data = str(_data(root / "data", count))
        recipe = {"model_name_or_path": str(STARTER), "stage": "sft", "do_predict": True, "finetuning_type": "lora",
                  "predict_with_generate": True, "eval_dataset": "bench", "dataset_dir": data, "template": "chatml",
                  "cutoff_len": 2048, "max_new_tokens": TOKENS, "do_sample": False, "output_dir": str(root / "out"),
                  "report_to": "none", "use_cpu": True, "overwrite_cache": True, **more}
        return cpu_seconds([LLAMAFACTORY, "-c", _LLAMAFACTORY, json.dumps(recipe)],
                           environment(HF_DATASETS_CACHE=str(root / "cache")))


CONTESTANTS = {
    "studio": lambda: studio(ROWS),
    "llamafactory": lambda: llamafactory(ROWS),
    "studio-net": lambda: studio(ROWS) - studio(FEW),
    "llamafactory-net": lambda: llamafactory(ROWS) - llamafactory(FEW),
}

if __name__ == "__main__":
    contest(f"{ROWS} rows answered by the starter", CONTESTANTS, "studio", "CPU-seconds", sys.argv[1:])
