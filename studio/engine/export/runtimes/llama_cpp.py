"""llama.cpp by its Python binding: a GGUF file is spelled, computed and ended as llama.cpp's own server does it.

The template is the file's `tokenizer.chat_template`, the ids are made by llama.cpp's tokenizer with what the file says
of BOS, and an answer ends at any token that llama.cpp takes for an end of generation. Weights repacked for AMX
(`use_extra_bufts`) crash on some processors, so they stay as they are; keys and values are kept in full numbers, so
that what is compared is what is stored.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from studio.data.jinja import REFUSALS, compiled
from studio.engine.export.runtimes import Refused, Task

_BATCH = 512
_WARNING = 3
_ROOM = 8


class LlamaCpp:
    """A GGUF file in memory."""

    def __init__(self, api: Any, file: str, context: int) -> None:
        self._api = api
        self._said: list[str] = []
        self._listen = api.llama_log_callback(self._hear)
        api.llama_log_set(self._listen, ctypes.c_void_p(0))
        api.llama_backend_init()
        self._model = self._loaded(file)
        self._context = self._opened(context)
        self._vocab = api.llama_model_get_vocab(self._model)
        self._batch = api.llama_batch_init(_BATCH, 0, 1)
        self.vocabulary = int(api.llama_vocab_n_tokens(self._vocab))
        self.ends = tuple(one for one in range(self.vocabulary) if api.llama_vocab_is_eog(self._vocab, one))
        self._template = (api.llama_model_chat_template(self._model, None) or b"").decode("utf-8", "replace")

    def _hear(self, level: int, text: bytes, _: Any) -> None:
        if level >= _WARNING and text.strip():
            self._said.append(text.decode("utf-8", "replace").strip())
            print(self._said[-1], flush=True)

    def _loaded(self, file: str) -> Any:
        params = self._api.llama_model_default_params()
        params.n_gpu_layers, params.use_extra_bufts = 0, False
        found = self._api.llama_model_load_from_file(os.fsencode(file), params)
        if not found:
            raise Refused(next(iter(self._said), "–"))
        return found

    def _opened(self, context: int) -> Any:
        params = self._api.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = context, _BATCH, _BATCH
        params.n_threads = params.n_threads_batch = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        params.type_k = params.type_v = self._api.GGML_TYPE_F32
        params.flash_attn_type = self._api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        found = self._api.llama_init_from_model(self._model, params)
        if not found:
            raise Refused(next(iter(self._said), "–"))
        return found

    # ---- spelling ----

    def spell(self, row: Mapping[str, Any]) -> tuple[str | None, list[int]]:
        """The file's template over the conversation; a BOS that the tokenizer adds is taken off the text before."""
        if not row["turns"]:
            return None, self._ids(row["text"], special=False)
        if not self._template:
            return None, []
        bos, eos = (self._piece(getattr(self._api, f"llama_vocab_{name}")(self._vocab)) for name in ("bos", "eos"))
        try:
            text = compiled(self._template)(messages=list(row["turns"]), tools=list(row["tools"]) or None,
                                            documents=None, add_generation_prompt=True, bos_token=bos, eos_token=eos)
        except REFUSALS:
            return None, []
        adds = bool(bos) and self._api.llama_vocab_get_add_bos(self._vocab)
        return text, self._ids(text.removeprefix(bos) if adds else text, special=True)

    def _ids(self, text: str, special: bool) -> list[int]:
        said = text.encode("utf-8", "replace")
        room = len(said) + _ROOM
        found = (self._api.llama_token * room)()
        count = self._api.llama_tokenize(self._vocab, said, len(said), found, room, special, True)
        return list(found[:max(0, count)])

    def _piece(self, token: int) -> str:
        if token < 0:
            return ""
        text = ctypes.create_string_buffer(256)
        count = self._api.llama_token_to_piece(self._vocab, token, text, len(text), 0, True)
        return text.raw[:max(0, count)].decode("utf-8", "replace")

    def decode(self, ids: Sequence[int]) -> str:
        """By llama.cpp's own tokenizer."""
        if not ids:
            return ""
        given = (self._api.llama_token * len(ids))(*ids)
        text = ctypes.create_string_buffer(64 * len(ids) + 64)
        count = self._api.llama_detokenize(self._vocab, given, len(ids), text, len(text), False, False)
        return text.raw[:max(0, count)].decode("utf-8", "replace")

    # ---- computing ----

    def logits(self, ids: Sequence[int], asked: Sequence[int]) -> np.ndarray:
        """One row from its beginning on."""
        self._forget()
        return self._read(ids[:asked[-1]], 0, {place - 1 for place in asked})

    def answer(self, ids: Sequence[int], most: int) -> tuple[list[int], bool]:
        """Greedy, one token at a time."""
        self._forget()
        said: list[int] = []
        logits = self._read(ids, 0, {len(ids) - 1})
        while True:
            best = int(logits[-1].argmax())
            if self._api.llama_vocab_is_eog(self._vocab, best):
                return said, True
            said.append(best)
            if len(said) == most:
                return said, False
            place = len(ids) + len(said) - 1
            logits = self._read([best], place, {place})

    def _forget(self) -> None:
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)

    def _read(self, ids: Sequence[int], first: int, wanted: set[int]) -> np.ndarray:
        """Read ids behind what was read already; the logits `(wanted, vocabulary)` at those places."""
        found = []
        for start in range(0, len(ids), _BATCH):
            block = ids[start:start + _BATCH]
            self._batch.n_tokens = len(block)
            for k, one in enumerate(block):
                place = first + start + k
                self._batch.token[k], self._batch.pos[k] = one, place
                self._batch.n_seq_id[k], self._batch.seq_id[k][0] = 1, 0
                self._batch.logits[k] = place in wanted
            if code := self._api.llama_decode(self._context, self._batch):
                raise Refused(f"llama_decode {code}")
            for k in range(len(block)):
                if first + start + k in wanted:
                    row = self._api.llama_get_logits_ith(self._context, k)
                    found.append(np.ctypeslib.as_array(row, (self.vocabulary,)).copy())
        return np.stack(found)


def open(task: Task) -> LlamaCpp:
    """A GGUF file with room for the longest row; raises Refused."""
    from llama_cpp import llama_cpp as api

    rows = json.loads(task.rows.read_text(encoding="utf-8"))
    longest = max(max(len(row["ids"]), len(row["prompt"]) + row["most"]) for row in rows)
    return LlamaCpp(api, str(task.opens), longest + 4 * _ROOM)
