"""Rules between arguments; each breach is a Problem beside the argument that the user would change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.errors import InputError, Problem
from studio.plugins import kinds, plugin
from studio.specs import schedulers


def cross_field(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    """Every broken rule of a spec whose single values are right; `given` is what the user set."""
    return [problem for rule in _RULES for problem in rule(spec, given)]


def _quantized_needs_adapter(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    if spec.quantization_bit and spec.finetuning_type in ("full", "freeze"):
        return [Problem("quantized_full", "quantization_bit",
                        {"value": spec.quantization_bit, "tuner": spec.finetuning_type})]
    return []


def has_evaluation(spec: Any) -> bool:
    """Whether the run evaluates at all."""
    return spec.eval_strategy != "no" and (spec.val_size > 0 or bool(spec.eval_dataset))


def _best_needs_evaluation(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    found = []
    if spec.load_best_model_at_end and not has_evaluation(spec):
        found.append(Problem("best_needs_evaluation", "load_best_model_at_end", {}))
    if spec.load_best_model_at_end and spec.save_strategy == "no":
        found.append(Problem("best_needs_saving", "load_best_model_at_end", {}))
    if spec.early_stopping_patience and not has_evaluation(spec):
        found.append(Problem("early_stop_needs_evaluation", "early_stopping_patience",
                             {"value": spec.early_stopping_patience}))
    return found


def _one_step_at_least(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    if spec.max_steps == 0:
        return [Problem("max_steps_zero", "max_steps", {"value": 0})]
    return []


def _dataset_named(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    return [] if spec.dataset else [Problem("dataset_none", "dataset", {})]


def _shares_fit(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    shares = spec.interleave_probs
    if not shares:
        return []
    if spec.mix_strategy == "concat":
        return [Problem("shares_without_mix", "interleave_probs", {"value": shares})]
    if len(shares) != len(spec.dataset):
        return [Problem("shares_count", "interleave_probs", {"count": len(shares), "datasets": len(spec.dataset)})]
    return [Problem("shares_zero", "interleave_probs", {"value": share}) for share in shares if share <= 0][:1]


def _model_named(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    return [] if spec.model_name_or_path.strip() else [Problem("model_none", "model_name_or_path", {})]


def _val_size_is_share_or_rows(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    if spec.val_size >= 1 and spec.val_size != int(spec.val_size):
        return [Problem("val_size_mixed", "val_size", {"value": spec.val_size})]
    return []


def _adapters_fit_tuner(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    if len(spec.adapter_name_or_path) > 1 and spec.finetuning_type != "lora":
        return [Problem("adapters_only_lora", "adapter_name_or_path",
                        {"count": len(spec.adapter_name_or_path), "tuner": spec.finetuning_type})]
    return []


def _layers_not_zero(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    if spec.finetuning_type == "freeze" and spec.freeze_trainable_layers == 0:
        return [Problem("freeze_zero", "freeze_trainable_layers", {"value": 0})]
    return []


def _scheduler_takes_its_arguments(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    try:
        schedulers.factors(spec.lr_scheduler_type, 1, 100, spec.learning_rate or 1e-4, spec.lr_scheduler_kwargs)
    except InputError as error:
        return [Problem(error.code, "lr_scheduler_kwargs", error.values)]
    except KeyError:
        return []  # the scheduler itself is no choice, which is told beside it
    return []


def _metric_can_lead(spec: Any, given: Mapping[str, Any]) -> list[Problem]:
    """A metric that chooses the best checkpoint must be one of answers alone, with a better and a worse side."""
    name = spec.eval_metric
    if name is None:
        return []
    known = next((one for one in kinds("metrics") if name == one or name in getattr(
        plugin("metrics", one), "ALIASES", ())), None)
    if known is None:
        return [Problem("metric_unknown", "eval_metric", {"value": name, "known": ", ".join(kinds("metrics"))})]
    found = [] if _leads(known) else [Problem("eval_metric_unfit", "eval_metric", {"value": name})]
    if not has_evaluation(spec):
        found.append(Problem("eval_metric_needs_evaluation", "eval_metric", {"value": name}))
    if spec.train_on_prompt:
        found.append(Problem("eval_metric_without_answers", "eval_metric", {"value": name}))
    return found


def _leads(name: str) -> bool:
    metric = plugin("metrics", name)
    if metric.HIGHER is None or set(metric.NEEDS) - {"reference"}:
        return False
    try:
        getattr(metric, "check", dict)({})
    except InputError:
        return False
    return hasattr(metric, "score") or hasattr(metric, "whole")


_RULES = (_model_named, _quantized_needs_adapter, _adapters_fit_tuner, _dataset_named, _shares_fit,
          _val_size_is_share_or_rows, _one_step_at_least, _layers_not_zero, _best_needs_evaluation,
          _metric_can_lead, _scheduler_takes_its_arguments)
