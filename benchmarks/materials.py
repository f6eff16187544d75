"""Models and data for the benchmarks, made here: random weights of two sizes, conversations of mixed length.

`python benchmarks/materials.py` writes them to STUDIO_BENCH_HOME once. Row lengths follow the log-normal shape of
instruction data (median 110 tokens, a tenth beyond 350), so that padding costs what it costs in practice.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

from measure import HOME, PROJECT

SIZES = {
    "tiny": {"hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 768, "num_attention_heads": 4,
             "num_key_value_heads": 2},
    "small": {"hidden_size": 512, "num_hidden_layers": 18, "intermediate_size": 1536, "num_attention_heads": 8,
              "num_key_value_heads": 4},
}
VOCABULARY = 6_400
ROWS = 2_000


def model(size: str) -> Path:
    """A Qwen2 model of random weights with the starter's tokenizer; 4.8 or 60 million parameters."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    folder = HOME / "models" / size
    if (folder / "model.safetensors").exists():
        return folder
    starter = PROJECT / "data" / "starter"
    own = json.loads((starter / "config.json").read_text())
    torch.manual_seed(0)
    config = Qwen2Config(**SIZES[size], vocab_size=VOCABULARY, max_position_embeddings=4096, tie_word_embeddings=True,
                         eos_token_id=own["eos_token_id"], pad_token_id=own.get("pad_token_id"), bos_token_id=None)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
        if (starter / name).exists():
            shutil.copy(starter / name, folder / name)
    return folder


def adapter(size: str, number: int) -> Path:
    """A LoRA of random weights on that model, rank 8 on all linear layers; another one for each number."""
    return _adapter(model(size), HOME / "models" / f"{size}-lora{number}", number)


def adapter_on_starter(number: int) -> Path:
    """The same on the starter."""
    return _adapter(PROJECT / "data" / "starter", HOME / "models" / f"starter-lora{number}", number)


def _adapter(base: Path, folder: Path, number: int) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    if not (folder / "adapter_model.safetensors").exists():
        torch.manual_seed(number + 1)
        shape = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM",
                           init_lora_weights=False)
        get_peft_model(AutoModelForCausalLM.from_pretrained(base), shape).save_pretrained(folder)
    return folder


def rows(count: int = ROWS) -> list[dict[str, str]]:
    """Alpaca rows of words drawn from the shipped samples; the same for every call."""
    chance = random.Random(0)
    words = (PROJECT / "data" / "plain.txt").read_text(encoding="utf-8").split()

    def text(median: float) -> str:
        return " ".join(chance.choices(words, k=max(3, min(600, round(chance.lognormvariate(0, 1.0) * median)))))

    return [{"instruction": text(5), "input": "", "output": text(18)} for _ in range(count)]


def data_file(folder: Path, count: int) -> Path:
    """A folder with the first `count` rows and the catalogue that names them `bench`, for every contestant."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(rows()[:count], ensure_ascii=False), encoding="utf-8")
    (folder / "dataset_info.json").write_text(json.dumps({"bench": {"file_name": "bench.json"}}))
    return folder


if __name__ == "__main__":
    for name in SIZES:
        print(model(name))
