"""Words of a command line and values: nothing is lost on the way there and back."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from studio.args import document as yaml
from studio.args.fields import Argument, Kind
from studio.args.flags import command, from_flags, to_flags
from studio.errors import InputError, SpecError
from studio.specs import train

AWKWARD = [
    "null",
    "Null",
    "~",
    "true",
    "false",
    "no",
    "on",
    "1e5",
    "5e-5",
    "0x10",
    "1:30",
    "",
    " ",
    " a ",
    "'",
    '"',
    '"a',
    "'a'",
    '"a" b',
    "[a]",
    "[",
    "{a: 1}",
    "a,b",
    ", ",
    "a: b",
    "a #b",
    "# a",
    "- a",
    "--x",
    "-1",
    "a=b",
    "=",
    "%",
    "&x",
    "*x",
    "!x",
    "|",
    ">",
    "?",
    "@",
    "`",
    "中文，逗号",
    "你好 世界",
    "a\nb",
    "\n",
    "a\n",
    "\ta",
    "a\tb",
    "\r",
    "\x00",
    "\x07",
    "\x85",
    "\u2028",
    "\ufeff",
    "\ufffe",
    "😀",
    "C:\\a b\\c",
    "/路径/with space/x",
    "{{name}}",
    "\\n",
    "a\\",
    "..",
    "...",
    "---",
    "--- a",
    "2024-01-01",
    "1_000",
    ".inf",
    ".nan",
    "=1",
    "<<",
    "\u200b",
    "a" * 300 + " " + "b" * 300,
]
TEXTS = st.one_of(st.sampled_from(AWKWARD), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), FLOATS, TEXTS)
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


def of_kind(a: Argument) -> st.SearchStrategy[Any]:
    """Any value that a declared argument could hold."""
    if a.choices and not a.open_choices:
        values: st.SearchStrategy[Any] = st.sampled_from(a.choices)
    else:
        values = {
            Kind.BOOL: st.booleans(),
            Kind.TEXT: TEXTS,
            Kind.LIST: st.lists(TEXTS, max_size=4),
            Kind.DICT: st.dictionaries(TEXTS, NESTED, max_size=3),
            Kind.INT: integers(a),
            Kind.FLOAT: floats(a),
        }[a.kind]
    return st.one_of(st.none(), values) if a.optional else values


def integers(a: Argument) -> st.SearchStrategy[int]:
    return st.integers(int(a.ge) if a.ge is not None else -(10**6), int(a.le) if a.le is not None else 10**6)


def floats(a: Argument) -> st.SearchStrategy[float]:
    low = a.ge if a.ge is not None else a.gt
    high = a.le if a.le is not None else a.lt
    return st.floats(
        low,
        high,
        exclude_min=a.gt is not None and low is not None,
        exclude_max=a.lt is not None and high is not None,
        allow_nan=False,
        allow_infinity=False,
    )


@st.composite
def drafts(draw: st.DrawFn) -> dict[str, Any]:
    """Values for some of the arguments that a run of some stage and tuner has."""
    stage = draw(st.sampled_from(train.ARGUMENTS["stage"].choices))
    tuner = draw(st.sampled_from(train.ARGUMENTS["finetuning_type"].choices))
    chosen = draw(st.lists(st.sampled_from(train.belonging(stage, tuner)), unique_by=lambda a: a.name, max_size=12))
    return {a.name: draw(of_kind(a)) for a in chosen} | {"stage": stage, "finetuning_type": tuner}


@settings(max_examples=300, deadline=None)
@given(drafts())
@example({"model_name_or_path": "null", "dataset": ["a,b", "[c]", " d"], "default_system": '"quoted"'})
@example(
    {"learning_rate": 5e-05, "adam_epsilon": 1e-08, "lr_scheduler_kwargs": {"一": {"b": [None, False, 1.0, "1e5"]}}}
)
@example({"output_dir": None, "devices": "", "packing": False, "dataset": [], "max_steps": -1})
def test_words_read_back_as_the_same_values(draft: dict[str, Any]) -> None:
    words = to_flags(draft, train.ARGUMENTS)
    assert not any("\0" in word for word in words)
    assert same(from_flags(words, train.ARGUMENTS), draft)
    assert same(from_flags([f"--{word}" for word in words], train.ARGUMENTS), draft)


@settings(max_examples=300, deadline=None)
@given(drafts())
def test_a_spec_survives_yaml_and_the_command_line(draft: dict[str, Any]) -> None:
    try:
        spec = train.check(draft)
    except SpecError:
        return
    values = train.document(spec)
    from_yaml = train.check(yaml.loads(yaml.dumps(values)))
    assert from_yaml == spec
    words = shlex.split(command(train.changed(from_yaml), train.ARGUMENTS))
    assert words[:3] == ["python", "launch.py", "train"]
    from_words = train.check(from_flags(words[3:], train.ARGUMENTS))
    assert from_words == spec
    assert same(train.document(from_words), values)


@settings(max_examples=200, deadline=None)
@given(NESTED)
def test_any_plain_value_survives_a_yaml_line(value: Any) -> None:
    line = yaml.line(value)
    assert "\n" not in line
    assert same(yaml.loads(line), value)
    assert same(yaml.loads(yaml.dumps({"key": value}))["key"], value)


def same(a: Any, b: Any) -> bool:
    """Equal in type too: 1 is not True, and 1.0 is not 1."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def test_a_shell_takes_the_command_apart_as_it_was_put_together() -> None:
    values = {
        "default_system": 'it\'s "5" & $HOME `x` \\ 中文\nnew; line',
        "dataset": ["a b", "c,d"],
        "learning_rate": 5e-5,
    }
    spelled = command(values, train.ARGUMENTS).removeprefix("python launch.py train ")
    done = subprocess.run(["sh", "-c", f"printf '%s\\0' {spelled}"], capture_output=True, check=True, encoding="utf-8")
    assert from_flags(done.stdout.split("\0")[:-1], train.ARGUMENTS) == values


def read(*words: str) -> dict[str, Any]:
    return from_flags(words, train.ARGUMENTS)


def test_a_text_is_taken_as_it_stands() -> None:
    assert read("default_system=true", "model_name_or_path=1e5", "output_dir=a b: c") == {
        "default_system": "true",
        "model_name_or_path": "1e5",
        "output_dir": "a b: c",
    }


def test_null_and_quotes_are_yaml_in_a_text() -> None:
    assert read("output_dir=null", 'default_system="null"') == {"output_dir": None, "default_system": "null"}
    assert read('default_system="a" said he') == {"default_system": '"a" said he'}


def test_a_small_number_is_a_number() -> None:
    assert read("learning_rate=5e-5", "num_train_epochs=3", "max_steps=-1") == {
        "learning_rate": 5e-5,
        "num_train_epochs": 3,
        "max_steps": -1,
    }


def test_a_list_splits_at_commas_unless_it_is_yaml() -> None:
    assert read("dataset=a, b,,c", 'lora_target=["a,b", c]', "eval_dataset=[]") == {
        "dataset": ["a", "b", "c"],
        "lora_target": ["a,b", "c"],
        "eval_dataset": [],
    }


def test_an_equals_sign_in_a_value_stays() -> None:
    assert read("default_system=a=b", "--output_dir=x=y") == {"default_system": "a=b", "output_dir": "x=y"}


def test_the_last_of_two_wins() -> None:
    assert read("lora_rank=8", "--lora_rank", "16") == {"lora_rank": 16}


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["--do_train"], {"do_train": True}),
        (["--packing", "--lora_rank", "4"], {"packing": True, "lora_rank": 4}),
        (["--packing", "false"], {"packing": False}),
        (["--packing", "lora_rank=4"], {"packing": True, "lora_rank": 4}),
        (["--fp16", "lora_rank=4"], {"fp16": True, "lora_rank": 4}),
        (["--max_steps", "-1"], {"max_steps": -1}),
        (["--lora-rank", "4", "lora-rank=5"], {"lora_rank": 5}),
        (["--no_double_quantization"], {"double_quantization": False}),
        (["--dev_ratio", "0.1", "--checkpoint_dir", "a,b"], {"dev_ratio": 0.1, "checkpoint_dir": ["a", "b"]}),
        (["--default_system", "a=b"], {"default_system": "a=b"}),
        (["--model_name_or_path", "/a b/c"], {"model_name_or_path": "/a b/c"}),
    ],
)
def test_older_spellings(words: list[str], values: dict[str, Any]) -> None:
    assert from_flags(words, train.ARGUMENTS) == values


def test_a_word_that_says_nothing_is_refused_by_name() -> None:
    with pytest.raises(InputError) as caught:
        read("lora_rank=8", "hello", "-x", "中文")
    assert caught.value.code == "flag_stray"
    assert caught.value.values["words"] == "hello -x 中文"


def test_the_flags_of_chatglm_efficient_tuning_parse() -> None:
    """A published command of its README, in one line, for the features that the studio has."""
    words = shlex.split(
        "--stage sft --model_name_or_path starter --do_train --dataset number_words,identity --dataset_dir data "
        "--finetuning_type lora --lora_rank 8 --lora_alpha 32.0 --lora_dropout 0.1 --lora_target q_proj,v_proj "
        "--output_dir out "
        "--overwrite_cache --overwrite_output_dir --per_device_train_batch_size 4 --gradient_accumulation_steps 4 "
        "--lr_scheduler_type cosine --logging_steps 10 --save_steps 1000 --learning_rate 5e-5 --num_train_epochs 3.0 "
        "--dev_ratio 0.01 --evaluation_strategy steps --eval_steps 1000 --load_best_model_at_end "
        "--max_source_length 512 --max_target_length 512 --plot_loss --fp16 --seed 1 "
        "--warmup_steps 0 --max_samples 100 --ddp_timeout 1800"
    )
    spec = train.check(from_flags(words, train.ARGUMENTS))
    assert (spec.dataset, spec.lora_alpha, spec.lora_target) == (["number_words", "identity"], 32, ["q_proj", "v_proj"])
    assert (spec.cutoff_len, spec.val_size, spec.compute_type) == (1024, 0.01, "fp16")
    assert spec.load_best_model_at_end is True


@pytest.mark.parametrize(
    ("older", "name", "value"),
    [
        ("--finetuning_type p_tuning --pre_seq_len 64 --prefix_projection", "prefix_projection", True),
        (
            "--finetuning_type freeze --num_layer_trainable 3 --name_module_trainable mlp",
            "freeze_trainable_modules",
            ["mlp"],
        ),
        ("--finetuning_type full --bf16", "compute_type", "bf16"),
        ("--quantization_bit 4 --quantization_type nf4 --double_quantization", "quantization_bit", 4),
        ("--checkpoint_dir a,b --resume_lora_training False", "create_new_adapter", True),
    ],
)
def test_flags_of_other_tuners_parse(older: str, name: str, value: Any) -> None:
    assert getattr(train.check(from_flags(shlex.split(older), train.ARGUMENTS)), name) == value
