"""The words of a command line sorted into a verb, its options and the rest; every wrong word is refused at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio.errors import InputError, StudioError

if TYPE_CHECKING:
    from studio.args.fields import Argument


@dataclass(frozen=True)
class Option:
    """`--name VALUE`, or the switch `--name` when there is no `value`; its words are `cli.options.<name>`.

    `key` is the argument of a recipe that means the same: `key=VALUE` is taken too. What may be given several times
    (`many`) is a list in the order given.
    """

    name: str
    value: str = ""
    choices: tuple[str, ...] = ()
    key: str = ""
    many: bool = False

    @property
    def flag(self) -> str:
        """As it is typed."""
        return f"--{self.name}"


@dataclass(frozen=True)
class Verb:
    """One thing that the command line does.

    `words` shows what it takes besides options, `at_least` and `at_most` how many of them; a verb that is `open`
    takes flags that are none of its options too and gets them among its words: the arguments that `declared` names.
    """

    name: str
    options: tuple[Option, ...]
    work: Callable[[Call], int]
    words: str = ""
    at_least: int = 0
    at_most: int | None = 0
    open: bool = False
    declared: Callable[[], Mapping[str, Argument]] | None = None


@dataclass(frozen=True)
class Call:
    """A verb with everything that was said to it."""

    verb: Verb
    lang: str
    root: str | None
    options: dict[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """Whether a switch was given."""
        return bool(self.options.get(name))


class Refused(InputError):
    """Several errors, each with its own sentence, told at once."""

    def __init__(self, errors: Sequence[StudioError]) -> None:
        super().__init__("spec", count=len(errors))
        self.errors = tuple(errors)


VERBS = ("train", "evaluate", "predict", "export", "convert", "runs", "chat", "serve", "data", "demo", "install")
HELP = Option("help")
SHORT = {"-h": "--help", "-o": "--output"}
EVERYWHERE = (Option("lang", "LANG"), Option("root", "DIR"), HELP)


def split(argv: Sequence[str], options: Sequence[Option]) -> tuple[list[str], str, list[str]]:
    """(words before the verb, the verb or "", words behind it); `options` are those that may stand in front."""
    takes_value = {option.flag for option in options if option.value}
    place = 0
    while place < len(argv):
        word = argv[place]
        if not word.startswith("-"):
            return list(argv[:place]), word, list(argv[place + 1 :])
        place += 2 if word in takes_value else 1
    return list(argv), "", []


def sort(verb: Verb, words: Sequence[str], lang: str) -> Call:
    """The call that the words make; raises Refused with one error a wrong word."""
    known = {option.flag: option for option in (*verb.options, *EVERYWHERE)}
    keys = {option.key: option for option in verb.options if option.key}
    options: dict[str, Any] = {}
    rest: list[str] = []
    errors: list[StudioError] = []
    left = list(words)
    while left:
        word = SHORT.get(left[0], left[0])
        del left[0]
        flag, has_value, value = word.partition("=")
        if word == "--":
            rest += left
            break
        if flag in known:
            _take(known[flag], value if has_value else None, left, options, errors)
        elif has_value and flag in keys:
            _take(keys[flag], value, left, options, errors)
        elif word.startswith("-") and not verb.open:
            errors.append(_unknown(flag, known, verb))
        else:
            rest.append(word)
    if not options.get("help"):
        errors += _wrong_number(verb, rest)
        if errors:
            raise errors[0] if len(errors) == 1 else Refused(errors)
    return Call(verb, lang, options.get("root"), options, tuple(rest))


def _take(
    option: Option, value: str | None, left: list[str], options: dict[str, Any], errors: list[StudioError]
) -> None:
    if not option.value:
        if value is not None:
            errors.append(InputError("option_takes_none", option=option.flag, value=value))
        options[option.name] = True
        return
    if value is None:
        if not left or left[0].startswith("--"):
            errors.append(InputError("option_needs_value", option=option.flag, value=option.value))
            return
        value = left.pop(0)
    if not value:
        errors.append(InputError("option_needs_value", option=option.flag, value=option.value))
    elif option.choices and value not in option.choices:
        errors.append(InputError("option_choice", option=option.flag, value=value, choices=", ".join(option.choices)))
    options[option.name] = [*options.get(option.name, ()), value] if option.many else value


def _unknown(flag: str, known: dict[str, Option], verb: Verb) -> InputError:
    near = difflib.get_close_matches(flag, known, 1, 0.5)
    if near:
        return InputError("option_unknown_near", option=flag, nearest=near[0])
    return InputError("option_unknown", option=flag, command=f"{verb.name} --help".strip())


def _wrong_number(verb: Verb, rest: Sequence[str]) -> list[StudioError]:
    if len(rest) < verb.at_least:
        return [InputError("word_missing", command=verb.name, words=verb.words)]
    if verb.at_most is not None and len(rest) > verb.at_most:
        return [InputError("word_surplus", word=" ".join(rest[verb.at_most :]), command=verb.name)]
    return []
