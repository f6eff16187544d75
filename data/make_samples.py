"""Write the shipped samples and their catalogue: `python data/make_samples.py [--out DIR]`.

Seeded and deterministic: the same bytes on every machine. A test compares the files beside this script with what it
writes, so change the generators in data/making/, never the files.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from pathlib import Path

from making import arithmetic, conversations, guard, identity, number_words, plain, preferences, talk
from making.split import Row

HERE = Path(__file__).resolve().parent
SEED = 2024


def bilingual(rng: random.Random, held_out: bool, count: int) -> list[Row]:
    """Simple instructions in both languages, no prompt twice; in training two fifths of it is small talk."""
    found: dict[str, Row] = {}
    if not held_out:
        found = {made["instruction"]: made for chinese in (False, True) for made in talk.everything(chinese)}
        kept = rng.sample(list(found), count * 2 // 5)
        found = {prompt: found[prompt] for prompt in kept}
    while len(found) < count:
        made = conversations.instruction_row(rng, chinese=len(found) % 2 == 0, held_out=held_out)
        found.setdefault(conversations.question(made), made)
    rows = list(found.values())
    rng.shuffle(rows)
    return rows


RANKING = {"prompt": "instruction", "query": "input", "chosen": "chosen", "rejected": "rejected"}
MAKERS: dict[str, Callable[[random.Random], list[Row] | str]] = {
    "number_words": lambda rng: number_words.sample(rng, "training", each=500),
    "number_words_heldout": lambda rng: number_words.sample(rng, "held out", each=100),
    "arithmetic": lambda rng: arithmetic.sample(rng, held_out=False, each=75),
    "arithmetic_heldout": lambda rng: arithmetic.sample(rng, held_out=True, each=15),
    "identity": identity.sample,
    "bilingual": lambda rng: bilingual(rng, held_out=False, count=400),
    "bilingual_heldout": lambda rng: bilingual(rng, held_out=True, count=100),
    "preferences": lambda rng: preferences.sample(rng, 300),
    "plain": lambda rng: plain.sample(rng, 400),
    "guard": guard.sample,
}
AS_LINES = ("guard",)
EXTRA: dict[str, dict[str, object]] = {
    "preferences": {"ranking": True, "columns": RANKING},
    "plain": {"columns": {"prompt": "text"}},
}


def write(folder: Path) -> None:
    """Write every sample and `dataset_info.json` into the folder, replacing what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    catalogue: dict[str, dict[str, object]] = {}
    for name, make in MAKERS.items():
        made = make(random.Random(f"{SEED} {name}"))
        ending = "txt" if isinstance(made, str) else "jsonl" if name in AS_LINES else "json"
        file_name = f"{name}.{ending}"
        text = made if isinstance(made, str) else as_lines(made) if name in AS_LINES else as_json(made)
        (folder / file_name).write_text(text, encoding="utf-8", newline="\n")
        catalogue[name] = {"file_name": file_name, **EXTRA.get(name, {})}
    info = json.dumps(catalogue, ensure_ascii=False, indent=2) + "\n"
    (folder / "dataset_info.json").write_text(info, encoding="utf-8", newline="\n")


def as_json(rows: list[Row]) -> str:
    """A JSON array with one row a line, so that a diff shows rows."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n{lines}\n]\n"


def as_lines(rows: list[Row]) -> str:
    """One object a line: rows that have more than question and answer."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE)
    write(parser.parse_args().out)
