"""Models, adapters and works for the tests of weights and forms: PEFT makes them, and PEFT merges them beside us."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from studio.exports import weights
from studio.exports.source import LORA, Part, Source
from studio.exports.work import Work
from studio.runs.files import RunFolder
from studio.workspace import Workspace

RANK, ALPHA = 4, 12


def load(folder: Path, dtype: Any = None) -> Any:
    """The model of a folder, as anybody loads it; every weight must be found."""
    import torch
    from transformers import AutoModelForCausalLM

    model, report = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype or torch.float32, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"], report
    return model.eval()


def adapter(base: Path, folder: Path, seed: int = 1, **more: Any) -> Path:
    """A PEFT adapter whose every part does something."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    wanted: dict[str, Any] = {"r": RANK, "lora_alpha": ALPHA, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    model = get_peft_model(load(base), LoraConfig(**{**wanted, **more}))
    stirred = ("lora_B", "lora_embedding_A", "magnitude", "modules_to_save", "trainable_tokens")
    for name, p in model.named_parameters():
        if any(word in name for word in stirred):
            p.data.add_(torch.randn_like(p) * 0.05)
    model.save_pretrained(folder)
    return folder


def theirs(base: Path, adapters: list[Path], dtype: Any = None) -> Any:
    """PEFT's merge of adapters, one after the other."""
    from peft import PeftModel

    model = load(base, dtype)
    for folder in adapters:
        model = PeftModel.from_pretrained(model, folder).merge_and_unload()
    return model


def source(base: Path, *adapters: Path | tuple[Path, float], **more: Any) -> Source:
    """A model with adapters on it; an adapter may come with its weight."""
    given = [one if isinstance(one, tuple) else (one, 1.0) for one in adapters]
    parts = tuple(Part(folder.name, folder, LORA, weight) for folder, weight in given)
    return Source(base.name, base, more.pop("base_name", base.name), parts, **more)


def work(into: Path, found: Source | None = None, stay: Callable[[], None] = lambda: None, **spec: Any) -> Work:
    """A work that writes into a folder; what is said is kept in `work.say.__self__`."""
    said: list[tuple[str, dict[str, Any]]] = []
    into.mkdir(parents=True, exist_ok=True)

    def say(key: str, **values: Any) -> None:
        said.append((key, values))

    wanted = {"export_dtype": "auto", "export_size": 5.0, "export_to": "merged", **spec}
    made = Work(SimpleNamespace(**wanted), found, Workspace.at(), RunFolder(into.parent), into, into,
                lambda *where: None, stay, say)
    object.__setattr__(made, "said", said)
    return made


def merged(into: Path, found: Source, dtype: str = "auto", size_gb: float = 5.0) -> weights.Stream:
    """Write what a source becomes."""
    made = weights.stream(found, dtype)
    weights.write(made, into, size_gb, work(into, found))
    return made


def differences(one: Any, other: Any) -> dict[str, float]:
    """The largest difference of each tensor in which two models differ."""
    first, second = one.state_dict(), other.state_dict()
    assert first.keys() == second.keys()
    far = {name: float((first[name].float() - second[name].float()).abs().max()) for name in first}
    return {name: value for name, value in far.items() if value}


def as_dtype(base: Path, folder: Path, dtype: Any) -> Path:
    """The same model in other numbers, tokenizer beside it."""
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    load(base, dtype).save_pretrained(folder)
    return folder
