"""Measure a dataset: lengths, what is learned, what a cutoff_len would cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.data.chat import ChatTokenizer
from studio.data.statistics import measure
from studio.data.versions import Versions
from studio.workspace import Workspace

BARS = 40
BATCH = 8


def work(arguments: Mapping[str, Any], workspace: Workspace, tell: Callable[[int, int], None],
         should_stop: Callable[[], bool]) -> dict[str, Any]:
    """Arguments: name (also NAME@2), model (a folder), template, default_system, cutoff_len, which turns are learned.

    `together` names sets that are measured with it as a mix. The result holds every figure of Statistics; `padding` is
    what batches of BATCH rows drawn at random would need.
    """
    versions = Versions(workspace)
    names = (arguments["name"], *arguments.get("together", ()))
    entries = [versions.entry(*versions.named(name)) for name in names]
    chat = ChatTokenizer.load(Path(arguments["model"]), arguments.get("template") or "own",
                              arguments.get("default_system"), workspace)
    found = measure(entries, chat, int(arguments["cutoff_len"]), tell, should_stop,
                    train_on_prompt=bool(arguments.get("train_on_prompt")),
                    mask_history=bool(arguments.get("mask_history")))
    lengths = {name: {"describe": one.describe(), "histogram": one.histogram(BARS)}
               for name, one in found.lengths.items()}
    return {"rows": found.rows, "used": found.used, "skipped": dict(found.skipped), "cutoff_len": found.cutoff_len,
            "tokens": found.tokens, "trained_tokens": found.trained_tokens, "context_tokens": found.context_tokens,
            "cut_rows": found.cut_rows, "cut_tokens": found.cut_tokens, "padding": found.padding(BATCH),
            "lengths": lengths, "turns": dict(found.turns), "languages": dict(found.languages),
            "sources": {name: asdict(one) for name, one in found.sources.items()},
            "cutoffs": [asdict(one) for one in found.cutoffs], "suggested": found.suggested}
