"""Words of a command line become a verb, options and the rest; wrong ones are refused all at once."""

from __future__ import annotations

import pytest

from studio.cli.voice import cut, number, size, table, width
from studio.cli.words import EVERYWHERE, Option, Refused, Verb, sort, split
from studio.errors import InputError, StudioError

STRICT = Verb("runs stop", (Option("force"), Option("tail", "N")), lambda call: 0, "RUN …", 1, 2)
OPEN = Verb("train", (Option("name", "NAME"), Option("json")), lambda call: 0, at_most=None, open=True)


def codes(verb: Verb, *words: str) -> list[str]:
    with pytest.raises(StudioError) as caught:
        sort(verb, words, "en")
    return [error.code for error in getattr(caught.value, "errors", (caught.value,))]


def test_options_stand_anywhere_and_in_both_spellings() -> None:
    call = sort(STRICT, ["--tail", "3", "a", "--force", "--root=/x", "b"], "en")
    assert (call.words, call.options, call.root) == (("a", "b"), {"tail": "3", "force": True, "root": "/x"}, "/x")


def test_behind_two_dashes_everything_is_a_word() -> None:
    assert sort(STRICT, ["--", "--force"], "en").words == ("--force",)


def test_an_open_verb_passes_on_what_it_does_not_know() -> None:
    call = sort(
        OPEN, ["spec.yaml", "--lora_rank", "8", "--name", "x", "--do_train", "-1", "--name_module_trainable=mlp"], "en"
    )
    assert call.words == ("spec.yaml", "--lora_rank", "8", "--do_train", "-1", "--name_module_trainable=mlp")
    assert call.options == {"name": "x"}


def test_every_wrong_word_is_told_at_once() -> None:
    assert codes(STRICT, "--forse", "--force=1", "a", "b", "c", "--tail") == [
        "option_unknown_near",
        "option_takes_none",
        "option_needs_value",
        "word_surplus",
    ]
    assert codes(STRICT) == ["word_missing"]
    assert codes(STRICT, "a", "--zzz") == ["option_unknown"]


def test_one_error_is_told_as_itself() -> None:
    with pytest.raises(InputError) as caught:
        sort(STRICT, [], "en")
    assert not isinstance(caught.value, Refused)


def test_help_is_given_however_wrong_the_rest_is() -> None:
    assert sort(STRICT, ["-h"], "en").has("help")
    assert sort(STRICT, ["--nope", "--help"], "en").has("help")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], ([], "", [])),
        (["runs", "list"], ([], "runs", ["list"])),
        (["--lang", "zh", "runs", "--json"], (["--lang", "zh"], "runs", ["--json"])),
        (["--lang=zh", "--root", "/a b", "train"], (["--lang=zh", "--root", "/a b"], "train", [])),
        (["--lang", "zh"], (["--lang", "zh"], "", [])),
    ],
)
def test_options_for_everything_stand_before_the_verb_too(
    words: list[str], parts: tuple[list[str], str, list[str]]
) -> None:
    assert split(words, EVERYWHERE) == parts


def test_a_table_counts_chinese_characters_twice() -> None:
    assert table([("名称", "x"), ("a", "损失"), ("abcde", "1")], right=(1,)) == [
        "名称      x",
        "a      损失",
        "abcde     1",
    ]
    assert (width("损失 a"), width("e\u0301"), width("")) == (6, 1, 0)


def test_what_is_too_wide_ends_in_an_ellipsis() -> None:
    assert (cut("abc", 3), cut("abcd", 3), cut("损失函数", 5)) == ("abc", "ab…", "损失…")


def test_figures_are_short() -> None:
    assert (number(None), number(0.123456), number(12345.6)) == ("–", "0.1235", "1.235e+04")
    assert (size(12), size(1234), size(5_600_000), size(2_500_000_000_000)) == ("12 B", "1.23 KB", "5.6 MB", "2.5 TB")
