"""How the demo's recipe was chosen: exact match of several recipes on numbers kept for choosing, never on its own test.

`demo_recipe.py [name …] [--seeds 42 7]` trains the starter on `number_words` with each recipe and scores it on 200
questions whose numbers stand neither in training nor in `number_words_heldout`, which the demo itself reports on.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import PROJECT, PYTHON, environment

sys.path.insert(0, str(PROJECT / "data"))

RECIPES = {
    "demo": {},
    "slower": {"learning_rate": 3e-3},
    "slowest": {"learning_rate": 2e-3},
    "faster": {"learning_rate": 8e-3},
    "shorter": {"num_train_epochs": 8},
    "shortest": {"num_train_epochs": 6},
    "wider": {"lora_rank": 16, "lora_alpha": 32},
    "larger batch": {"per_device_train_batch_size": 16},
}


def questions() -> list[tuple[str, str]]:
    """(question, right answer) for 100 numbers of each language from the side for choosing."""
    from making import number_words

    rows = number_words.sample(random.Random("choosing"), "choosing", each=100)
    return [(row["instruction"], row["output"]) for row in rows]


def score(recipe: dict[str, float], seed: int) -> float:
    """The share of right answers after training with a recipe."""
    from studio.cli.demo import RECIPE
    from studio.workspace import Workspace

    with tempfile.TemporaryDirectory() as root:
        spec = Path(root) / "spec.yaml"
        spec.write_text(json.dumps({**RECIPE, **recipe, "seed": seed, "output_dir": "run"}))
        subprocess.run([PYTHON, "-m", "studio.cli", "train", spec, "--root", root], env=environment(), check=True,
                       stdout=subprocess.DEVNULL)
        asked = "".join(json.dumps({"messages": [{"role": "user", "content": one}]}) + "\n" for one, _ in questions())
        best = max((Path(root) / "saves" / "run" / "checkpoints").glob("step-*"), key=lambda path: int(path.name[5:]))
        said = subprocess.run([PYTHON, "-m", "studio.engine.answer", Workspace(PROJECT).starter, best], input=asked,
                              env=environment(), check=True, text=True, capture_output=True).stdout
    answers = [json.loads(line)["answer"] for line in said.splitlines()]
    right = [answer for _, answer in questions()]
    return sum(one.strip() == other for one, other in zip(answers, right, strict=True)) / len(right)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", choices=[*RECIPES, []])
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 7])
    options = parser.parse_args()
    print("| recipe | " + " | ".join(f"seed {seed}" for seed in options.seeds) + " |\n| --- |" + " ---: |" * len(
        options.seeds), flush=True)
    for name in options.recipes or RECIPES:
        shares = [f"{score(RECIPES[name], seed):.3f}" for seed in options.seeds]
        print(f"| {name} | " + " | ".join(shares) + " |", flush=True)
