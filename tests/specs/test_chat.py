"""How a model is loaded, served and sampled is declared once, with words in every language, and acted on."""

from __future__ import annotations

import ast

import pytest

from studio.errors import SpecError
from studio.specs.chat import ASKED, SAMPLING, SERVING, check
from studio.texts import languages, sentences
from tests.house.source import modules

ALL = {**SERVING, **SAMPLING}


@pytest.mark.parametrize("lang", languages())
@pytest.mark.parametrize("name", ALL)
def test_every_argument_has_its_words(lang: str, name: str) -> None:
    known, a = sentences(lang), ALL[name]
    assert 0 < len(known[f"arguments.{name}.label"]) <= 30 and len(known[f"arguments.{name}.tip"]) >= 10
    assert f"groups.{a.group}" in known
    assert not [choice for choice in a.choices if f"choices.{name}.{choice}" not in known]


@pytest.mark.parametrize("lang", languages())
def test_two_arguments_never_share_a_label(lang: str) -> None:
    labels = [sentences(lang)[f"arguments.{name}.label"] for name in ALL]
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize("name", ALL)
def test_every_argument_is_acted_on_by_the_server_or_by_serve(name: str) -> None:
    acting = [one for one in modules() if one.room in ("engine", "cli", "chats")]
    found = {node.attr for one in acting for node in ast.walk(one.tree) if isinstance(node, ast.Attribute)}
    found |= {node.value for one in acting for node in one.strings()}
    assert name in found or any(key in found for key in ALL[name].aliases)


def test_the_defaults_of_answering_are_openais() -> None:
    said = {name: a.default for name, a in SAMPLING.items()}
    assert (said["temperature"], said["top_p"], said["n"], said["presence_penalty"]) == (1.0, 1.0, 1, 0.0)
    assert ASKED["max_tokens"] is ASKED["max_completion_tokens"] is SAMPLING["max_new_tokens"]


def test_a_recipe_for_inference_is_taken_as_it_is() -> None:
    spec = check({"model_name_or_path": "starter", "adapter_name_or_path": "saves/a, saves/b", "template": "qwen",
                  "finetuning_type": "lora", "infer_backend": "huggingface", "infer_dtype": "bfloat16",
                  "trust_remote_code": False, "vllm_maxlen": 4096})
    assert spec.adapter_name_or_path == ["saves/a", "saves/b"]
    assert (spec.backend, spec.compute_type, spec.context) == ("own", "bf16", 4096)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(SpecError) as refused:
        check({"max_lanes": 0, "queue": "long", "backend": "sglang", "trust_remote_code": True, "max_lane": 4})
    assert [(one.field, one.code) for one in refused.value.problems] == [
        ("trust_remote_code", "not_yet_served"), ("max_lane", "unknown_near"), ("backend", "not_a_choice"),
        ("max_lanes", "at_least"), ("queue", "not_int")]
