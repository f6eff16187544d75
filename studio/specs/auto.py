"""What `learning_rate: auto` means: one table by tuner and size, resolved before the run is frozen."""

from __future__ import annotations

from typing import Any

_SMALL, _MIDDLE = 20_000_000, 1_000_000_000
# tuner: learning rate below 20 million, below one billion, from one billion parameters on.
_RATES = {
    "lora": (3e-3, 4e-4, 2e-4),
    "prefix": (2e-2, 1e-2, 5e-3),
    "freeze": (1e-3, 1e-4, 2e-5),
    "full": (3e-4, 5e-5, 1e-5),
}


def learning_rate(tuner: str, parameters: int) -> float:
    """A usual learning rate for a model of so many parameters; an unknown tuner gets full tuning's."""
    small, middle, large = _RATES.get(tuner, _RATES["full"])
    return small if parameters < _SMALL else middle if parameters < _MIDDLE else large


def resolve(spec: Any, parameters: int | None) -> Any:
    """The spec with every `auto` that depends on the model's size made a number; unknown sizes stay auto."""
    if spec.learning_rate is not None or parameters is None:
        return spec
    return spec.model_copy(update={"learning_rate": learning_rate(spec.finetuning_type, parameters)})
