"""The house rules themselves: each finds the breach that it is for."""

from __future__ import annotations

import pytest

from tests.house import test_floors, test_modules, test_sentences
from tests.house.source import STUDIO, Module


def module(room: str, text: str) -> Module:
    """A module of a room that exists only here."""
    made = Module(STUDIO / room / "made_up.py" if room else STUDIO / "errors.py")
    made.__dict__["text"] = text
    return made


@pytest.mark.parametrize(("room", "text"), [
    ("args", "from studio.specs import train"), ("texts", "from studio.args import arg"),
    ("ui", "import studio.engine.loop"), ("engine", "from studio.ui import app"),
    ("runs", "def f():\n    from studio.cli import main"), ("", "import studio.args"),
    ("plugins", "from studio.engine import loop"),
])
def test_an_import_from_above_is_found(room: str, text: str) -> None:
    with pytest.raises(AssertionError):
        test_floors.test_a_module_imports_only_from_its_own_room_and_lower_floors(module(room, text))


@pytest.mark.parametrize(("room", "text"), [
    ("data", "import torch"), ("plugins", "from transformers import AutoModel"), ("runs", "import gradio as gr"),
    ("ui", "def f():\n    import peft"), ("engine", "import gradio"),
])
def test_torch_and_gradio_out_of_their_rooms_are_found(room: str, text: str) -> None:
    with pytest.raises(AssertionError):
        test_floors.test_torch_stays_in_the_engine_and_gradio_in_the_page(module(room, text))


@pytest.mark.parametrize(("room", "text"), [
    ("plugins", "def f():\n    import torch"), ("engine", "import torch"), ("ui", "import gradio as gr"),
    ("data", "import datasets_of_mine"),
])
def test_torch_and_gradio_in_their_rooms_are_fine(room: str, text: str) -> None:
    test_floors.test_torch_stays_in_the_engine_and_gradio_in_the_page(module(room, text))


@pytest.mark.parametrize("text", [
    "print('The run was not found.')", "x = f'Could not open {path} for reading'", "label = 'choose a model first'",
    "raise InputError('no such model here')",
])
def test_a_sentence_in_python_is_found(text: str) -> None:
    with pytest.raises(AssertionError):
        test_sentences.test_no_sentence_stands_in_python(module("ui", text))


@pytest.mark.parametrize("text", [
    "'The promise of a module, in many words.'", "raise TypeError('not declared with an arg')", "x = 'lora_rank'",
    "run(['git', 'log'])", "x = 'page.form.title'", "assert x, 'this can never happen'",
])
def test_what_is_no_sentence_is_left_alone(text: str) -> None:
    test_sentences.test_no_sentence_stands_in_python(module("ui", text))


def test_chinese_in_python_is_found() -> None:
    with pytest.raises(AssertionError):
        test_sentences.test_no_chinese_stands_in_python(module("ui", "x = '开始'"))


@pytest.mark.parametrize("text", [
    "say(lang, 'no.such.key')", "InputError('no_such_code')", "say(lang, 'errors.file_missing', way='x')",
    "Problem('at_least', name, {'value': 1})", "InputError('file_missing')", "say(lang, f'nowhere.{x}')",
])
def test_a_missing_sentence_or_value_is_found(text: str) -> None:
    with pytest.raises(AssertionError):
        test_sentences.test_whatever_is_said_has_its_sentence_and_the_values_it_needs(module("ui", text))


@pytest.mark.parametrize("kind", ["Exception", "BaseException", ""])
def test_a_swallowed_error_is_found(kind: str) -> None:
    with pytest.raises(AssertionError):
        test_modules.test_no_error_is_swallowed_whole(module("ui", f"try:\n    f()\nexcept {kind}:\n    pass"))


def test_a_long_module_and_one_without_a_promise_are_found() -> None:
    for text in ("'''Promise.'''\n" + "x = 1\n" * 401, "x = 1\n"):
        with pytest.raises(AssertionError):
            test_modules.test_a_module_is_short_and_says_what_lives_in_it(module("ui", text))
