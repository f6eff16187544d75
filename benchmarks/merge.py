"""Merging an adapter into a 0.5-billion-parameter bf16 model: peak memory and CPU, beside PEFT and LLaMA-Factory.

`merge.py [--rounds N]`. Model (the shape of Qwen2.5-0.5B) and adapter (rank 8 on all linear layers) are made here of
random numbers. Every contestant runs in a process of its own and writes model, tokenizer and configuration into a new
folder; the results are compared bit by bit. The studio's acceptance test, which comes after a merge, is not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from measure import HOME, LLAMAFACTORY, PROJECT, PYTHON, Skipped, environment

LAYERS, HIDDEN, INNER, KEYS, VOCABULARY, RANK = 24, 896, 4864, 128, 151_936, 8
LINEAR = {"self_attn.q_proj": (HIDDEN, HIDDEN), "self_attn.k_proj": (KEYS, HIDDEN), "self_attn.v_proj": (KEYS, HIDDEN),
          "self_attn.o_proj": (HIDDEN, HIDDEN), "mlp.gate_proj": (INNER, HIDDEN), "mlp.up_proj": (INNER, HIDDEN),
          "mlp.down_proj": (HIDDEN, INNER)}
MARKS = {("memory", "peft"): 0.08, ("cpu", "peft"): 0.5, ("cpu", "llamafactory"): 0.4}

STUDIO = """
import sys
from pathlib import Path
from types import SimpleNamespace as Names
from studio.exports import speech, weights
from studio.exports.source import Part, Source
from studio.exports.work import Work
from studio.runs.files import RunFolder
from studio.workspace import Workspace
base, adapter, into = map(Path, sys.argv[1:])
source = Source('bench', base, 'bench', (Part('adapter', adapter, 'lora'),))
work = Work(Names(), source, Workspace.at(), RunFolder(into), into, into, lambda *where: None, lambda: None, print)
weights.write(weights.stream(source, 'auto'), into, 5.0, work)
speech.write_companions(work)
"""
PEFT = """
import sys
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
base, adapter, into = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(into)
AutoTokenizer.from_pretrained(base).save_pretrained(into)
"""
FACTORY = """
import sys
from llamafactory.train.tuner import export_model
base, adapter, into = sys.argv[1:]
export_model(dict(model_name_or_path=base, adapter_name_or_path=adapter, template='chatml', finetuning_type='lora',
                  export_dir=into, export_size=5, export_device='cpu', infer_dtype='bfloat16'))
"""
# A process's peak begins anew with its program; what wait4 tells would include the benchmark's own.
PEAK = "print('peak', open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
CONTESTANTS = {"studio": (PYTHON, STUDIO), "peft": (PYTHON, PEFT), "llamafactory": (LLAMAFACTORY, FACTORY)}


def model() -> Path:
    """The base model; written once."""
    folder = HOME / "models" / "half-billion"
    if (folder / "config.json").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shapes = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        shapes |= {f"{at}{name}.weight": shape for name, shape in LINEAR.items()}
        shapes |= {f"{at}{name}.bias": LINEAR[name][:1] for name in LINEAR if name[-6] in "qkv"}
        shapes |= {f"{at}{name}.weight": (HIDDEN,) for name in ("input_layernorm", "post_attention_layernorm")}
    _write(folder / "model.safetensors", shapes, "BF16", 0.02)
    starter = PROJECT / "data" / "starter"
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(starter / name, folder / name)
    config = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": HIDDEN, "dtype": "bfloat16",
              "torch_dtype": "bfloat16", "intermediate_size": INNER, "num_hidden_layers": LAYERS, "eos_token_id": 2,
              "num_attention_heads": HIDDEN // 64, "num_key_value_heads": KEYS // 64, "vocab_size": VOCABULARY,
              "tie_word_embeddings": True, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6, "hidden_act": "silu"}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def adapter(base: Path) -> Path:
    """The LoRA; written once."""
    folder = base.with_name("half-billion-lora")
    if (folder / "adapter_config.json").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(LAYERS):
        for name, (outs, ins) in LINEAR.items():
            at = f"base_model.model.model.layers.{layer}.{name}.lora_"
            shapes |= {f"{at}A.weight": (RANK, ins), f"{at}B.weight": (outs, RANK)}
    _write(folder / "adapter_model.safetensors", shapes, "F32", 0.05)
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": 2 * RANK, "lora_dropout": 0.0,
              "target_modules": [name.partition(".")[2] for name in LINEAR], "bias": "none",
              "base_model_name_or_path": str(base)}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def _write(path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str, spread: float) -> None:
    from studio.exports.weights import Planned, numbers, writing

    dice = np.random.default_rng(len(shapes))
    planned = {name: Planned(shape, dtype) for name, shape in shapes.items()}
    for _ in writing.write_file(path, planned, lambda name: [numbers.narrowed(
            dice.standard_normal(shapes[name], np.float32) * np.float32(spread), dtype)]):
        pass


def measured(name: str, into: Path) -> dict[str, float]:
    """Peak memory in MB and CPU-seconds of one contestant; raises Skipped."""
    python, program = CONTESTANTS[name]
    if not python:
        raise Skipped("LLAMAFACTORY_PYTHON is not set")
    base = model()
    command = [python, "-c", program + PEAK, str(base), str(adapter(base)), str(into)]
    into.mkdir(parents=True)
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, used = os.wait4(child.pid, 0)
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if status:
        raise Skipped(said[-250:])
    peak = next(line.split()[1] for line in reversed(said.splitlines()) if line.startswith("peak "))
    return {"memory": int(peak) * 1.024 / 1000, "cpu": used.ru_utime + used.ru_stime}


def equal(one: Path, other: Path) -> str:
    """In how many tensors two results are the same bytes."""
    from studio.exports.weights import files

    first, second = files.of_model(one), files.of_model(other)
    same = sum(name in second and all(np.array_equal(tensor.stored(*span), second[name].stored(*span))
                                      for span in files.spans(tensor.shape)) for name, tensor in first.items())
    return f"{same} of {len(first)} tensors, {len(set(first) ^ set(second))} in one alone"


def main() -> None:
    """Run all in turn and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1)
    rounds = parser.parse_args().rounds
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory(dir=HOME if model() else None) as scratch:
        for number in range(rounds):
            for name in CONTESTANTS:
                shutil.rmtree(Path(scratch) / name, ignore_errors=True)
                try:
                    figures[name].append(measured(name, Path(scratch) / name))
                    print(f"round {number + 1}: {name} {figures[name][-1]}", file=sys.stderr, flush=True)
                except Skipped as why:
                    print(f"{name}: skipped: {why}", file=sys.stderr, flush=True)
        for name in ("peft", "llamafactory"):
            if figures[name] and figures["studio"]:
                print(f"studio and {name} are equal in {equal(Path(scratch) / 'studio', Path(scratch) / name)}")
    print("\n| merging into 0.5 billion bf16 | peak memory, MB | CPU-s | studio's memory / its | studio's CPU / its |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, found in figures.items():
        if found and figures["studio"]:
            ratio = {kind: statistics.median(own[kind] / its[kind] for own, its in
                                             zip(figures["studio"], found, strict=False)) for kind in found[0]}
            print(f"| {name} | {found[0]['memory']:.0f} | {found[0]['cpu']:.1f} | {ratio['memory']:.3f}"
                  f"{_mark('memory', name)} | {ratio['cpu']:.2f}{_mark('cpu', name)} |")
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; one thread each.")


def _mark(kind: str, name: str) -> str:
    return f" (wanted: {MARKS[kind, name]})" if (kind, name) in MARKS else ""


if __name__ == "__main__":
    main()
