"""The keys of older recipes (LLaMA-Factory, ChatGLM-Efficient-Tuning) that are more than another name; tables only.

A plain rename is an alias on the field itself. `older.py` reads these tables, the reference page prints them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from studio.plugins import kinds, plugin

ANY = "*"


def true(value: Any) -> bool:
    """Whether a recipe's value means yes."""
    return value if isinstance(value, bool) else str(value).strip().lower() in ("true", "yes", "on", "1")


# key: (today's key, value → value); a converter that returns None says "nothing to set".
CONVERTED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "disable_gradient_checkpointing": ("gradient_checkpointing", lambda on: not true(on)),
    "resume_lora_training": ("create_new_adapter", lambda on: not true(on)),
    "adafactor": ("optim", lambda on: "adafactor" if true(on) else None),
    "neat_packing": ("packing", lambda on: True if true(on) else None),  # packing here never mixes rows
}

# Keys that `older.py` reads together, for the reference page: key, today's key.
JOINED: dict[str, str] = {"bf16": "compute_type", "fp16": "compute_type", "max_source_length": "cutoff_len",
                          "max_target_length": "cutoff_len"}

# today's key: older value → today's value.
VALUES: dict[str, dict[Any, Any]] = {
    "stage": {"pt": "pretrain", "rm": "reward"},
    "finetuning_type": {"p_tuning": "prefix"},
    "learning_rate": {"auto": None},
    "template": {None: "own"} | {old: name for name in kinds("templates") for old in plugin("templates", name).ALIASES},
    "packing": {None: False},
    "mix_strategy": {None: "concat"},
    "flash_attn": {"disabled": "eager"},
    "eval_strategy": {False: "no", "none": "no"},
    "save_strategy": {False: "no", "none": "no"},
    "optim": {"adamw_hf": "adamw_torch", "adamw_torch_fused": "adamw_torch", "adamw_bnb_8bit": "adamw_8bit"},
}

# key: the values that ask for what the studio does anyway; (ANY,) where every value does.
ANYWAY: dict[str, tuple[Any, ...]] = {
    "do_train": (True,), "do_eval": (True, False), "do_predict": (False,), "predict_with_generate": (False,),
    "plot_loss": (True, False), "overwrite_cache": (True, False), "overwrite_output_dir": (True, False),
    "report_to": (None, "none", "None", []), "logging_dir": (ANY,), "logging_strategy": ("steps",),
    "logging_first_step": (True, False), "include_num_input_tokens_seen": (ANY,),
    "include_tokens_per_second": (ANY,), "include_effective_tokens_per_second": (ANY,), "disable_tqdm": (True, False),
    "log_level": (ANY,), "preprocessing_num_workers": (ANY,), "preprocessing_batch_size": (ANY,),
    "dataloader_num_workers": (ANY,), "dataloader_pin_memory": (True, False), "remove_unused_columns": (True, False),
    "data_shared_file_system": (True, False), "low_cpu_mem_usage": (True, False), "ddp_timeout": (ANY,),
    "ddp_find_unused_parameters": (False,), "average_tokens_across_devices": (True,), "use_fast_tokenizer": (True,),
    "tokenizer_name": (None,), "config_name": (None,), "cache_dir": (None,), "use_auth_token": (False, None),
    "split": ("train",), "group_by_length": (True, False), "ignore_pad_token_for_loss": (True,),
    "source_prefix": (None, ""), "eval_num_beams": (None, 1), "resume_from_checkpoint": (None, False),
    "enable_thinking": (True, None), "quantization_method": ("bnb", "bitsandbytes", None),
    "upcast_layernorm": (True, False),
    "save_safetensors": (True,), "push_to_hub": (False,), "metric_for_best_model": ("loss", "eval_loss", None),
    "greater_is_better": (False, None), "streaming": (True, False), "buffer_size": (ANY,),
    "pure_bf16": (False,), "use_unsloth": (False,),
    "use_galore": (False,), "use_apollo": (False,), "use_badam": (False,), "use_muon": (False,),
    "use_adam_mini": (False,), "use_llama_pro": (False,), "use_swanlab": (False,), "pissa_init": (False,),
    "shift_attn": (False,), "enable_liger_kernel": (False,), "resize_vocab": (False,), "use_dft_loss": (False,),
    "split_special_tokens": (False,), "disable_shuffling": (False,), "train_from_scratch": (False,),
    "rope_scaling": (None,), "reward_model": (None,), "ref_model": (None,),
    "tool_format": (None,), "loraplus_lr_ratio": (None,), "torch_compile": (False,),
    "label_smoothing_factor": (0, None), "fsdp": (None, "", []), "fsdp_config": (None,), "deepspeed": (None, ""),
    "use_cpu": (False,), "no_cuda": (False,), "trust_remote_code": (True, False),
    # of transformers' own training arguments
    "gradient_checkpointing_kwargs": (ANY,), "activation_checkpointing_kwargs": (ANY,), "log_on_each_node": (ANY,),
    "log_level_replica": (ANY,), "eval_do_concat_batches": (ANY,), "eval_use_gather_object": (ANY,),
    "eval_accumulation_steps": (ANY,), "eval_delay": (0, None), "prediction_loss_only": (ANY,),
    "skip_memory_metrics": (ANY,), "ddp_bucket_cap_mb": (ANY,), "ddp_broadcast_buffers": (ANY,),
    "ddp_static_graph": (ANY,), "ddp_backend": (ANY,), "dataloader_drop_last": (False,),
    "dataloader_persistent_workers": (ANY,), "dataloader_prefetch_factor": (ANY,), "dataloader_in_order": (ANY,),
    "dataloader_multiprocessing_context": (ANY,), "local_rank": (ANY,), "length_column_name": (ANY,),
    "train_sampling_strategy": ("random", "group_by_length"), "torch_empty_cache_steps": (ANY,), "use_cache": (ANY,),
    "enable_jit_checkpoint": (ANY,), "restore_callback_states_from_checkpoint": (ANY,), "fp16_opt_level": (ANY,),
    "half_precision_backend": (ANY,), "fp16_backend": (ANY,), "logging_nan_inf_filter": (ANY,), "project": (ANY,),
    "use_reentrant_gc": (ANY,), "offload_folder": (ANY,), "use_kv_cache": (ANY,),
    "print_param_status": (False,), "disable_version_check": (True, False),
}

# What says "off" or "nothing", whatever feature it is said of.
OFF: tuple[Any, ...] = (None, False, "", [], {})

# Features that belong to the field and are not in the studio yet, refused unless they are off.
NOT_YET: frozenset[str] = frozenset({
    # methods to come
    "pref_beta", "pref_ftx", "pref_loss", "dpo_label_smoothing", "simpo_gamma", "kto_chosen_weight",
    "kto_rejected_weight", "ppo_buffer_size", "ppo_epochs", "ppo_score_norm", "ppo_target", "ppo_whiten_rewards",
    "ref_model_adapters", "ref_model_quantization_bit", "reward_model_adapters", "reward_model_quantization_bit",
    "reward_model_type",
    # tuners and optimizers to come
    "galore_rank", "galore_scale", "galore_target", "galore_update_interval", "galore_layerwise", "apollo_rank",
    "apollo_scale", "apollo_target", "apollo_layerwise", "apollo_update_interval", "badam_mode", "badam_mask_mode",
    "badam_switch_interval", "badam_switch_mode", "badam_update_ratio", "badam_verbose", "loraplus_lr_embedding",
    "pissa_iter", "pissa_convert", "module_dropout", "oft_rank", "oft_block_size", "oft_target", "optim_args",
    "data_seed", "full_determinism", "auto_find_batch_size",
    # data to come
    "image_max_pixels", "image_min_pixels", "video_max_pixels", "video_min_pixels",
    "video_fps", "video_maxlen", "media_dir", "freeze_vision_tower", "freeze_multi_modal_projector",
    "freeze_language_model", "new_special_tokens", "add_tokens", "add_special_tokens", "eval_on_each_dataset",
    # answers, scores, exports and other machines to come
    "do_sample", "temperature", "top_p", "top_k", "num_beams", "max_new_tokens", "repetition_penalty",
    "length_penalty", "skip_special_tokens", "compute_accuracy", "task", "lang", "n_shot", "save_dir", "batch_size",
    "infer_backend", "infer_dtype", "vllm_maxlen", "vllm_gpu_util", "vllm_enforce_eager", "export_dir", "export_size",
    "export_device", "export_legacy_format", "export_quantization_bit", "export_quantization_dataset",
    "export_hub_model_id", "hub_model_id", "hub_strategy", "hub_token", "hf_hub_token", "ms_hub_token", "run_name",
    "swanlab_project", "swanlab_run_name", "swanlab_mode", "ray_run_name", "ray_storage_path", "ray_num_workers",
    "resources_per_worker", "placement_strategy", "moe_aux_loss_coef", "mixture_of_depths", "fp8",
    "adapter_folder", "new_special_tokens_config", "init_special_tokens", "use_unsloth_gc", "upcast_lmhead_output",
    "use_v1_kernels", "om_hub_token", "quantization_device_map", "image_do_pan_and_scan", "crop_to_patches",
    "use_audio_in_video", "audio_sampling_rate", "export_quantization_nsamples", "export_quantization_maxlen",
    "vllm_max_lora_rank", "vllm_config", "sglang_maxlen", "sglang_mem_fraction", "sglang_tp_size", "sglang_config",
    "sglang_lora_backend", "use_kt", "kt_weight_path", "kt_expert_checkpoint_path", "kt_use_lora_experts",
    "kt_lora_expert_num", "kt_lora_expert_intermediate_size", "preserve_thinking", "pref_bco_weight", "ld_alpha",
    "galore_proj_type", "apollo_proj", "apollo_proj_type", "apollo_scale_type", "apollo_scale_front",
    "badam_start_block", "swanlab_workspace", "swanlab_api_key", "swanlab_logdir", "swanlab_lark_webhook_url",
    "swanlab_lark_secret", "use_mca", "use_hyper_parallel", "hyper_parallel_args", "use_asft_loss", "asft_alpha",
    "use_eaft_loss", "eaft_alpha", "ray_init_kwargs", "master_addr", "master_port", "enable_torch_profiler",
    "profiler_output_dir", "profile_modules", "fp8_backend", "fp8_enable_fsdp_float8_all_gather",
    "optim_target_modules", "bf16_full_eval", "fp16_full_eval", "torch_compile_mode", "use_liger_kernel",
    "liger_kernel_config", "trackio_space_id", "eval_on_start", "include_for_metrics", "batch_eval_metrics",
    "include_inputs_for_metrics", "hub_private_repo", "hub_always_push", "hub_revision", "push_to_hub_token",
    "push_to_hub_model_id", "push_to_hub_organization", "ignore_data_skip", "accelerator_config",
    "parallelism_config", "label_names", "debug", "use_ipex", "use_mps_device", "jit_mode_eval",
    "dispatch_batches", "split_batches", "past_index", "mp_parameters", "sharded_ddp", "torchdynamo",
    "sortish_sampler", "generation_max_length", "generation_num_beams", "generation_config", "profiler_wait_steps",
    "profiler_warmup_steps", "profiler_active_steps", "profiler_repeat", "profiler_record_shapes",
    "profiler_profile_memory", "profiler_with_stack", "save_on_each_node", "torch_compile_backend", "tf32",
})

# today's key: values of the field that the studio does not have yet; a value that is a choice by now is taken.
VALUES_NOT_YET: dict[str, tuple[Any, ...]] = {
    "stage": ("pretrain", "reward", "ppo", "dpo", "kto", "orpo", "simpo", "grpo"),
    "finetuning_type": ("oft", "ia3", "adalora", "vera", "loha", "lokr", "prompt"),
    "quantization_bit": (2, 3, 5, 6),
    "flash_attn": ("fa3",),
    "optim": ("paged_adamw_32bit", "lion_8bit", "lion_32bit", "adamw_apex_fused", "ademamix", "adagrad", "rmsprop"),
    "lr_scheduler_type": ("reduce_lr_on_plateau", "cosine_warmup_with_min_lr"),
    "template": (
        "empty", "fewshot", "llama4", "ministral", "gemma4", "phi4", "qwen2_vl", "qwen2_omni", "qwen3_vl", "qwen3_5",
        "glm4_moe", "codegeex2", "codegeex4", "baichuan", "intern", "intern_vl", "yi_vl", "deepseekcoder", "bluelm",
        "breeze", "command_r", "cohere", "cpm", "cpm3", "dbrx", "exaone", "falcon", "hunyuan", "index", "kimi_vl",
        "llava", "minicpm_v", "moonlight", "olmo", "orion", "paligemma", "pixtral", "skywork_o1", "smollm",
        "starchat", "telechat", "telechat2", "xverse", "yayi", "yuan", "gpt_oss", "ernie",
    ),
}

# Keys and values whose refusal has a remedy of its own: problems.<code>.
REMEDIES: dict[str, str] = {"resume_from_checkpoint": "resume_instead", "template": "template_not_yet"}
