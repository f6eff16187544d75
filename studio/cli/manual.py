"""What `--help` prints: usage, options and, for training, every argument; all from the declarations and the locales."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from studio.cli.voice import Voice, cut, table, width
from studio.cli.words import EVERYWHERE, VERBS, Verb
from studio.texts import has

if TYPE_CHECKING:
    from studio.args.fields import Argument

PROGRAM = "python launch.py"
PAGES = {"train": "docs/arguments.md", "evaluate": "docs/evaluate.md", "predict": "docs/evaluate.md",
         "export": "docs/export.md"}


def page(verb: Verb, lang: str) -> str:
    """The help of one verb; that of the page names the other verbs too."""
    voice = Voice(lang)
    key = verb.name.replace(" ", "_") or "page"
    lines = [_usage(voice, verb), "", voice.say(f"verbs.{key}.about"), ""]
    if not verb.name:
        lines += [voice.say("help.verbs"), *_described(voice, "verbs", VERBS), ""]
    lines += [voice.say("help.options"), *_options(voice, verb)]
    if verb.declared is not None:
        where = PAGES.get(verb.name, "docs/serve.md")
        lines += ["", voice.say("help.arguments", page=where), *_arguments(verb.declared(), lang)]
        lines += ["", voice.say("help.spellings")]
    lines += ["", voice.say("help.exit_codes")]
    return "\n".join(lines) + "\n"


def several(name: str, verbs: Sequence[Verb], lang: str) -> str:
    """The help of a verb that has verbs of its own."""
    voice = Voice(lang)
    rows = [
        (f"  {verb.name} {verb.words}".rstrip(), voice.say(f"verbs.{verb.name.replace(' ', '_')}.short"))
        for verb in verbs
    ]
    return (
        "\n".join(
            [
                voice.say("help.usage", usage=f"{PROGRAM} {name} …"),
                "",
                voice.say(f"verbs.{name}.short"),
                "",
                *table(rows),
                "",
                voice.say("help.more", command=f"{PROGRAM} {name} list --help"),
            ]
        )
        + "\n"
    )


def _usage(voice: Voice, verb: Verb) -> str:
    shown = [f"[{option.flag} {option.value}]" if option.value else f"[{option.flag}]" for option in verb.options]
    return voice.say("help.usage", usage=" ".join(part for part in (PROGRAM, verb.name, verb.words, *shown) if part))


def _options(voice: Voice, verb: Verb) -> list[str]:
    rows = []
    for option in (*verb.options, *EVERYWHERE):
        name = option.name.replace("-", "_")
        of_verb = f"cli.options.{verb.name.replace(' ', '_')}_{name}"  # where a verb means something of its own by it
        said = voice.word("cli.options", of_verb.removeprefix("cli.options.")) if has(voice.lang, of_verb) else ""
        rows.append((f"  {option.flag} {option.value}".rstrip(), said or voice.say(f"options.{name}")))
    return table(rows)


def _described(voice: Voice, room: str, names: Sequence[str]) -> list[str]:
    return table([(f"  {name}", voice.say(f"{room}.{name}.short")) for name in names])


def _arguments(declared: Mapping[str, Argument], lang: str) -> list[str]:
    """Every declared argument with its default and label, under the heading of its group."""
    from studio.args.flags import to_flags
    from studio.texts import say

    columns = max(60, shutil.get_terminal_size((100, 24)).columns)
    words = {name: f"  {to_flags({name: a.default}, declared)[0]}" for name, a in declared.items()}
    lines: list[str] = []
    wide = max(map(width, words.values()))
    for group in dict.fromkeys(a.group for a in declared.values()):
        rows = [(words[a.name], say(lang, f"arguments.{a.name}.label")) for a in declared.values() if a.group == group]
        lines.append(say(lang, f"groups.{group}"))
        lines += [cut(f"{left}{' ' * (wide - width(left) + 2)}{right}", columns) for left, right in rows]
    return lines
