"""transformers, from the folder alone: its tokenizer, its chat template, its model, its generation settings.

Weights are widened to float32 for computing, so that what is compared is what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.engine.export.runtimes import Task


@dataclass
class Transformers:
    """A model and its tokenizer as anybody loads them."""

    model: Any
    tokenizer: Any

    @property
    def vocabulary(self) -> int:
        """How many logits it has for a token."""
        return int(self.model.config.get_text_config().vocab_size)

    @property
    def ends(self) -> tuple[int, ...]:
        """What its generation settings say."""
        found = self.model.generation_config.eos_token_id
        return tuple(found if isinstance(found, list | tuple) else [] if found is None else [found])

    def spell(self, row: Mapping[str, Any]) -> tuple[str | None, list[int]]:
        """By apply_chat_template; a plain text as it is."""
        if not row["turns"]:
            return None, self._ids(row["text"])
        if not self.tokenizer.chat_template:
            return None, []
        text = self._rendered(row)
        return text, [] if text is None else self._ids(text)

    def _rendered(self, row: Mapping[str, Any]) -> str | None:
        from jinja2 import TemplateError

        try:
            return str(self.tokenizer.apply_chat_template(
                list(row["turns"]), tools=list(row["tools"]) or None, add_generation_prompt=True, tokenize=False))
        except (TemplateError, TypeError, ValueError, KeyError):
            return None

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def logits(self, ids: Sequence[int], asked: Sequence[int]) -> np.ndarray:
        """One pass over the row without a cache."""
        import torch

        with torch.inference_mode():
            row = torch.tensor([list(ids)], device=self.model.device)
            found = self.model(input_ids=row, attention_mask=torch.ones_like(row), use_cache=False).logits[0]
            return np.asarray(found[[place - 1 for place in asked]].float().cpu().numpy())

    def answer(self, ids: Sequence[int], most: int) -> tuple[list[int], bool]:
        """By generate, greedy, ended by the model's own settings."""
        import torch

        row = torch.tensor([list(ids)], device=self.model.device)
        with torch.inference_mode():
            said = self.model.generate(row, attention_mask=torch.ones_like(row), do_sample=False, num_beams=1,
                                       max_new_tokens=most, repetition_penalty=1.0, temperature=None, top_p=None,
                                       top_k=None, pad_token_id=self._pad())[0, len(ids):].tolist()
        ended = bool(said) and said[-1] in self.ends
        return said[:-1] if ended else said, ended

    def _pad(self) -> int:
        given = self.model.generation_config.pad_token_id
        return int(given) if given is not None else next(iter(self.ends), 0)

    def decode(self, ids: Sequence[int]) -> str:
        """By the folder's tokenizer, without special tokens."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))


def open(task: Task) -> Transformers:
    """The model of a folder; raises what from_pretrained raises."""
    return Transformers(model(str(task.opens)), tokenizer(str(task.opens)))


def model(folder: str) -> Any:
    """The model of a folder in float32, on a GPU where there is one; one stored in fewer bits stays as it is."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    quantized = getattr(AutoConfig.from_pretrained(folder, local_files_only=True), "quantization_config", None)
    where = "cuda" if torch.cuda.is_available() else "cpu"
    placed: dict[str, Any] = {"device_map": {"": where}} if quantized else {}
    found, report = AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto" if quantized else torch.float32,  # in float32 what is around few bits fits them no more
        use_safetensors=True, local_files_only=True, output_loading_info=True, **placed)
    missing = sorted(report["missing_keys"])
    if missing:
        raise KeyError(missing[0])
    return (found if quantized else found.to(where)).eval()


def tokenizer(folder: str) -> Any:
    """The tokenizer of a folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)
