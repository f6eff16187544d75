"""ONNX Runtime: a graph and the tokenizer beside it; the whole text goes in for every token, whatever cache it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studio.data.chat import ChatTokenizer
from studio.data.jinja import REFUSALS
from studio.engine.export.runtimes import Refused, Task

_KINDS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32,
          "tensor(float16)": np.float16, "tensor(bool)": np.bool_}


@dataclass
class OnnxRuntime:
    """A session; `logits` are its first output of that name."""

    session: Any
    chat: ChatTokenizer
    vocabulary: int

    @property
    def ends(self) -> tuple[int, ...]:
        """What the folder's settings say ends an answer: the graph itself knows of none."""
        said = self.chat.files.end_ids
        return said or tuple(filter(None, [self.chat.tokenizer.token_to_id(
            self.chat.files.special.get("eos_token", ""))]))

    def spell(self, row: Mapping[str, Any]) -> tuple[str | None, list[int]]:
        """By the template and the tokenizer of the folder."""
        if not row["turns"]:
            return None, self.chat.encode_text(row["text"])
        try:
            text = self.chat.render(row["turns"], True, row["tools"])
        except REFUSALS:
            return None, []
        return text, self.chat.encode_text(text)

    def logits(self, ids: Sequence[int], asked: Sequence[int]) -> np.ndarray:
        """One pass over the row."""
        return self._run(ids)[[place - 1 for place in asked]]

    def answer(self, ids: Sequence[int], most: int) -> tuple[list[int], bool]:
        """Greedy; every token reads the whole text again."""
        said: list[int] = []
        ends = set(self.ends)
        while len(said) < most:
            best = int(self._run([*ids, *said])[-1].argmax())
            if best in ends:
                return said, True
            said.append(best)
        return said, False

    def decode(self, ids: Sequence[int]) -> str:
        """By the folder's tokenizer."""
        return self.chat.decode(ids)

    def _run(self, ids: Sequence[int]) -> np.ndarray:
        """The logits `(len(ids), vocabulary)` of a text without any cache before it."""
        given: dict[str, np.ndarray] = {}
        for one in self.session.get_inputs():
            kind = _KINDS.get(one.type, np.float32)
            if one.name == "input_ids":
                given[one.name] = np.array([list(ids)], kind)
            elif one.name == "attention_mask":
                given[one.name] = np.ones((1, len(ids)), kind)
            elif one.name in ("position_ids", "cache_position"):
                places = np.arange(len(ids), dtype=kind)
                given[one.name] = places[None] if len(one.shape) == 2 else places
            else:  # keys and values of what was read before: none of one row
                shape = [size if isinstance(size, int) else 1 if k == 0 else 0 for k, size in enumerate(one.shape)]
                given[one.name] = np.zeros(shape, kind)
        return np.asarray(self.session.run(["logits"], given)[0][0], np.float32)


def open(task: Task) -> OnnxRuntime:
    """The graph of a folder, or a graph's file; raises Refused where there is none."""
    import onnxruntime

    file = task.opens if task.opens.is_file() else next(iter(sorted(task.opens.rglob("*.onnx"))), None)
    if file is None:
        raise Refused(f"{task.opens.name}/*.onnx")
    folder = next((one for one in (file.parent, *file.parents) if (one / "tokenizer_config.json").is_file()),
                  Path(file).parent)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    found = OnnxRuntime(session, ChatTokenizer.load(folder), 0)
    found.vocabulary = found._run([0]).shape[1]
    return found
