"""EvaluateSpec: everything that an evaluation is, checked all at once; recipes of older systems are taken."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from pydantic import create_model

from studio.args.fields import Argument, Group, NameList, Text, arg, arguments
from studio.args.problems import of_choices, unknown_key
from studio.errors import Problem
from studio.plugins import kinds, plugin
from studio.plugins.metrics import ROOT
from studio.specs import train
from studio.specs.chat import LoadingArguments, SamplingArguments
from studio.specs.checking import borrowed, refuse, validated
from studio.specs.groups import DataArguments, HardwareArguments, SavingArguments, TrainingArguments
from studio.specs.older import translate
from studio.specs.older_keys import JOINED, true
from studio.workspace import Workspace

STAGE = "evaluate"
GENERATION, LIKELIHOOD, CHOICES = "generation", "likelihood", "choices"
TASKS = (GENERATION, LIKELIHOOD, CHOICES)
HARNESS = "harness"  # tasks of the lm-evaluation-harness, where that is installed


class EvaluationArguments(Group):
    """Who is asked what, and how the answers are scored."""

    group = "evaluation"

    stage: Text = arg(STAGE, choices=(STAGE,))
    eval_models: NameList = arg([], basic=True)
    eval_run: Text | None = arg(None, basic=True)
    task: Text = arg(GENERATION, choices=(*TASKS, HARNESS), basic=True)
    eval_split: Text = arg("auto", choices=("auto", "test", "val", "dev"), open_choices=True)
    n_shot: int = arg(0, ge=0, le=64)
    metrics: NameList = arg([], basic=True)
    eval_batch_size: int = arg(32, ge=1, le=1024, aliases=(
        "max_lanes", "per_device_eval_batch_size", "per_gpu_eval_batch_size", "batch_size"))


class JudgeArguments(Group):
    """A model behind an address that compares or rates the answers."""

    group = "judge"

    judge: Text | None = arg(None)
    judge_mode: Text = arg("compare", choices=("compare", "rate"))
    judge_rubric: Text | None = arg(None)
    judge_rows: int = arg(50, ge=1, le=100_000)
    judge_price: float | None = arg(None, ge=0)


def _groups() -> tuple[type[Group], ...]:
    """The arguments in the order of the form; those of metrics last."""
    own = [getattr(plugin("metrics", name), "Arguments", None) for name in kinds("metrics")]
    return (
        EvaluationArguments,
        borrowed("data", DataArguments, ("dataset", "dataset_dir", "max_samples"), dataset=[]),
        borrowed("loading", LoadingArguments, (
            "model_name_or_path", "adapter_name_or_path", "template", "default_system", "quantization_bit",
            "compute_type", "context")),
        borrowed("sampling", SamplingArguments, (
            "max_new_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty",
            "frequency_penalty", "num_beams"), max_new_tokens=512, temperature=0.0),
        borrowed("training", TrainingArguments, ("seed",)),
        borrowed("saving", SavingArguments, ("output_dir", "guard")),
        JudgeArguments,
        borrowed("hardware", HardwareArguments, ("devices", "cpu_threads")),
        *(group for group in own if group is not None),
    )


GROUPS = _groups()
ARGUMENTS: Mapping[str, Argument] = MappingProxyType({a.name: a for group in GROUPS for a in arguments(group)})
ALIASES: Mapping[str, str] = MappingProxyType(
    {old: a.name for a in ARGUMENTS.values() for old in a.aliases if old not in ARGUMENTS}
    | {"eval_dataset": "dataset", "save_dir": "output_dir", "eval_num_beams": "num_beams", "models": "eval_models"})
# Keys by which the older systems' recipes ask for an evaluation.
ASKS = ("do_predict", "predict_with_generate", "do_eval")
_SAYS_SO = (*ASKS, "do_train", "do_sample", "lang", "task_dir")
# The older systems' tasks: (folder or archive, split).
OLDER_TASKS = {f"{name}_{split}": (name, part) for name in ("ceval", "cmmlu", "mmlu")
               for split, part in (("test", "test"), ("validation", "val"), ("val", "val"), ("train", "dev"))}


class _Frozen(Group):
    """The common base of the composed specs."""


# create_model cannot be typed by a checker; EvaluateSpec's attributes are the declared arguments.
EvaluateSpec: Any = create_model("EvaluateSpec", __base__=(*reversed(GROUPS), _Frozen),
                                 __doc__="A checked evaluation; frozen.")


def is_asked(draft: Mapping[str, Any]) -> bool:
    """Whether a draft is one of an evaluation: it says so, or asks for predictions and for no training."""
    if draft.get("stage") == STAGE:
        return True
    asks = any(true(draft.get(key)) for key in ("do_predict", "predict_with_generate"))
    return not true(draft.get("do_train")) and (asks or draft.get("task") in OLDER_TASKS)


def check(draft: Mapping[str, Any]) -> Any:
    """The EvaluateSpec of a draft; raises SpecError with every problem at once.

    `draft` holds values as typed on the page, read from YAML or given as flags; recipes of older systems that ask for
    predictions are taken, and what they say of training is left out.
    """
    is_older = draft.get("stage") != STAGE and is_asked(draft)
    values, problems = translate(_today(draft) if is_older else _plain(draft), ARGUMENTS, ALIASES)
    if is_older:
        values = {name: value for name, value in values.items() if name in ARGUMENTS or name not in train.ARGUMENTS}
    unknown = [name for name in values if name not in ARGUMENTS]
    problems += [Problem("not_for_evaluation", name, {"name": name}) if name in train.ARGUMENTS
                 else unknown_key(name, ARGUMENTS, ALIASES) for name in unknown]
    known = {name: value for name, value in values.items() if name in ARGUMENTS}
    spec, found = validated(EvaluateSpec, known, ARGUMENTS)
    problems += found + of_choices(spec, ARGUMENTS)
    problems += [problem for rule in _RULES for problem in rule(spec, known)]
    refuse(problems, ARGUMENTS)
    return spec


def document(spec: Any) -> dict[str, Any]:
    """Every argument of the evaluation as plain data, in the order of the form."""
    return {name: getattr(spec, name) for name in ARGUMENTS}


def changed(spec: Any) -> dict[str, Any]:
    """The arguments whose value is not the default."""
    return {name: value for name, value in document(spec).items() if value != ARGUMENTS[name].default}


def options(spec: Any, workspace: Workspace) -> dict[str, Any]:
    """The arguments of metrics alone, as they take them, and the root of the workspace in which they score."""
    found = {a.name: getattr(spec, a.name) for a in ARGUMENTS.values() if a.group == "metrics"}
    return {**found, ROOT: str(workspace.root)}


def _plain(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The draft without an empty template, which here means the one that each model was trained with."""
    return {name: value for name, value in draft.items() if name != "template" or value is not None}


def _today(draft: Mapping[str, Any]) -> dict[str, Any]:
    """An older recipe's draft in today's words."""
    found = {name: value for name, value in _plain(draft).items() if name not in (*_SAYS_SO, "stage")}
    if found.get("eval_dataset"):
        found.pop("dataset", None)
    if not true(draft.get("do_sample")) and "do_sample" in draft:
        found["temperature"] = 0.0
    task = OLDER_TASKS.get(found.get("task", ""))
    if task is not None:
        found |= {"task": CHOICES, "eval_split": task[1],
                  "dataset": [f"{str(draft.get('task_dir') or 'evaluation').rstrip('/')}/{task[0]}"]}
        found.pop("template", None)  # "fewshot" there spells what is done here anyway
    lengths = {key: found.pop(key) for key in JOINED if key in found and JOINED[key] == "cutoff_len"}
    if "max_new_tokens" not in found and str(lengths.get("max_target_length", "")).isdigit():
        found["max_new_tokens"] = int(lengths["max_target_length"]) + 1  # as ChatGLM-Efficient-Tuning answers
    return found


def _one_adapter(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    names = spec.adapter_name_or_path
    return [Problem("adapters_stacked", "adapter_name_or_path", {"value": names})] if len(names) > 1 else []


def _somebody_is_asked(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    twice = sorted({name for name in spec.eval_models if spec.eval_models.count(name) > 1})
    return [Problem("models_twice", "eval_models", {"value": twice})] if twice else []


def _judge_is_an_address(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    """The judge's name is not told when it is wrong: it may hold a password."""
    if spec.judge is None:
        return []
    parts = urlsplit(spec.judge)
    is_right = parts.scheme in ("http", "https") and parts.hostname and parts.fragment and not parts.username
    return [] if is_right else [Problem("judge_address", "judge", {})]


_RULES = (_one_adapter, _somebody_is_asked, _judge_is_an_address)
