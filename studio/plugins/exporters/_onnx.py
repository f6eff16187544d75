"""Draw a model as an ONNX graph and look at what ONNX Runtime makes of it; in a process of its own.

Run as `python -m studio.plugins.exporters._onnx TASK.json`; TASK has model (a folder), into (a folder) and cache. What
became of it stands in `into/.report.json`: {cache, difference, allowed} or {reason}.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from studio.records import read_json, write_json

GRAPH = "model.onnx"
OPSET = 20
BATCH, PAST, LENGTH = 2, 3, 5
# Families that the exporter takes minutes a layer for when keys and values are handed on (measured with 2.13), and the
# seconds of computing that it is given for others before the graph is drawn without.
WHOLE_ONLY = {"gpt_neo"}
PATIENCE_SECONDS, PATIENCE_SECONDS_A_LAYER = 120, 20
# How far the logits of the two programs may be apart, as a share of the largest.
ALLOWED = 1e-4
_REASON = 300


def main(argv: Sequence[str]) -> int:
    """Do one task; 0 when a graph was written and looked at."""
    task = read_json(Path(argv[0])) or {}
    into = Path(task["into"])
    model = _opened(task["model"])
    reason = ""
    for cached in (True, False) if task["cache"] else (False,):
        shape = _cache_of(model) if cached else None
        if cached and shape is None:
            continue
        try:
            with _patience(len(shape or ())):
                _draw(model, shape, into / GRAPH)
            difference, largest = _looked_at(model, shape, into / GRAPH)
        except Exception as error:  # the exporter and its checks raise of every kind, each with its reason
            reason = f"{type(error).__name__}: {error}"[:_REASON]
            print(reason, flush=True)
            continue
        if difference > ALLOWED * largest and cached:
            continue
        write_json(into / ".report.json", {"cache": cached, "difference": difference, "allowed": ALLOWED * largest})
        return 0
    write_json(into / ".report.json", {"reason": reason})
    return 1


@contextmanager
def _patience(layers: int) -> Iterator[None]:
    """Raise TimeoutError in what computes too long, where the system can; a graph without a cache gets all the time."""
    if not layers or not hasattr(signal, "setitimer"):
        yield
        return

    def end(number: int, frame: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE_SECONDS + PATIENCE_SECONDS_A_LAYER * layers, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _opened(folder: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True,
                                                use_safetensors=True, attn_implementation="eager").eval()


def _cache_of(model: Any) -> list[tuple[int, int, int]] | None:
    """(heads, key's width, value's width) of every layer; None where a model keeps something else between tokens, or
    the exporter does not get through with it."""
    import torch
    from transformers.cache_utils import DynamicLayer

    if model.config.model_type in WHOLE_ONLY:
        return None
    with torch.inference_mode():
        kept = model(torch.arange(2)[None], use_cache=True).past_key_values
    layers = getattr(kept, "layers", [])
    if not layers or any(type(layer) is not DynamicLayer for layer in layers):
        return None
    return [(layer.keys.shape[1], layer.keys.shape[3], layer.values.shape[3]) for layer in layers]


def _draw(model: Any, shape: list[tuple[int, int, int]] | None, file: Path) -> None:
    """Write the graph and its numbers."""
    import torch

    past = PAST if shape else 0
    ids = torch.randint(1, int(model.config.get_text_config().vocab_size), (BATCH, LENGTH))
    given: list[Any] = [ids, torch.ones(BATCH, past + LENGTH, dtype=torch.long),
                        torch.arange(past, past + LENGTH)[None].repeat(BATCH, 1)]
    # One word a size: the exporter reasons about each anew, and minutes long about many.
    batch, length, before = (torch.export.Dim(name) for name in ("batch", "length", "before"))
    free: list[Any] = [{0: batch, 1: length}, {0: batch, 1: torch.export.Dim.DYNAMIC if shape else length},
                       {0: batch, 1: length}]
    inputs, outputs = ["input_ids", "attention_mask", "position_ids"], ["logits"]
    if shape:
        given.append([(torch.randn(BATCH, heads, PAST, wide), torch.randn(BATCH, heads, PAST, other))
                      for heads, wide, other in shape])
        free.append([({0: batch, 2: before}, {0: batch, 2: before}) for _ in shape])
        both = [f"{number}.{one}" for number in range(len(shape)) for one in ("key", "value")]
        inputs += [f"past_key_values.{one}" for one in both]
        outputs += [f"present.{one}" for one in both]
    program = torch.onnx.export(_network(model, bool(shape)), tuple(given), dynamo=True, input_names=inputs,
                                output_names=outputs, dynamic_shapes=tuple(free), opset_version=OPSET, verbose=False)
    _name_axes(program.model.graph)
    program.save(str(file), external_data=True)


def _network(model: Any, cached: bool) -> Any:
    """The model with plain tensors in and out."""
    import torch
    from transformers import DynamicCache

    class Whole(torch.nn.Module):
        """A text and nothing before it."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any) -> Any:
            return self.model(input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids,
                              use_cache=False).logits

    class Onward(Whole):
        """A text behind the keys and values of another, which may be empty."""

        def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any,  # type: ignore[override]
                    past: Any) -> Any:
            said = self.model(input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids,
                              past_key_values=DynamicCache(list(past)), use_cache=True)
            return said.logits, [(layer.keys, layer.values) for layer in said.past_key_values.layers]

    return (Onward() if cached else Whole()).eval()


def _name_axes(graph: Any) -> None:
    """Call the free sizes by what they are, as other programs expect them."""
    import onnx_ir as ir

    for value in (*graph.inputs, *graph.outputs):
        sizes = list(value.shape)
        if value.name.startswith(("past_key_values", "present")):
            length = "past_sequence_length" if value.name.startswith("past") else "total_sequence_length"
            value.shape = ir.Shape(["batch_size", sizes[1], length, sizes[3]])
        elif value.name == "attention_mask":
            value.shape = ir.Shape(["batch_size", "total_sequence_length"])
        else:
            value.shape = ir.Shape(["batch_size", "sequence_length", *sizes[2:]])


def _looked_at(model: Any, shape: list[tuple[int, int, int]] | None, file: Path) -> tuple[float, float]:
    """The largest difference of the logits between torch and ONNX Runtime, and the largest logit: texts of several
    lengths, padded on the left, and with a cache each in two pieces, too."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    apart, largest = 0.0, 0.0
    dice = np.random.default_rng(0)
    for rows, length, padded in ((1, 1, 0), (1, 9, 0), (3, 12, 4)):
        ids = dice.integers(1, int(model.config.get_text_config().vocab_size), (rows, length))
        mask = np.ones_like(ids)
        mask[0, :padded] = 0
        places = np.maximum(mask.cumsum(1) - 1, 0)
        given = {"input_ids": ids, "attention_mask": mask, "position_ids": places}
        with torch.inference_mode():
            wanted = model(**{name: torch.from_numpy(one) for name, one in given.items()}, use_cache=False)
            wanted = wanted.logits.numpy()
        for cut in (0, length // 2) if shape else (0,):
            found = _read(session, ids, mask, places, shape, cut)
            seen = mask.astype(bool)
            apart = max(apart, float(np.abs(found - wanted)[seen].max()))
            largest = max(largest, float(np.abs(wanted[seen]).max()))
    return apart, largest


def _read(session: Any, ids: Any, mask: Any, places: Any, shape: list[tuple[int, int, int]] | None,
          cut: int) -> np.ndarray:
    """The logits of a text, read in one piece or in two."""
    kept = {f"past_key_values.{number}.{one}": np.zeros((len(ids), heads, 0, width), np.float32)
            for number, (heads, wide, other) in enumerate(shape or [])
            for one, width in (("key", wide), ("value", other))}
    names, found = [one.name for one in session.get_outputs()], []
    for first, last in ((0, cut), (cut, ids.shape[1])) if cut else ((0, ids.shape[1]),):
        piece = {"input_ids": ids[:, first:last], "attention_mask": mask[:, :last],
                 "position_ids": places[:, first:last]}
        said = dict(zip(names, session.run(None, piece | kept), strict=True))
        found.append(said.pop("logits"))
        kept = {name.replace("present.", "past_key_values."): one for name, one in said.items()}
    return np.concatenate(found, axis=1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
