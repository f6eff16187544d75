"""A run as training, evaluation and guard leave it on disk, with weights too small to matter: for the model card."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from studio.exports import source
from studio.exports.work import Work
from studio.runs.files import RunFolder
from studio.runs.store import RunStore
from studio.scores import guard, summary
from studio.scores.browse import Predictions
from studio.scores.predictions import Prediction, Writer
from studio.scores.scoring import score_file
from studio.specs import evaluate, train
from studio.workspace import PROJECT, Workspace
from tests.exports.holding import spec

STEPS = (20, 40)
PASSED = {"state": "passed", "form": "merged", "runtime": "transformers", "rows": 16,
          "from": {"origin": "held_out", "names": ["tuned"], "why": None}, "token_agreement": 1.0,
          "answer_agreement": 1.0, "max_logit_difference": 3e-6, "perplexity": {"source": 1.25, "result": 1.25},
          "template": True, "ends": True, "reasons": [], "notes": [],
          "chat": [{"prompt": "1 + 1 = ?", "reference": "2", "source": "2", "result": "2"}]}


class Lab:
    """A workspace with one tuned run, and what may be exported of it."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        self.beside: dict[str, str] = {}
        self.run = self._trained()

    def card(self, name: str, verdict: dict[str, Any] | None = None, **draft: Any) -> Path:
        """The folder of an export with its card."""
        from studio.exports import card

        asked = spec(model_name_or_path=name, **{"template": None, "default_system": None, **draft})
        folder = RunFolder(self.workspace.saves / "exported")
        into = folder.path / "aside"
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        for file, text in self.beside.items():
            (into / file).write_text(text, encoding="utf-8")
        card.write(Work(asked, source.find(asked, self.workspace), self.workspace, folder, into, folder.path / "export",
                        lambda *told: None, lambda: None, lambda *said, **more: None), PASSED | (verdict or {}))
        return into

    def _trained(self) -> RunFolder:
        draft = {"dataset": ["arithmetic#300"], "learning_rate": 0.002, "finetuning_type": "lora", "lora_rank": 4}
        run = RunStore(self.workspace).create(train.check(draft), "tuned")
        with open(run.log, "w", encoding="utf-8") as file:
            for step in range(1, 41):
                row = {"step": step, "loss": 4.0 / step, "time": 1.0}
                file.write(json.dumps(row) + "\n")
                if step in STEPS:
                    file.write(json.dumps({"step": step, "eval_loss": 3.0 / step, "time": 1.0}) + "\n")
        run.data.write_text(json.dumps({"arithmetic#300": {"rows": 285, "held_out": 15, "fingerprint": "ab" * 32}}))
        for step in STEPS:
            folder = run.checkpoint(step)
            folder.mkdir(parents=True)
            (folder / "state.json").write_text(json.dumps({"step": step, "eval_loss": 3.0 / step, "base": "cd" * 16}))
            (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4}))
            (folder / "complete").touch()
        return run

    def evaluated(self, name: str, model: str, right: int, *, with_guard: bool = False, dataset: str = "") -> RunFolder:
        """An evaluation of the base and of a model that answers `right` of 120 rows rightly."""
        draft = {"eval_models": ["base", model], "eval_run": "tuned", "dataset": [dataset] if dataset else [],
                 "stage": "evaluate"}
        folder = RunStore(self.workspace).create(evaluate.check(draft), name)
        folder.results.mkdir()
        path = folder.results / "predictions.jsonl"
        with Writer(path) as writer:
            for row in range(120):
                for who, many in (("base", 3), (model, right)):
                    said = str(row) if row < many else "no"
                    writer.write(Prediction(who, row, said, str(row), place=("a.json", row)))
        score_file(path, ["exact_match"])
        summary.write(folder.results, summary.summarise(Predictions(path), ["exact_match"]))
        if with_guard:
            self._guarded(folder, model)
        return folder

    def _guarded(self, folder: RunFolder, model: str) -> None:
        items = guard.suite(Workspace(PROJECT))
        said = [Prediction(who, one.number, one.answer if who == "base" or one.kind != "sums" else "?", one.answer)
                for one in items for who in ("base", model)]
        scored = guard.scored(items, said)
        guard.write(folder.results, guard.summarise(items, scored, ["base", model]))


def long_ago(folder: RunFolder) -> None:
    """Let an evaluation have been made before the weights were written."""
    then = time.time() - 86_400
    for path in folder.results.iterdir():
        os.utime(path, (then, then))
