"""What the fields show and what they mean are the same thing, both ways."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from studio.args import Argument, Kind
from studio.specs import train
from studio.specs.train import ARGUMENTS
from studio.ui.form import read
from studio.ui.page import Page
from studio.ui.widgets import LEFT_OUT, shown, typed

_TEXT = some.text(min_size=1, max_size=12).map(str.strip).filter(bool)


def value_of(a: Argument) -> some.SearchStrategy[Any]:
    """Right values of an argument."""
    if a.choices and not a.open_choices:
        found: some.SearchStrategy[Any] = some.sampled_from(a.choices)
    elif a.kind is Kind.BOOL:
        found = some.booleans()
    elif a.kind is Kind.INT:
        found = some.integers(int(a.ge if a.ge is not None else -50), int(a.le or 9999))
    elif a.kind is Kind.FLOAT:
        low = a.ge if a.ge is not None else a.gt if a.gt is not None else 0.0
        high = a.le if a.le is not None else a.lt if a.lt is not None else 10.0
        found = some.floats(
            low, high, exclude_min=a.gt is not None, exclude_max=a.lt is not None, allow_subnormal=False
        )
    elif a.kind is Kind.LIST:
        (member,) = get_args(train.TrainSpec.model_fields[a.name].annotation)
        found = some.lists(some.floats(0.01, 100) if member is float else _TEXT, max_size=3)
    elif a.kind is Kind.DICT:
        found = some.dictionaries(
            _TEXT,
            some.one_of(
                some.integers(),
                some.floats(allow_nan=False, allow_infinity=False),
                some.booleans(),
                some.none(),
                _TEXT,
                some.lists(_TEXT, max_size=2),
            ),
            max_size=3,
        )
    else:
        found = _TEXT
    return some.one_of(some.none(), found) if a.optional else found


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_field_gives_back_what_it_shows(name: str) -> None:
    a = ARGUMENTS[name]

    @settings(max_examples=25, deadline=None, database=None)
    @given(value_of(a))
    def same(value: Any) -> None:
        back = typed(a, shown(a, value))
        if back is LEFT_OUT:
            back = a.default
        assert getattr(train.TrainSpec(**{name: back}), name) == getattr(train.TrainSpec(**{name: value}), name)

    same()


def test_an_untouched_form_is_an_empty_draft(page: Page) -> None:
    assert read([field.value for field in page.form.inputs]) == {}


def test_fill_and_read_lose_nothing(page: Page) -> None:
    draft = {
        "finetuning_type": "lora",
        "learning_rate": 5e-5,
        "lora_target": ["q_proj", "a,b"],
        "use_dora": True,
        "gradient_checkpointing": False,
        "lr_scheduler_type": "cosine_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr": 1e-6, "num_cycles": 1.5},
        "default_system": "你是一个助手：1\n第二行",
        "model_name_or_path": "/a folder/模型",
        "quantization_bit": 4,
        "dataset": ["arithmetic", "identity"],
        "output_dir": "my run",
        "load_best_model_at_end": False,
    }
    held = [update["value"] for update in page.form.fill(draft)]
    assert train.check(read(held)) == train.check(draft)


def test_a_tuners_own_fields_are_not_sent_with_another_tuner(page: Page) -> None:
    held = [update["value"] for update in page.form.fill({"lora_rank": 64, "finetuning_type": "full"})]
    assert read(held) == {"finetuning_type": "full"}


def test_only_what_belongs_is_visible(page: Page) -> None:
    rows = {
        a.group: update["visible"]
        for (_, a), update in zip(page.form.scopes, page.form.visible("sft", "prefix"), strict=True)
    }
    assert rows["prefix"] and not rows["lora"] and not rows["freeze"]


def test_a_folded_group_says_that_it_holds_changed_values(page: Page) -> None:
    titles = dict(zip(page.form.groups, page.form.titles("en", {"weight_decay": 0.1, "optim": "sgd"}), strict=True))
    assert titles["optimizer"]["label"] == "Optimizer · 2 changed"
    assert titles["data"]["label"] == "Data handling"


def test_search_finds_names_older_names_and_words_of_both_languages(page: Page) -> None:
    for query, name in (("lora_dropout", "lora_dropout"), ("dev_ratio", "val_size"), ("学习率", "learning_rate")):
        assert name in page.form.search(query, "sft", "lora")[0]
    assert "prefix_projection" not in page.form.search("prefix", "sft", "lora")[0]
    assert "null" in page.form.search("", "sft", "lora")[0]


def test_what_is_typed_and_wrong_comes_back_as_it_was_typed(page: Page) -> None:
    draft = {"learning_rate": "abc", "lora_rank": "1.5", "lr_scheduler_kwargs": "a: [", "num_train_epochs": "-0"}
    held = [update["value"] for update in page.form.fill(draft)]
    assert read(held) == draft
