"""The table of docs/gguf.md: `python -m tests.exports.gguf_table [FAMILY …]`; needs llama-cpp-python, takes minutes.

For every family a random model, wide enough for whole blocks of every type, is written in each type and opened by
llama.cpp; told is how far its logits are from those of transformers, as a share of their size (root mean squares).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from studio.exports.gguf import making, writer
from studio.exports.gguf.kinds import KINDS
from studio.workspace import PROJECT, Workspace
from tests.exports.families import FAMILIES, make
from tests.exports.test_gguf import computed, source


def row(kind: str, room: Path) -> list[float]:
    """For every type the distance of the logits."""
    import llama_cpp
    from llama_cpp import llama_cpp as api

    from studio.engine.export.runtimes.llama_cpp import LlamaCpp

    model = make(kind, room / "model", wide=True)
    tokenizer, told = making.spoken(source(model), Workspace(PROJECT))
    rows = [tokenizer.encode(text, add_special_tokens=False).ids[:60] for text in told.prompts]
    wanted = np.concatenate(computed(model, rows))
    stream, layout = making.plan(source(model))
    words = making.words(source(model), Workspace(PROJECT), stream.config, layout)
    size, found, whole = np.sqrt(np.mean(wanted ** 2)), [], room / "f32.gguf"
    for name, one in KINDS.items():
        path = room / f"{name}.gguf"
        if one.own:
            writer.write(stream, layout, words, one, path, {}, lambda *told: None, lambda: None)
        else:
            asked = llama_cpp.llama_model_quantize_default_params()
            asked.ftype, asked.nthread = one.ftype, 1
            assert llama_cpp.llama_model_quantize(str(whole).encode(), str(path).encode(), asked) == 0
        there = LlamaCpp(api, str(path), 128)
        logits = np.concatenate([there.logits(ids, list(range(1, len(ids) + 1))) for ids in rows])
        found.append(float(np.sqrt(np.mean((logits - wanted) ** 2)) / size))
        api.llama_free(there._context)
        api.llama_model_free(there._model)
    return found


def main(kinds: list[str]) -> None:
    """Print the rows."""
    print("| | " + " | ".join(name.upper() for name in KINDS) + " |")
    for kind in kinds or FAMILIES:
        with tempfile.TemporaryDirectory() as room:
            shown = [f"{share:.1%}" if share > 0.0005 else "<0.1%" for share in row(kind, Path(room))]
        print(f"| {kind} | " + " | ".join(shown) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
