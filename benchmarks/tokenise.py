"""Rows tokenised per CPU-second, peak memory, size of what is kept and the second start: `tokenise.py [contestant …]`.

104,004 Alpaca rows (the 52,002 of ../shared/data twice; generated where that folder is absent) in the vocabulary of
Qwen2.5 (else the starter's), prompts masked, kept on disk. Loading and imports are left out of the rows per second, but
for the studio, whose whole command is charged less the same command over its first 1,000 rows. --rounds N, --rows N.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import HOME, LLAMAFACTORY, PROJECT, PYTHON, Skipped, environment

SHARED = PROJECT.parent / "shared" / "data"
QWEN = SHARED / "tokenizers" / "qwen2.5"
ALPACA = SHARED / "extra" / "alpaca_data.json.xz"
LENGTH, FEW, BATCH = 1024, 1_000, 1_000
Row = dict[str, str]


def model() -> Path:
    """A model folder with the tokenizer alone, as every contestant can load it."""
    folder = HOME / "tokenizers" / ("qwen2.5" if QWEN.is_dir() else "starter")
    if not (folder / "config.json").exists():
        source = QWEN if QWEN.is_dir() else PROJECT / "data" / "starter"
        folder.mkdir(parents=True, exist_ok=True)
        for path in source.iterdir():
            if path.suffix in (".json", ".txt", ".jinja") and path.name != "config.json":
                shutil.copy(path, folder / path.name)
        (folder / "config.json").write_text(json.dumps({"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}))
    return folder


def data(count: int) -> Path:
    """A folder with `count` rows named `bench`, and its catalogue."""
    folder = HOME / "rows" / str(count)
    if not (folder / "dataset_info.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bench.json").write_text(json.dumps(_rows(count), ensure_ascii=False), encoding="utf-8")
        (folder / "dataset_info.json").write_text(json.dumps({"bench": {"file_name": "bench.json"}}))
    return folder


def _rows(count: int) -> list[Row]:
    if ALPACA.exists():
        known = json.loads(lzma.decompress(ALPACA.read_bytes()))
    else:
        from materials import rows

        known = rows(20_000)
    return (known * (count // len(known) + 1))[:count]


def spell(row: Row) -> tuple[str, str]:
    """Question and answer of a row as ChatML has them."""
    asked = row["instruction"] + ("\n" + row["input"] if row["input"] else "")
    return f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n", f"{row['output']}<|im_end|>\n"


# ---- the contestants that run in a child: (folder of rows, folder to keep in) → rows ----


def bare(rows: Path, out: Path) -> int:
    """The bare loop: `encode_batch` of every whole text, ids taken, nothing counted, masked or kept."""
    from studio.data.tokenizer_files import TokenizerFiles

    tokenizer = TokenizerFiles.of(model()).tokenizer()
    _start()
    found = json.loads((rows / "bench.json").read_text(encoding="utf-8"))
    taken = 0
    for first in range(0, len(found), BATCH):
        texts = ["".join(spell(row)) for row in found[first:first + BATCH]]
        taken += sum(len(one.ids) for one in tokenizer.encode_batch(texts, add_special_tokens=False))
    return len(found)


def datasets_map(rows: Path, out: Path) -> int:
    """`datasets.map` with the tokenizer of transformers, prompt and answer encoded apart."""
    from datasets import load_dataset
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model())
    _start()

    def encode(batch: dict[str, list[str]]) -> dict[str, Any]:
        pairs = [spell(dict(zip(batch, values, strict=True))) for values in zip(*batch.values(), strict=True)]
        asked, answered = (tokenizer(list(part), add_special_tokens=False)["input_ids"]
                           for part in zip(*pairs, strict=True))
        both = list(zip(asked, answered, strict=True))
        return {"input_ids": [(a + b)[:LENGTH] for a, b in both],
                "labels": [([-100] * len(a) + b)[:LENGTH] for a, b in both]}

    found = load_dataset("json", data_files=str(rows / "bench.json"), split="train", cache_dir=str(out))
    return len(found.map(encode, batched=True, remove_columns=found.column_names))


def llamafactory(rows: Path, out: Path) -> int:
    """LLaMA-Factory's own preprocessing of one dataset."""
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    named, of_data, training, _, _ = get_train_args({
        "model_name_or_path": str(model()), "stage": "sft", "do_train": True, "finetuning_type": "lora",
        "dataset": "bench", "template": "chatml", "dataset_dir": str(rows), "cutoff_len": LENGTH, "use_cpu": True,
        "overwrite_cache": True, "output_dir": str(out / "run"), "report_to": "none", "max_samples": 10_000_000,
        "cache_dir": str(out)})
    _start()
    loaded = load_tokenizer(named)
    template = get_template_and_fix_tokenizer(loaded["tokenizer"], of_data)
    return len(get_dataset(template, named, of_data, training, stage="sft", **loaded)["train_dataset"])


CHILDREN = {"bare": bare, "datasets": datasets_map, "llamafactory": llamafactory}
_begun = 0.0


def _start() -> None:
    global _begun
    _begun = sum(os.times()[:4])


def child(name: str, rows: str, out: str) -> None:
    """Run one contestant and print its figures as JSON."""
    count = CHILDREN[name](Path(rows), Path(out))
    print(json.dumps({"rate": count / (sum(os.times()[:4]) - _begun)}))


# ---- the rounds ----


def measured(name: str, count: int) -> dict[str, float]:
    """The figures of one contestant in one round."""
    with tempfile.TemporaryDirectory(dir=HOME) as out:
        if name == "studio":
            return _studio(count, Path(out))
        python = LLAMAFACTORY if name == "llamafactory" else PYTHON
        if not python:
            raise Skipped("LLAMAFACTORY_PYTHON is not set")
        figures = {}
        command = [python, __file__, "--child", name, str(data(count)), out]
        peak = _spent(command, figures, {"HF_DATASETS_CACHE": out})["peak"]
        return {**figures, "peak": peak, **({} if name == "bare" else {"kept": _size(Path(out), ".arrow")})}


def _studio(count: int, root: Path) -> dict[str, float]:
    def run(rows: int) -> dict[str, float]:
        (root / "data").mkdir(parents=True, exist_ok=True)
        command = [PYTHON, "-P", "-m", "studio.cli", "data", "tokenize", str(data(rows) / "bench.json"), "--model",
                   str(model()), "--template", "chatml", "--cutoff-len", str(LENGTH), "--root", str(root), "--json"]
        return _spent(command, {}, {})

    few, many = run(FEW), run(count)
    again = run(count)
    kept = max(_size(path, "") for path in (root / ".cache" / "tokens").iterdir())
    return {"rate": (count - FEW) / (many["cpu"] - few["cpu"]), "peak": many["peak"], "kept": kept,
            "again": again["cpu"]}


def _spent(command: list[str], figures: dict[str, float], more: dict[str, str]) -> dict[str, float]:
    """CPU-seconds and peak MB of a command; the JSON of its last line goes into `figures`."""
    with tempfile.TemporaryFile("w+") as output:
        pid = os.posix_spawn(command[0], command, environment(**more), file_actions=[
            (os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, output.fileno(), 2)])
        _, status, usage = os.wait4(pid, 0)
        output.seek(0)
        said = output.read().strip().splitlines()
    if status:
        raise Skipped(" / ".join(said[-2:])[-250:])
    if said and said[-1].startswith("{"):
        figures.update(json.loads(said[-1]))
    return {"cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1000}


def _size(folder: Path, suffix: str) -> float:
    return sum(path.stat().st_size for path in folder.rglob(f"*{suffix}") if path.is_file()) / 1e6


def _cell(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):,.{digits}f}" if values else ""


def main() -> None:
    """Interleaved rounds, one table of medians; ratios are to the bare loop of the same round."""
    names = ["bare", "datasets", "llamafactory", "studio"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contestants", nargs="*", choices=[*names, []])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=104_004)
    options = parser.parse_args()
    chosen = [name for name in names if not options.contestants or name in options.contestants]
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in chosen}
    skipped: dict[str, str] = {}
    HOME.mkdir(parents=True, exist_ok=True)
    for rows in (FEW, options.rows):  # in a child: the peak of a process counts what its parent held when it was born
        subprocess.run([PYTHON, __file__, "--make", str(rows)], check=True)
    for number in range(options.rounds):
        for name in (one for one in chosen if one not in skipped):
            try:
                rounds[name].append(measured(name, options.rows))
            except Skipped as why:
                skipped[name] = str(why)
            print(f"round {number + 1}: {name} {rounds[name][-1:]}", file=sys.stderr, flush=True)
    print(f"\n{options.rows:,} rows, {model().name}\n\n| contestant | rows/CPU-s | × bare | peak MB | kept MB | second "
          "start, CPU-s | rounds |\n| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for line in _lines(rounds, skipped):
        print(line)
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}")


def _lines(rounds: dict[str, list[dict[str, float]]], skipped: dict[str, str]) -> Iterator[str]:
    floor = [one["rate"] for one in rounds.get("bare", [])]
    for name, found in rounds.items():
        if name in skipped:
            yield f"| {name} | skipped: {skipped[name]} | | | | | |"
            continue
        rates = [one["rate"] for one in found]
        ratios = [rate / base for rate, base in zip(rates, floor, strict=False)]
        cells = [_cell(rates, 0), _cell(ratios, 2), _cell([one["peak"] for one in found], 0),
                 _cell([one["kept"] for one in found if "kept" in one], 1),
                 _cell([one["again"] for one in found if "again" in one], 2)]
        yield f"| {name} | {' | '.join(cells)} | {' / '.join(f'{rate:,.0f}' for rate in rates)} |"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    elif sys.argv[1:2] == ["--make"]:
        model(), data(int(sys.argv[2]))
    else:
        main()
