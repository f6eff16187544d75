"""How a model is loaded to be talked to, served, and how it answers: declared once, for page, flags and server.

The defaults of answering are those of the OpenAI protocol; a request's body is checked against the same bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError, create_model

from studio.args.fields import Argument, Group, NameList, Text, arg, arguments
from studio.args.problems import not_numbers, of_choices, of_validation, unknown_key
from studio.errors import Problem, SpecError
from studio.plugins import kinds


class LoadingArguments(Group):
    """Which weights answer, and in which numbers they compute."""

    group = "loading"

    model_name_or_path: Text = arg("starter", basic=True, path=True)
    adapter_name_or_path: NameList = arg([], path=True, aliases=("checkpoint_dir",))
    template: Text | None = arg(None, choices=kinds("templates"), open_choices=True)
    default_system: Text | None = arg(None)
    quantization_bit: int | None = arg(None, choices=(4, 8))
    compute_type: Text = arg("auto", choices=("auto", "bf16", "fp16", "fp32"), aliases=("infer_dtype",))
    cpu_threads: int | None = arg(None, ge=1, le=1024)
    context: int | None = arg(None, ge=16, le=10_000_000, aliases=("vllm_maxlen", "max_model_len"))


class ServingArguments(Group):
    """How many are answered at once, and for how long a model stays in memory."""

    group = "serving"

    backend: Text = arg("own", choices=("own", "vllm"), aliases=("infer_backend",))
    max_lanes: int = arg(32, ge=1, le=1024, aliases=("max_num_seqs",))
    queue: int = arg(256, ge=0, le=100_000)
    idle_minutes: float = arg(0.0, ge=0, le=100_000)


class SamplingArguments(Group):
    """How the next word is chosen, and when an answer ends."""

    group = "sampling"

    max_new_tokens: int = arg(1024, ge=1, le=1_048_576, basic=True, aliases=("max_tokens", "max_completion_tokens"))
    temperature: float = arg(1.0, ge=0, le=2, basic=True)
    top_p: float = arg(1.0, gt=0, le=1, basic=True)
    top_k: int = arg(0, ge=-1, le=1_000_000)
    min_p: float = arg(0.0, ge=0, le=1)
    repetition_penalty: float = arg(1.0, gt=0, le=10)
    presence_penalty: float = arg(0.0, ge=-2, le=2)
    frequency_penalty: float = arg(0.0, ge=-2, le=2)
    answer_seed: int | None = arg(None, ge=0, le=2**63 - 1, aliases=("seed",))
    num_beams: int = arg(1, ge=1, le=16)
    n: int = arg(1, ge=1, le=128)


GROUPS: tuple[type[Group], ...] = (LoadingArguments, ServingArguments, SamplingArguments)
SERVING: Mapping[str, Argument] = MappingProxyType(
    {a.name: a for group in GROUPS[:2] for a in arguments(group)})
SAMPLING: Mapping[str, Argument] = MappingProxyType({a.name: a for a in arguments(SamplingArguments)})
ALIASES: Mapping[str, str] = MappingProxyType({old: a.name for a in SERVING.values() for old in a.aliases})
# The keys of a request's body under which an answer's arguments are asked for.
ASKED: Mapping[str, Argument] = MappingProxyType({name: a for a in SAMPLING.values() for name in (*a.aliases, a.name)})
# Keys of recipes for inference that say what is done anyway, with the values that say it.
_ANYWAY: Mapping[str, tuple[Any, ...]] = MappingProxyType({
    "stage": ("sft", "dpo", "kto", "orpo", "simpo", "grpo", "ppo"), "trust_remote_code": (False, None),
    "finetuning_type": ("lora", "full", "freeze", "prefix"), "do_train": (False,), "do_predict": (False,)})
_OTHER_WORDS: Mapping[tuple[str, Any], str] = MappingProxyType({
    ("backend", "huggingface"): "own", ("backend", "hf"): "own", ("compute_type", "bfloat16"): "bf16",
    ("compute_type", "float16"): "fp16", ("compute_type", "float32"): "fp32"})

# create_model cannot be typed by a checker; ServeSpec's attributes are the declared arguments.
ServeSpec: Any = create_model("ServeSpec", __base__=(ServingArguments, LoadingArguments),
                              __doc__="What is served and how, checked; frozen.")


def check(draft: Mapping[str, Any]) -> Any:
    """The ServeSpec of a draft, which may be a recipe for inference; raises SpecError with every problem at once."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in draft.items():
        name = ALIASES.get(key, key)
        value = _OTHER_WORDS.get((name, value), value) if isinstance(value, str) else value
        if name in SERVING:
            values[name] = [] if value is None and name == "adapter_name_or_path" else value
        elif key not in _ANYWAY:
            problems.append(unknown_key(key, SERVING, ALIASES))
        elif value not in _ANYWAY[key]:
            problems.append(Problem("not_yet_served", key, {"name": key, "value": value}))
    problems += not_numbers(values, SERVING)
    try:
        ServeSpec(**values)
    except ValidationError as error:
        problems += of_validation(error, SERVING)
    wrong = {problem.field for problem in problems}
    spec = ServeSpec(**{name: value for name, value in values.items() if name not in wrong})
    problems += of_choices(spec, SERVING)
    if problems:
        order = {name: place for place, name in enumerate(SERVING)}
        raise SpecError(sorted(problems, key=lambda problem: order.get(problem.field, -1)))
    return spec
