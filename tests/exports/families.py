"""Tiny random models of every family that GGUF has, each with a real tokenizer, saved as their makers save theirs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from studio.data.tokenizer_files import TokenizerFiles
from studio.workspace import PROJECT

SHARED = PROJECT.parent / "shared" / "data"
TOKENIZERS = SHARED / "tokenizers"
_CHATML = ("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
           "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
_INSTRUCT = ("{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
             "{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}")
_PLAIN = ("{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}"
          "\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}")
_SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
          "max_position_embeddings": 128}
_GROUPED = _SMALL | {"num_key_value_heads": 2, "rms_norm_eps": 1e-5}
_GPT = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128, "n_ctx": 128}
# kind: (class of transformers, settings, tokenizer, template)
FAMILIES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "llama": ("Llama", _GROUPED | {"tie_word_embeddings": False, "rope_parameters": {
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64}}, "minimind", _CHATML),
    "qwen2": ("Qwen2", _GROUPED | {"tie_word_embeddings": True}, "minimind", _CHATML),
    "qwen3": ("Qwen3", _GROUPED | {"head_dim": 32}, "minimind", _CHATML),
    "mistral": ("Mistral", _GROUPED | {"head_dim": 16, "sliding_window": 64}, "mistral", _INSTRUCT),
    "gemma": ("Gemma", _GROUPED | {"head_dim": 32}, "minimind", _CHATML),
    "gemma2": ("Gemma2", _GROUPED | {"head_dim": 16, "query_pre_attn_scalar": 24, "sliding_window": 16,
                                     "num_hidden_layers": 4}, "minimind", _CHATML),
    "gemma3": ("Gemma3", _GROUPED | {"head_dim": 16, "query_pre_attn_scalar": 24, "sliding_window": 16,
                                     "num_hidden_layers": 7}, "minimind", _CHATML),
    "glm": ("Glm", _GROUPED | {"head_dim": 16}, "chatglm3-hf", ""),
    "glm4": ("Glm4", _GROUPED | {"head_dim": 16}, "minimind", _CHATML),
    "gpt_neox": ("GPTNeoX", _SMALL | {"rotary_pct": 0.25, "hidden_act": "gelu_new"}, "minimind", _CHATML),
    "bloom": ("Bloom", {"hidden_size": 64, "n_layer": 2, "n_head": 4}, "minimind", _CHATML),
    "gpt2": ("GPT2", _GPT, "minimind", _PLAIN),
    "gpt_neo": ("GPTNeo", {"hidden_size": 64, "num_layers": 2, "num_heads": 4, "max_position_embeddings": 128,
                           "attention_types": [[["global", "local"], 1]], "window_size": 64}, "minimind", _CHATML),
}
_CONFIGS = {"Gemma3": "Gemma3TextConfig"}
_MODELS = {"GPT2": "GPT2LMHeadModel"}


WIDE = {"hidden_size": 256, "n_embd": 256, "intermediate_size": 512, "head_dim": 64}


def make(kind: str, folder: Path, wide: bool = False) -> Path:
    """A model of this kind in float32, no weight at its beginning's one or nought; `wide` enough for every type."""
    import torch
    import transformers

    name, settings, tokenizer, template = FAMILIES[kind]
    settings = settings | {one: WIDE[one] for one in WIDE.keys() & settings.keys()} if wide else settings
    rows = speaking(tokenizer, template, folder)
    torch.manual_seed(len(kind))
    config = getattr(transformers, _CONFIGS.get(name, f"{name}Config"))(
        vocab_size=rows, pad_token_id=0, bos_token_id=1, eos_token_id=2, **settings)
    model = getattr(transformers, _MODELS.get(name, f"{name}ForCausalLM"))(config)
    with torch.no_grad():
        for one in model.parameters():
            one.add_(torch.randn_like(one) * (0.05 if one.dim() > 1 else 0.2))
    model.generation_config.eos_token_id = None
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    return folder


def speaking(tokenizer: str, template: str, folder: Path) -> int:
    """Put a real tokenizer with this template into a folder; how many rows a model with it needs."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (TOKENIZERS / tokenizer).iterdir():
        if "LICENSE" not in path.name:
            shutil.copyfile(path, folder / path.name)
    config = folder / "tokenizer_config.json"
    told = json.loads(config.read_text()) if config.is_file() else {
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    if template:
        told["chat_template"] = template
    config.write_text(json.dumps(told))
    count = TokenizerFiles.of(folder).tokenizer().get_vocab_size(with_added_tokens=True)
    return -(-count // 64) * 64
