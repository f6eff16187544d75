"""The model that a host owns: loaded, its checkpoints, its scheduler, and what each message does to them."""

from __future__ import annotations

import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from studio.data import model as model_files
from studio.data.tokenizer_files import TokenizerFiles
from studio.engine import loading, numerics
from studio.engine.server import batch, checks, narrow
from studio.engine.server.alone import Piece
from studio.engine.server.checkpoints import Checkpoints
from studio.engine.server.kept import KeptTexts
from studio.engine.server.passes import Pass
from studio.engine.server.requests import Request
from studio.engine.server.scheduler import Scheduler
from studio.engine.server.weighing import Weigher
from studio.engine.server.words import Vocabulary
from studio.errors import InputError
from studio.workspace import Workspace

_KEPT_BYTES = 256 * 2**20


@dataclass
class Model:
    """One base in memory; `ready` is what the front is told once."""

    config: Any
    network: Any
    runner: Any
    checkpoints: Checkpoints
    scheduler: Scheduler
    say: Callable[[Mapping[str, Any]], None]
    ready: Mapping[str, Any]
    base_logits: torch.Tensor | None = None
    grammars: Any = None

    @classmethod
    def load(cls, config: Any, say: Callable[[Mapping[str, Any]], None]) -> Model:
        """Load a base; raises the errors of loading and of the tokenizer, WorkError lane_memory_short."""
        began = time.monotonic()
        if config.cpu_threads:
            torch.set_num_threads(config.cpu_threads)
        facts = model_files.inspect(config.base, packed=True)
        numbers = numerics.serving(config.compute_type, facts.parameters)
        checks.fits(facts, numbers, config.quantization_bit)
        hashing = _Hash(config.base)
        vocabulary = Vocabulary(TokenizerFiles.of(config.base).tokenizer())
        wanted = loading.Wanted(config.base, config.name, quantization_bit=config.quantization_bit,
                                compute_type="bf16" if numbers.compute == torch.bfloat16 else config.compute_type)
        network = loading.load_model(wanted, numbers).eval()
        if config.quantization_bit:
            _hush_casts()
        else:
            _let_go_of_files(network)
        context = min(filter(None, (config.context, facts.context)), default=0)
        narrow.install(network)
        current = Pass()
        runner = batch.runner(network, current, numbers.compute)
        kept = KeptTexts(_KEPT_BYTES if config.cache_bytes is None else config.cache_bytes)
        scheduler = Scheduler(runner, vocabulary, kept, config.max_lanes, say)
        ready = {"parameters": facts.parameters, "bytes": checks.parameter_bytes(network), "context": context,
                 "dtype": str(numbers.compute).removeprefix("torch."), "device": str(numbers.device),
                 "base_hash": hashing.wait(), "quantization": config.quantization_bit,
                 "vocabulary": network.get_input_embeddings().weight.shape[0], "one_batch": runner.one_batch,
                 "seconds": round(time.monotonic() - began, 3)}
        made = cls(config, network, runner, Checkpoints(network, current, numbers.compute), scheduler, say, ready)
        scheduler.grammar = made.grammar
        return made

    def grammar(self, asked: Mapping[str, Any], end_ids: Sequence[int]) -> Any:
        """A grammar at its beginning; the library for them is imported when the first one is asked for."""
        if self.grammars is None:
            from studio.engine.server.grammar import Grammars

            self.grammars = Grammars(self.scheduler.vocabulary.tokenizer, end_ids, int(self.ready["vocabulary"]))
        return self.grammars(asked, end_ids)

    def obey(self, verb: str, message: Mapping[str, Any]) -> bool:
        """Do what a message says; False when there is no such verb."""
        acts = {"answer": self._answer, "cancel": self._cancel, "load": self._load, "unload": self._unload,
                "embed": self._embed, "weigh": self._weigh, "look": self._look}
        if verb not in acts:
            return False
        acts[verb](message)
        return True

    def _answer(self, message: Mapping[str, Any]) -> None:
        request = Request.of(message, int(self.ready["vocabulary"]), int(self.ready["context"]))
        if request.lane and request.lane not in self.checkpoints.loaded:
            raise InputError("lane_not_loaded", name=request.lane)
        self.scheduler.add(request)

    def _cancel(self, message: Mapping[str, Any]) -> None:
        self.scheduler.cancel(message["id"])

    def _load(self, message: Mapping[str, Any]) -> None:
        name, folder = str(message["lane"]), Path(str(message["folder"]))
        self.scheduler.drop_lane(name)
        made = self.checkpoints.load(name, folder, str(message.get("kind") or "lora"))
        self.runner.prefixes.pop(name, None)
        if made.prefix is not None:
            self.runner.prefixes[name] = made.prefix
        self.say({"lane": name, "state": "loaded", "hash": made.hash, "bytes": made.bytes,
                  "changes_logits": self._changes(name), "same_as": self.checkpoints.twin(made)})

    def _unload(self, message: Mapping[str, Any]) -> None:
        name = str(message["lane"])
        self.scheduler.drop_lane(name)
        self.runner.prefixes.pop(name, None)
        self.checkpoints.unload(name)

    def _embed(self, message: Mapping[str, Any]) -> None:
        rows = []
        for ids in message["rows"]:
            mean = self.runner.hidden(ids).float().mean(0)
            rows.append([round(value, 7) for value in torch.nn.functional.normalize(mean, dim=0).tolist()])
        self.say({"embedding": {"id": message["id"], "rows": rows}})

    def _weigh(self, message: Mapping[str, Any]) -> None:
        lane = str(message.get("lane") or "")
        if lane and lane not in self.checkpoints.loaded:
            raise InputError("lane_not_loaded", name=lane)
        items = Weigher(self.runner, int(self.ready["vocabulary"])).weigh(lane, message["items"])
        self.say({"weighed": {"id": message["id"], "items": items}})

    def _look(self, message: Mapping[str, Any]) -> None:
        import psutil

        scheduler = self.scheduler
        self.say({"stats": {"rows": len(scheduler.rows), "waiting": len(scheduler.waiting), "slots": scheduler.places,
                            "cache_bytes": scheduler.kept.bytes + self.runner.bytes,
                            "rss": psutil.Process(os.getpid()).memory_info().rss, "threads": torch.get_num_threads(),
                            "steps": scheduler.counts.steps, "tokens": scheduler.counts.tokens,
                            "read_tokens": scheduler.counts.read, "reused_tokens": scheduler.counts.reused}})

    def _changes(self, name: str) -> bool:
        """Whether a checkpoint says anything else than its base."""
        if self.base_logits is None:
            self.base_logits = self._probe("")
        return checks.differ(self._probe(name), self.base_logits)

    def _probe(self, lane: str) -> torch.Tensor:
        ids = checks.probe_ids(int(self.ready["vocabulary"]))
        slot = self.runner.open(lane, len(ids))
        try:
            return self.runner.run([Piece(slot, ids, 1)]).clone()
        finally:
            self.runner.close(slot)


def without_gradients() -> Any:
    """Within, this thread computes without gradients; what it makes there can be changed in place only there."""
    return torch.inference_mode()


def _hush_casts() -> None:
    """bitsandbytes says at every product in 8 bits that it casts; once a token and layer is no message."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="MatMul8bitLt")


def _let_go_of_files(network: Any) -> None:
    """Copy weights that are mapped to their files: one that is written anew in place would end the process."""
    copies: dict[int, torch.Tensor] = {}
    for parameter in network.parameters():
        where = parameter.data_ptr()
        if where not in copies:
            copies[where] = parameter.data.clone()
        parameter.data = copies[where]


class _Hash:
    """The base's hash, computed beside the loading."""

    def __init__(self, folder: Path) -> None:
        self._found = ""
        self._thread = threading.Thread(target=self._compute, args=(folder,), name="hash", daemon=True)
        self._thread.start()

    def _compute(self, folder: Path) -> None:
        self._found = checks.base_hash(folder, Workspace.at())

    def wait(self) -> str:
        """The hash, once it is there."""
        self._thread.join()
        return self._found
