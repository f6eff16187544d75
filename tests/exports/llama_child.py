"""llama.cpp in a process of its own, which it may end: `python -m tests.exports.llama_child TASK.json OUT.npz`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np


def main(task: Path, out: Path) -> None:
    """The ids of texts and the logits of id lists by a GGUF file."""
    from llama_cpp import llama_cpp as api

    from studio.engine.export.runtimes.llama_cpp import LlamaCpp

    told = json.loads(task.read_text())
    model = LlamaCpp(api, told["file"], told["context"])
    found = {f"ids{number}": np.array(model._ids(text, special=False), np.int64)
             for number, text in enumerate(told["texts"])}
    for number, ids in enumerate(told["rows"]):
        found[f"logits{number}"] = model.logits(ids, list(range(1, len(ids) + 1)))
    np.savez(out, ends=np.array(model.ends), **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
