"""CPU-seconds per 1,000 tokens of LoRA training, beside the peers: `train_cost.py [contestant …] [--rounds N]`.

STUDIO_BENCH_SIZE=tiny (4.8 million parameters, the default) or small (60 million). Every contestant is charged the same
way: (CPU of a long run − CPU of a short run) / (tokens of the rows between), so start-up and saving cancel out.
Ratios above 1 beside `studio` mean that the peer needs so many times the studio's CPU.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from functools import cache
from pathlib import Path

from materials import data_file, model, rows
from measure import LLAMAFACTORY, PYTHON, Skipped, contest, cpu_seconds, environment

SIZE = os.environ.get("STUDIO_BENCH_SIZE", "tiny")
LENGTHS = {"tiny": (80, 400), "small": (16, 80)}[SIZE]
HERE = Path(__file__).parent
CUTOFF = 1024

# contestant: (peer of peers.py or "studio", its options)
CONTESTANTS = {
    "studio": ("studio", {"compute_type": "fp32"}),
    "llamafactory": ("llamafactory", {}),
    "trl": ("trl", {}),
    "trainer": ("trainer", {}),
    "trainer-flat": ("trainer", {"flat": True}),
    "studio-bf16": ("studio", {"compute_type": "bf16"}),
    "llamafactory-bf16": ("llamafactory", {"bf16": True}),
    "studio-packing": ("studio", {"compute_type": "fp32", "packing": True}),
    "llamafactory-packing": ("llamafactory", {"disable_gradient_checkpointing": True, "packing": True,
                                              "neat_packing": True}),
    "studio-packing-bf16": ("studio", {"compute_type": "bf16", "packing": True}),
    "llamafactory-packing-bf16": ("llamafactory", {"disable_gradient_checkpointing": True, "packing": True,
                                                   "neat_packing": True, "bf16": True}),
}


@cache
def tokens() -> int:
    """Tokens of the rows by which the long run exceeds the short one, as the chat template spells them."""
    from studio.data.chat import ChatTokenizer
    from studio.sample import Message

    chat = ChatTokenizer.load(model(SIZE))
    between = rows()[slice(*LENGTHS)]
    texts = [chat.render((Message("user", row["instruction"]), Message("assistant", row["output"]))) for row in between]
    return sum(min(CUTOFF, len(chat.encode_text(text))) for text in texts)


def studio_spec(root: Path, **options: object) -> Path:
    """A recipe file for the studio with the settings that the peers get."""
    spec = {"model_name_or_path": str(model(SIZE)), "stage": "sft", "finetuning_type": "lora", "lora_rank": 8,
            "lora_alpha": 16, "lora_target": "all", "dataset": "bench", "cutoff_len": CUTOFF,
            "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "learning_rate": 1e-4,
            "num_train_epochs": 1.0, "logging_steps": 5, "val_size": 0, "save_steps": 100_000, **options}
    path = root / "spec.yaml"
    path.write_text(json.dumps(spec))
    return path


def run(peer: str, options: dict[str, object], count: int, **more: object) -> float:
    """CPU-seconds of one epoch over the first `count` rows."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        data = data_file(root / "data", count)
        if peer == "studio":
            recipe = studio_spec(root, **options, **more)
            return cpu_seconds([PYTHON, "-m", "studio.cli", "train", recipe, "--root", root])
        python = LLAMAFACTORY if peer == "llamafactory" else PYTHON
        if not python:
            raise Skipped("LLAMAFACTORY_PYTHON is not set")
        pairs = [f"{key}={json.dumps(value)}" for key, value in {**options, **more}.items()]
        return cpu_seconds([python, HERE / "peers.py", peer, model(SIZE), data, *pairs],
                           environment(HF_DATASETS_CACHE=str(root / "cache")))


def cost(name: str) -> float:
    """CPU-seconds per 1,000 tokens of steady training."""
    peer, options = CONTESTANTS[name]
    short, long = (run(peer, dict(options), count) for count in LENGTHS)
    return (long - short) / tokens() * 1000


if __name__ == "__main__":
    chosen = {name: (lambda name=name: cost(name)) for name in CONTESTANTS}
    contest(f"LoRA training of the {SIZE} model, batch 4, mixed lengths", chosen, "studio", "CPU-s / 1,000 tokens",
            sys.argv[1:])
