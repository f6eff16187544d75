"""What is said on the command line stands above what a recipe says, by whatever name either calls it."""

from __future__ import annotations

from typing import Any

import pytest

from studio.specs.override import override, today
from studio.specs.train import check


@pytest.mark.parametrize(
    ("recipe", "changes", "name", "value"),
    [
        ({"learning_rate": 1e-3}, {"lr": 1e-4}, "learning_rate", 1e-4),
        ({"lr": 1e-3}, {"learning_rate": 1e-4}, "learning_rate", 1e-4),
        ({"bf16": True}, {"compute_type": "fp32"}, "compute_type", "fp32"),
        ({"bf16": True}, {"fp16": True}, "compute_type", "fp16"),
        ({"compute_type": "fp32"}, {"bf16": True}, "compute_type", "bf16"),
        ({"max_source_length": 100, "max_target_length": 50}, {"cutoff_len": 64}, "cutoff_len", 64),
        ({"max_source_length": 100, "max_target_length": 50}, {"max_target_length": 60}, "cutoff_len", 160),
        ({"cutoff_len": 64}, {"max_source_length": 100}, "cutoff_len", 612),
        ({"disable_gradient_checkpointing": True}, {"gradient_checkpointing": True}, "gradient_checkpointing", True),
        ({"dataset": "a,b"}, {"dataset": ["c"]}, "dataset", ["c"]),
    ],
)
def test_the_last_word_is_the_command_lines(
    recipe: dict[str, Any], changes: dict[str, Any], name: str, value: Any
) -> None:
    assert getattr(check(override(recipe, changes)), name) == value


def test_what_is_not_overridden_stays_in_its_order() -> None:
    assert list(override({"stage": "sft", "lr": 1, "seed": 1}, {"seed": 2})) == ["stage", "lr", "seed"]


def test_an_unknown_key_is_left_for_the_check_to_refuse() -> None:
    assert today("modle") == "modle"
    assert override({"modle": 1}, {}) == {"modle": 1}
