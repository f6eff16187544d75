"""A host's model in this process, and checkpoints of tiny models with weights that matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from studio.engine import adapters
from studio.engine.server.host import Config
from studio.engine.server.model import Model, without_gradients


@dataclass
class Desk:
    """A loaded model and all that it has said."""

    model: Model
    said: list[Mapping[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, base: str | Path, **more: Any) -> Desk:
        """The model of a folder in float32."""
        said: list[Mapping[str, Any]] = []
        with without_gradients():
            model = Model.load(Config(Path(base), "it", **{"compute_type": "fp32", **more}), said.append)
        return cls(model, said)

    def tell(self, **message: Any) -> None:
        """One message of the front."""
        with without_gradients():
            assert self.model.obey(message["do"], message)

    def load(self, lane: str, folder: Path, kind: str = "lora") -> Mapping[str, Any]:
        """Load a checkpoint; what was said about it."""
        self.tell(do="load", lane=lane, folder=str(folder), kind=kind)
        return self.said[-1]

    def ask(self, number: Any, ids: Sequence[int], lane: str = "", **more: Any) -> None:
        """Ask for a greedy answer."""
        self.tell(do="answer", id=number, lane=lane, ids=list(ids),
                  **{"max_tokens": 12, "sampling": {"temperature": 0}, **more})

    def work(self, at: Mapping[int, Callable[[], None]] | None = None) -> None:
        """Step until nothing is left to do; `at` are things that happen before a step."""
        waiting, step = dict(at or {}), 0
        while self.model.scheduler.busy or waiting:
            if step in waiting:
                waiting.pop(step)()
            with without_gradients():
                self.model.scheduler.step()
            step += 1
            assert step < 2000

    def tokens(self, number: Any, choice: int = 0) -> list[int]:
        """The ids of one answer."""
        return [entry[2] for one in self.said for entry in one.get("tokens", ()) if entry[:2] == [number, choice]]

    def text(self, number: Any, choice: int = 0) -> str:
        """The text of one answer."""
        return "".join(entry[3] for one in self.said for entry in one.get("tokens", ())
                       if entry[:2] == [number, choice])

    def done(self, number: Any, choice: int = 0) -> Mapping[str, Any]:
        """How one answer ended."""
        return next(one["done"] for one in self.said
                    if "done" in one and (one["done"]["id"], one["done"]["choice"]) == (number, choice))

    def answer(self, ids: Sequence[int], lane: str = "", **more: Any) -> list[int]:
        """The greedy answer to a prompt, nothing else going on."""
        number = f"alone {len(self.said)}"
        self.ask(number, ids, lane, **more)
        self.work()
        return self.tokens(number)


def loaded(base: str) -> Any:
    """The model as transformers loads it, float32."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()


def greedy(model: Any, ids: Sequence[int], count: int = 12) -> list[int]:
    """What transformers' generate says, no token ending it."""
    row = torch.tensor([list(ids)])
    model.generation_config.eos_token_id = None
    with torch.no_grad():
        said = model.generate(row, attention_mask=torch.ones_like(row), do_sample=False, max_new_tokens=count,
                              pad_token_id=0, use_cache=True)
    return said[0, len(ids):].tolist()


def adapter(base: str, folder: Path, *, seed: int, **shape: Any) -> Path:
    """A checkpoint of a base whose weights are random and large enough to change what is said."""
    model = loaded(base)
    targets = sorted({name.rpartition(".")[2] for name in adapters.linear_names(model)})
    made = adapters.Shape(**{"rank": 4, "alpha": 8.0, "targets": tuple(targets), "base": base, **shape})
    torch.manual_seed(seed)
    weights = adapters.attach(model, made)
    with torch.no_grad():
        for name, weight in weights.items():
            if name.endswith("magnitude_vector"):
                weight.mul_(1 + 0.3 * torch.rand_like(weight))
            else:
                weight.add_(torch.randn_like(weight) * 0.2)
    folder.mkdir(parents=True)
    adapters.save(folder, made, weights)
    return folder


def with_peft(base: str, folder: Path) -> Any:
    """The model with a checkpoint as PEFT puts it on."""
    from peft import PeftModel

    return PeftModel.from_pretrained(loaded(base), str(folder)).eval()
