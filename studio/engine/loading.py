"""The model, built by transformers' own classes with as little else imported as can be."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from studio.data.model import is_packed
from studio.engine import lean
from studio.engine.job import Job
from studio.engine.numerics import Numbers
from studio.errors import InputError

# Architectures whose flattened and lean way the tests prove; any other is loaded and probed the careful way.
PROVED = ("llama", "qwen2", "qwen3", "mistral")
_ENDINGS = ("ForCausalLM", "LMHeadModel")


@dataclass(frozen=True)
class Wanted:
    """Which model, and how: what a run's spec and a server's configuration have in common.

    `name` is what errors call it; `lean` allows the short way for architectures in PROVED.
    """

    folder: Path
    name: str
    attention: str = "auto"
    quantization_bit: int | None = None
    quantization_type: str = "nf4"
    double_quantization: bool = True
    compute_type: str = "auto"
    lean: bool = True

    @classmethod
    def of(cls, job: Job) -> Wanted:
        """The model of a run."""
        assert job.model_folder is not None
        spec = job.spec
        return cls(job.model_folder, spec.model_name_or_path, spec.flash_attn, spec.quantization_bit,
                   spec.quantization_type, spec.double_quantization, spec.compute_type, job.ranks.alone)


def load(job: Job, numbers: Numbers) -> Any:
    """A run's model in the numbers it is stored in while training; see `load_model`."""
    return load_model(Wanted.of(job), numbers)


def load_model(wanted: Wanted, numbers: Numbers) -> Any:
    """The model on its device, nothing trainable yet.

    Raises InputError model_remote_code, model_architecture, model_weights_missing.
    """
    config = json.loads((wanted.folder / "config.json").read_text(encoding="utf-8"))
    packed = is_packed(config)  # an export of fewer bits; transformers loads it as its configuration says
    proved = config.get("model_type") in PROVED and wanted.lean and not wanted.quantization_bit and not packed
    with lean.imports(lean=proved and wanted.attention in ("auto", "sdpa")):
        cls = _model_class(config)
        _be_quiet()
        try:
            model = _filled(cls, wanted.folder, numbers.stored) if proved else None
            model = _by_transformers(cls, wanted, numbers, packed) if model is None else model
        except (ValueError, KeyError, AttributeError, NotImplementedError, ImportError) as error:
            raise InputError("model_architecture", name=wanted.name, architecture=_architecture(config),
                             reason=str(error).splitlines()[0][:200]) from error
    model.requires_grad_(False)
    if wanted.quantization_bit == 4 or packed:
        _cure_4bit(model)
    return model if wanted.quantization_bit or packed else model.to(numbers.device)


def _filled(cls: Any, folder: Path, dtype: torch.dtype) -> Any:
    """The model with its weights straight from the files.

    from_pretrained builds it on the meta device first, for which torch imports sympy: 0.4 CPU-seconds. None where the
    names in the files are not the model's own, as in some older checkpoints; from_pretrained knows how to convert.
    """
    from safetensors.torch import load_file
    from transformers.initialization import no_init_weights

    config = cls.config_class.from_pretrained(str(folder))
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with no_init_weights():
            model = cls(config)
    finally:
        torch.set_default_dtype(before)
    config.dtype = dtype
    stored = {name: value.to(dtype) if value.is_floating_point() else value
              for file in weight_files(folder) for name, value in load_file(file).items()}
    own = model.state_dict()
    tied = set(getattr(model, "all_tied_weights_keys", None) or ()) if config.tie_word_embeddings else set()
    shapes_fit = all(own[name].shape == value.shape for name, value in stored.items() if name in own)
    if set(stored) - set(own) or set(own) - set(stored) - tied or not shapes_fit:
        return None
    model.load_state_dict(stored, strict=False, assign=True)
    model.tie_weights()
    return model.eval()


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold a model, as transformers chooses them: one file, else those of the index."""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file() or not index.is_file():
        return [single] if single.is_file() else sorted(folder.glob("*.safetensors"))
    return sorted({folder / name for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})


def _by_transformers(cls: Any, wanted: Wanted, numbers: Numbers, packed: bool) -> Any:
    """The model by from_pretrained; a weight that the files lack is an error, not a random number."""
    options = {"dtype": numbers.stored, "use_safetensors": True, "local_files_only": True, **_quantized(wanted, packed)}
    attention = {"eager": "eager", "fa2": "flash_attention_2"}.get(wanted.attention)
    if attention:
        options["attn_implementation"] = attention
    model, report = cls.from_pretrained(str(wanted.folder), output_loading_info=True, **options)
    missing = sorted(report["missing_keys"])
    if missing:
        raise InputError("model_weights_missing", path=str(wanted.folder), count=len(missing), name=missing[0])
    return model


def _be_quiet() -> None:
    """No progress bars of transformers in the console log."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def _architecture(config: dict[str, Any]) -> str:
    return str((config.get("architectures") or [config.get("model_type")])[0])


def _model_class(config: dict[str, Any]) -> Any:
    """The class of the model; straight from its module where that is plain, else by the Auto classes."""
    kind, architecture = str(config.get("model_type") or ""), _architecture(config)
    module = kind.replace("-", "_")
    if architecture.endswith(_ENDINGS) and module.isidentifier():
        try:
            home = importlib.import_module(f"transformers.models.{module}.modeling_{module}")
            found = getattr(home, architecture, None)
        except ImportError:
            found = None
        if found is not None:
            return found
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if kind not in CONFIG_MAPPING_NAMES:
        code = "model_remote_code" if config.get("auto_map") else "model_architecture"
        raise InputError(code, name=kind or architecture, architecture=architecture, reason=f"model_type {kind or '–'}")
    return AutoModelForCausalLM


def _quantized(wanted: Wanted, packed: bool) -> dict[str, Any]:
    """What from_pretrained needs to load into 4 or 8 bits by bitsandbytes."""
    bits = wanted.quantization_bit
    if not bits:
        return {"device_map": {"": "cpu"}} if packed and not torch.cuda.is_available() else {}
    from transformers import BitsAndBytesConfig

    compute = torch.bfloat16 if wanted.compute_type == "bf16" else torch.float32
    config = BitsAndBytesConfig(load_in_8bit=True) if bits == 8 else BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type=wanted.quantization_type, bnb_4bit_compute_dtype=compute,
        bnb_4bit_use_double_quant=wanted.double_quantization)
    device = {"": torch.cuda.current_device()} if torch.cuda.is_available() else {"": "cpu"}
    return {"quantization_config": config, "device_map": device}


def _cure_4bit(model: Any) -> None:
    """Keep bitsandbytes from repacking 4-bit weights for AVX512-BF16 at the first evaluation.

    Afterwards the gradients below the last adapter would be exactly zero and saved weights could be wrong
    (seen with bitsandbytes 0.50.2 on CPUs with avx512_bf16).
    """
    for module in model.modules():
        if type(module).__name__ == "Linear4bit":
            module.support_avx512bf16_for_cpu = False


def block_list(model: Any) -> tuple[str, Any]:
    """(name, ModuleList) of the model's layers: the longest list of modules of one kind, e.g. `model.layers`."""
    lists = [(name, module) for name, module in model.named_modules()
             if isinstance(module, torch.nn.ModuleList) and len(module)]
    return max(lists, key=lambda item: (len(item[1]), sum(p.numel() for p in item[1].parameters())))
