"""The lm-evaluation-harness beside us: whether it is here, how it is called, and what it found, as predictions.

It is a program of its own that somebody may have installed, in this environment or in another one on the PATH; it asks
over HTTP, so its packages and ours need not agree. A task is a name that it knows, or a folder with YAML of one's own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from studio.errors import InputError, WorkError
from studio.records import read_json
from studio.scores.predictions import Prediction, number

PROGRAM = "lm_eval"
FOLDER = "harness"
NUMBERS = "harness"  # its key in scores.json
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
# Its figures that are the same as ours, and what they are called here.
SAME = {"acc": "choice_text", "acc_norm": "choice_text_normalised", "exact_match": "exact_match"}


def program() -> tuple[str, ...]:
    """How the harness is begun; raises InputError harness_missing."""
    if importlib.util.find_spec(PROGRAM) is not None:
        return (sys.executable, "-m", PROGRAM)
    found = shutil.which(PROGRAM)
    if found is None:
        raise InputError("harness_missing")
    return (found,)


def tasks(names: Sequence[str], paths: bool = True) -> tuple[list[str], list[Path]]:
    """(names of tasks, folders of their YAML) of what was named.

    Only with `paths` may a folder be named. Raises InputError harness_folder_outside, harness_folder, harness_folders.
    """
    found: list[str] = []
    folders: list[Path] = []
    for name in names:
        path = Path(name).expanduser()
        if not path.is_dir():
            found.append(name)
            continue
        if not paths:
            raise InputError("harness_folder_outside", path=name)
        mine = [task for file in sorted(path.glob("*.y*ml")) if (task := _task_of(file))]
        if not mine:
            raise InputError("harness_folder", path=str(path))
        folders.append(path.absolute())
        found += mine
    if len(folders) > 1:
        raise InputError("harness_folders", value=", ".join(map(str, folders)))
    return found, folders


def command(spec: Any, model: Mapping[str, Any], into: Path) -> list[str]:
    """The command line that asks one model; what it finds is written below `into`."""
    names, folders = tasks(spec.dataset)
    words = [*program(), "run", "--model", "local-completions", "--model_args", json.dumps(dict(model)),
             f"--tasks={','.join(names)}", "--batch_size", str(spec.eval_batch_size), "--output_path", str(into),
             "--log_samples"]
    words += ["--include_path", str(folders[0])] if folders else []
    words += ["--num_fewshot", str(spec.n_shot)] if spec.n_shot else []
    return words + (["--limit", str(spec.max_samples)] if spec.max_samples else [])


def environment(key: str) -> dict[str, str]:
    """What the harness is begun with: the key of our server; nothing is fetched unless the user's settings say so."""
    quiet = {name: os.environ.get(name, "1") for name in _OFFLINE}
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY", ""), "127.0.0.1"]))
    return {**os.environ, **quiet, "OPENAI_API_KEY": key, "TOKENIZERS_PARALLELISM": "false", "NO_PROXY": direct,
            "no_proxy": direct, "PYTHONUNBUFFERED": "1"}


def numbers(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Its own figures by task and metric, to the last digit: value, stderr, n; raises WorkError harness_empty."""
    told = read_json(_newest(folder, "results_*.json")) or {}
    found: dict[str, dict[str, dict[str, float]]] = {}
    for task, figures in (told.get("results") or {}).items():
        rows = ((told.get("n-samples") or {}).get(task) or {}).get("effective")
        for key, value in figures.items():
            metric, _, way = key.partition(",")
            if not way or metric.endswith("_stderr") or number(value) is None:
                continue
            name = metric if way == "none" else f"{metric} ({way})"
            parts = {"value": value, "stderr": number(figures.get(f"{metric}_stderr,{way}")), "n": number(rows)}
            found.setdefault(task, {})[name] = {part: one for part, one in parts.items() if one is not None}
    return found


def predictions(folder: Path, model: str) -> Iterator[Prediction]:
    """What one model answered to each row of every task, with the scores that are the same as ours."""
    row = 0
    for file in sorted(_newest(folder, "results_*.json").parent.glob("samples_*.jsonl")):
        task = file.stem.removeprefix("samples_").rpartition("_")[0]
        seen = set()
        for line in file.read_bytes().splitlines():
            sample = orjson.loads(line)
            if sample["doc_id"] not in seen:  # of several ways to find the answer in a text, the first
                seen.add(sample["doc_id"])
                yield _prediction(sample, model, row, task)
                row += 1


def metrics(folder: Path) -> tuple[str, ...]:
    """Our names of the figures that the predictions have."""
    there = {name for one in predictions(folder, "") for name in one.scores}
    return tuple(name for name in SAME.values() if name in there)


def _prediction(sample: Mapping[str, Any], model: str, row: int, task: str) -> Prediction:
    asked = list((sample.get("arguments") or {}).values())
    prompt = str(asked[0].get("arg_0", "")) if asked else ""
    said, target = sample.get("filtered_resps") or [""], sample.get("target")
    choices: tuple[str, ...] = ()
    if len(asked) > 1 and len(said) == len(asked):
        choices = tuple(str(one.get("arg_1", "")).strip() for one in asked)
        answer = choices[max(range(len(said)), key=lambda place: float(said[place][0]))]
    else:
        answer = str(said[0][0] if isinstance(said[0], list) and said[0] else said[0])
    is_place = choices and str(target).isdigit() and int(str(target)) < len(choices)
    scores = {SAME[name]: number(sample[name]) for name in SAME if number(sample.get(name)) is not None}
    return Prediction(model, row, answer, choices[int(str(target))] if is_place else str(target),
                      ({"role": "user", "content": prompt},), choices, finish="stop", scores=scores, subject=task)


def _newest(folder: Path, pattern: str) -> Path:
    found = sorted(folder.rglob(pattern), key=lambda path: path.stat().st_mtime)
    if not found:
        raise WorkError("harness_empty", path=str(folder))
    return found[-1]


def _task_of(file: Path) -> str:
    """The task that a YAML file declares; "" for a file that is only included by others."""
    class Loader(yaml.SafeLoader):
        """YAML in which the harness's own tags are texts."""

    Loader.add_constructor("!function", lambda loader, node: str(node.value))
    try:
        said = yaml.load(file.read_text(encoding="utf-8"), Loader)
    except (OSError, ValueError, yaml.YAMLError):
        return ""
    task = said.get("task") if isinstance(said, dict) else None
    return task if isinstance(task, str) else ""
