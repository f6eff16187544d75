"""What `--help` prints: usage, options and, for training, every argument; all from the declarations and the locales."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from studio.cli.voice import Voice, cut, table, width
from studio.cli.words import EVERYWHERE, VERBS, Option, Verb

PROGRAM = "python launch.py"


def page(verb: Verb, lang: str) -> str:
    """The help of one verb; that of the page names the other verbs too."""
    voice = Voice(lang)
    key = verb.name.replace(" ", "_") or "page"
    lines = [_usage(voice, verb), "", voice.say(f"verbs.{key}.about"), ""]
    if not verb.name:
        lines += [voice.say("help.verbs"), *_described(voice, "verbs", VERBS), ""]
    lines += [voice.say("help.options"), *_options(voice, (*verb.options, *EVERYWHERE))]
    if verb.open:
        lines += ["", voice.say("help.arguments"), *_arguments(lang), "", voice.say("help.spellings")]
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


def _options(voice: Voice, options: Sequence[Option]) -> list[str]:
    rows = [
        (f"  {option.flag} {option.value}".rstrip(), voice.say(f"options.{option.name.replace('-', '_')}"))
        for option in options
    ]
    return table(rows)


def _described(voice: Voice, room: str, names: Sequence[str]) -> list[str]:
    return table([(f"  {name}", voice.say(f"{room}.{name}.short")) for name in names])


def _arguments(lang: str) -> list[str]:
    """Every declared argument with its default and label, under the heading of its group."""
    from studio.args.flags import to_flags
    from studio.specs.train import ARGUMENTS
    from studio.texts import say

    columns = max(60, shutil.get_terminal_size((100, 24)).columns)
    words = {name: f"  {to_flags({name: a.default}, ARGUMENTS)[0]}" for name, a in ARGUMENTS.items()}
    lines: list[str] = []
    wide = max(map(width, words.values()))
    for group in dict.fromkeys(a.group for a in ARGUMENTS.values()):
        rows = [(words[a.name], say(lang, f"arguments.{a.name}.label")) for a in ARGUMENTS.values() if a.group == group]
        lines.append(say(lang, f"groups.{group}"))
        lines += [cut(f"{left}{' ' * (wide - width(left) + 2)}{right}", columns) for left, right in rows]
    return lines
