"""Keys of older recipes (LLaMA-Factory, ChatGLM-Efficient-Tuning) under today's names, or refused by name.

A plain rename is an alias on the field itself; here stand the keys whose value changes too, the keys that say
what the studio does anyway, and the features that it does not have yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.args.fields import Argument
from studio.errors import Problem

# key: (today's key, value → value); a converter may return None to say "nothing to set".
_CONVERTED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "bf16": ("compute_type", lambda on: "bf16" if _true(on) else None),
    "fp16": ("compute_type", lambda on: "fp16" if _true(on) else None),
    "disable_gradient_checkpointing": ("gradient_checkpointing", lambda on: not _true(on)),
    "resume_lora_training": ("create_new_adapter", lambda on: not _true(on)),
}
_VALUES: dict[str, dict[Any, Any]] = {
    "finetuning_type": {"p_tuning": "prefix"},
    "template": {None: "own"},
    "flash_attn": {"disabled": "eager"},
}

# key: the values that ask for what the studio does anyway.
_ANYWAY: dict[str, tuple[Any, ...]] = {
    "do_train": (True,), "do_eval": (True, False), "do_predict": (False,), "plot_loss": (True, False),
    "overwrite_cache": (True, False), "overwrite_output_dir": (True, False), "report_to": (None, "none", [], "None"),
    "preprocessing_num_workers": (..., ), "dataloader_num_workers": (..., ), "dataloader_pin_memory": (True, False),
    "ddp_timeout": (..., ), "ddp_find_unused_parameters": (False,), "use_fast_tokenizer": (True,),
    "ignore_pad_token_for_loss": (True,), "predict_with_generate": (False,), "save_strategy": ("steps",),
    "logging_strategy": ("steps",), "logging_first_step": (True, False), "include_num_input_tokens_seen": (True, False),
    "resume_from_checkpoint": (None, False), "use_auth_token": (False, None), "split": ("train",),
    "remove_unused_columns": (True, False), "enable_thinking": (None,), "low_cpu_mem_usage": (True,),
    "quantization_method": ("bnb", "bitsandbytes"), "save_safetensors": (True,), "push_to_hub": (False,),
    "streaming": (False,), "pure_bf16": (False,), "use_unsloth": (False,), "use_galore": (False,),
    "fsdp": (None, ""), "deepspeed": (None, ""), "use_cpu": (False,), "no_cuda": (False,),
}

# Features that belong to the field and are not in the studio yet.
_NOT_YET = frozenset({
    "deepspeed", "fsdp", "fsdp_config", "streaming", "mix_strategy", "interleave_probs", "pure_bf16", "use_unsloth",
    "use_galore", "galore_rank", "use_apollo", "use_badam", "use_muon", "use_adam_mini", "use_llama_pro",
    "loraplus_lr_ratio", "pissa_init", "resize_vocab", "rope_scaling", "shift_attn", "enable_liger_kernel",
    "predict_with_generate", "do_predict", "push_to_hub", "report_to", "run_name", "resume_from_checkpoint",
    "quantization_method", "image_max_pixels", "video_max_pixels", "freeze_vision_tower", "tokenized_path", "tool_format",
    "ray_run_name", "use_cpu", "no_cuda", "reward_model", "pref_beta", "pref_loss", "pref_ftx", "eval_num_beams",
    "save_strategy", "logging_strategy", "ignore_pad_token_for_loss", "use_auth_token", "enable_thinking",
})


def _true(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).strip().lower() in ("true", "yes", "on", "1")


def translate(draft: Mapping[str, Any], declared: Mapping[str, Argument],
              aliases: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """The draft under today's names and the problems of keys that cannot be taken; order is kept."""
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    problems: list[Problem] = []
    pairs, lengths = _lengths(draft)
    for key, value in pairs:
        if key in declared:
            name = key
        elif key in aliases:
            name = aliases[key]
        elif key in _CONVERTED:
            name, convert = _CONVERTED[key]
            value = convert(value)
            if value is None:
                continue
        else:
            problem = _unknown_or_done(key, value)
            if problem is None:
                continue
            name = key
            if problem is not _PASS:
                problems.append(problem)
                continue
        if isinstance(value, str | None) and value in _VALUES.get(name, {}):
            value = _VALUES[name][value]
        if name in values and values[name] != value:
            problems.append(Problem("said_twice", name, {"first": origin[name], "second": key}))
            continue
        values[name] = value
        origin[name] = key
    return values, problems


_PASS = Problem("pass", "")


def _unknown_or_done(key: str, value: Any) -> Problem | None:
    """None when the studio does it anyway, a Problem when it is refused, _PASS when the key is simply unknown."""
    if key in _ANYWAY and (_ANYWAY[key] == (...,) or value in _ANYWAY[key]):
        return None
    if key in _NOT_YET or key in _ANYWAY:
        return Problem("not_yet", key, {"name": key, "value": value})
    return _PASS


def _lengths(draft: Mapping[str, Any]) -> tuple[list[tuple[str, Any]], int | None]:
    """`max_source_length` + `max_target_length` of the older systems together are today's `cutoff_len`."""
    parts = [draft.get("max_source_length"), draft.get("max_target_length")]
    rest = [(key, value) for key, value in draft.items() if key not in ("max_source_length", "max_target_length")]
    if parts == [None, None]:
        return rest, None
    total = sum(int(part) if str(part).isdigit() else 512 for part in parts)
    return [*rest, ("cutoff_len", total)], total
