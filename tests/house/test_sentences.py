"""Every sentence lives in locales/: none in Python, none missing, none left over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from studio.texts import sentences
from tests.house.source import Module, modules, pattern, place

# Three plain words in a row, as a person writes them.
SENTENCE = re.compile(r"(?<![\w./-])[A-Za-z][a-z']+(?:[,;:]? [A-Za-z][a-z']*){2,}")
# What no sentence has: a call, a template, the grammar of another language.
CODE = re.compile(r"\w\(|&&|=>|;$|\{\{|\{%|</")
# The switch of languages names each in its own letters, in every language.
OWN_NAMES = {"中文", "中文 | EN"}
CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
# Errors of a programmer, never shown to a user.
INTERNAL = {"TypeError", "ValueError", "AssertionError", "RuntimeError", "KeyError", "NotImplementedError"}
# Where three words in a row are another language's grammar, not a sentence: chat templates.
GRAMMARS = "studio/plugins/templates/"
# What other programs and fonts are called or say, as they say it; never spoken by the studio.
FOREIGN = {
    "No space left on device", "Disk quota exceeded", "File too large", "can't allocate memory",
    "Installing collected packages", "No matching distribution", "Noto Sans CJK SC", "docker compose up",
    # a remark in a file that other programs read
    "keys and values (layers, 2, heads, length, dim); text positions begin at 0",
}
# Rooms that read what pip says; what they say themselves comes from locales/launch.json.
READS_PIP = {"studio/prepare/progress.py", "studio/prepare/refusal.py"}
CODED = {"InputError": ("errors",), "Refusal": ("errors",), "WorkError": ("errors",), "StudioError": ("errors",),
         "Problem": ("problems", "errors"), "Unusable": ("data.skipped",)}
# Sections whose keys are spoken by code, through one place that puts the section in front.
SECTIONS = ("problems", "errors", "data.skipped", "cli", "engine")
# Rooms whose own `say` takes a key of their section.
VOICES = {"cli": "cli", "engine": "engine"}
ALWAYS_GIVEN = {"problems": {"field", "label"}}


def is_internal(module: Module, node: ast.AST) -> bool:
    """Whether a text is for the programmer: an internal error, an assertion, a docstring, names of styles."""
    for outer in module.ancestors(node):
        if isinstance(outer, ast.Assert):
            return True
        if isinstance(outer, ast.Raise) and isinstance(outer.exc, ast.Call):
            return getattr(outer.exc.func, "id", "") in INTERNAL
        if isinstance(outer, ast.keyword) and outer.arg in ("__doc__", "class_", "elem_classes"):
            return True
    return False


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_no_sentence_stands_in_python(module: Module) -> None:
    if module.name in READS_PIP or module.name.startswith(GRAMMARS):
        return
    found = [f"{place(module, node)}: {node.value!r}" for node in module.strings()
             if SENTENCE.search(without_foreign(node.value)) and not CODE.search(node.value)
             and not is_internal(module, node)]
    assert not found


def without_foreign(text: str) -> str:
    for words in FOREIGN:
        text = text.replace(words, "")
    return text


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_no_chinese_stands_in_python(module: Module) -> None:
    if module.name.startswith(GRAMMARS):  # what a Chinese model was taught to read is not spoken to the user
        return
    assert not [place(module, node) for node in module.strings()
                if CHINESE.search(node.value) and node.value not in OWN_NAMES]


def spoken(module: Module) -> Iterator[tuple[ast.Call, tuple[str, ...], ast.expr, set[str] | None]]:
    """(call, sections to look in, code or key, names of the values or None when not all are written out)."""
    for name, call in module.calls():
        if name == "say" and len(call.args) == 2 and module.room != "prepare":
            yield call, ("",), call.args[1], _names(call.keywords)
        elif name in ("say", "_say") and len(call.args) == 1 and module.room in VOICES:
            yield call, (VOICES[module.room],), call.args[0], _names(call.keywords)
        elif name in CODED and call.args:
            values = _names(call.keywords)
            if name == "Problem":
                given = call.args[2] if len(call.args) > 2 else ast.Dict([], [])
                values = {key.value for key in given.keys if isinstance(key, ast.Constant)} \
                    if isinstance(given, ast.Dict) and None not in given.keys else None
            yield call, CODED[name], call.args[0], values


def _names(keywords: list[ast.keyword]) -> set[str] | None:
    names = {word.arg for word in keywords}
    return None if None in names else names  # type: ignore[return-value]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_whatever_is_said_has_its_sentence_and_the_values_it_needs(module: Module) -> None:
    known, wrong = sentences("en"), []
    for call, sections, code, values in spoken(module):
        wanted = pattern(code)
        if wanted is None:
            continue
        keys = [key for section in sections for key in known
                if wanted.match(key.removeprefix(f"{section}.")) and key.startswith(section)]
        if not keys:
            wrong.append(f"{place(module, call)}: no sentence {sections[0]} {ast.unparse(code)}")
        elif isinstance(code, ast.Constant) and values is not None and (values or sections != ("",)):
            missing = placeholders(known[keys[0]]) - values - ALWAYS_GIVEN.get(sections[0], set())
            if missing:
                wrong.append(f"{place(module, call)}: {keys[0]} needs {sorted(missing)}")
    assert not wrong


def test_every_sentence_is_spoken_somewhere() -> None:
    literals, shapes = set(), []
    for module in modules():
        literals |= {node.value for node in module.strings()}
        shapes += [found for node in ast.walk(module.tree) if isinstance(node, ast.JoinedStr)
                   and not is_front(node) and (found := pattern(node))]
    silent = []
    for key in sentences("en"):
        section = next((section for section in SECTIONS if key.startswith(f"{section}.")), "")
        code = key.removeprefix(f"{section}.")
        if not ({key, code} & literals or any(shape.match(key) or shape.match(code) for shape in shapes)):
            silent.append(key)
    assert not silent


def is_front(node: ast.JoinedStr) -> bool:
    """Whether an f-string only puts a section in front of a code: f"errors.{code}"."""
    first = node.values[0]
    return len(node.values) == 2 and isinstance(first, ast.Constant) and str(first.value)[:-1] in SECTIONS


def placeholders(sentence: str) -> set[str]:
    """The names in curly brackets."""
    return set(re.findall(r"(?<!\{)\{(\w+)[^{}]*\}(?!\})", sentence))
