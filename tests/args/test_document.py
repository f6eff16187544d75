"""YAML as people write it: 1.2 scalars, nothing read as something else, every slip named with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.args import document
from studio.errors import InputError


@pytest.mark.parametrize(("text", "value"), [
    ("5e-5", 5e-5), ("1.0e-4", 1e-4), ("1e3", 1000.0), (".5", 0.5), ("-7", -7), ("0x10", 16), ("0o17", 15),
    ("on", "on"), ("yes", "yes"), ("no", "no"), ("1:30", "1:30"), ("017", 17), ("true", True), ("False", False),
    ("~", None), ("", None), ("null", None), ("'5e-5'", "5e-5"), ("2026-11-21", "2026-11-21"), ("你好", "你好"),
    ("[a, b]", ["a", "b"]), ("{min_lr_rate: 0.1}", {"min_lr_rate": 0.1}), ("1_000", "1_000"), ("=", "="),
])
def test_a_scalar_is_what_it_looks_like(text: str, value: Any) -> None:
    assert document.loads(text) == value
    assert type(document.loads(text)) is type(value)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3), max_leaves=8)


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1), _VALUES, max_size=5))
def test_what_is_written_comes_back(value: dict[str, Any]) -> None:
    assert document.loads(document.dumps(value)) == value


@settings(deadline=None)
@given(st.text())
def test_texts_mean_the_same_to_readers_of_the_older_dialect(text: str) -> None:
    assert yaml.safe_load(document.dumps({"value": text})) == {"value": text}


def test_chinese_is_written_as_chinese() -> None:
    assert document.dumps({"default_system": "你是助手"}) == "default_system: 你是助手\n"


@pytest.mark.parametrize(("text", "code", "line"), [
    ("a: 1\n\tb: 2", "yaml_tab", 2), ("a: 1\nb: 2\na: 3", "yaml_duplicate", 3), ("a: [1", "yaml_syntax", 1),
    ("? [a]\n: 1", "yaml_key", 1), ("a: &x 1\nb: *y", "yaml_syntax", 2), ("a: !!python/none x", "yaml_syntax", 1),
])
def test_a_slip_is_named_with_its_line(text: str, code: str, line: int) -> None:
    with pytest.raises(InputError) as caught:
        document.loads(text)
    assert (caught.value.code, caught.value.values["line"]) == (code, line)


def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- a\n- b\n", encoding="utf-8")
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff\xfe")
    for name, code in (("absent.yaml", "file_missing"), ("list.yaml", "yaml_not_mapping"),
                       ("picture.yaml", "file_unreadable"), (".", "file_unreadable")):
        with pytest.raises(InputError) as caught:
            document.read(tmp_path / name)
        assert caught.value.code == code


def test_a_file_may_be_empty_json_or_begin_with_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "spec"
    for text, value in (("", {}), ("# nothing\n", {}), ('{"lora_rank": 4}', {"lora_rank": 4}),
                        ("\ufefflora_rank: 4", {"lora_rank": 4})):
        path.write_text(text, encoding="utf-8")
        assert document.read(path) == value
