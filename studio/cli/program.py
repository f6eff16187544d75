"""From words to an exit code: language, verb, help, and one sentence for whatever goes wrong."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from studio.cli import words
from studio.cli.voice import Voice
from studio.cli.words import Verb
from studio.errors import InputError, StudioError
from studio.texts import languages
from studio.workspace import Workspace

INTERRUPTED = 130


def run(argv: Sequence[str] | None = None) -> int:
    """Do what the words ask for; raises nothing but what STUDIO_TRACEBACK=1 asks to see."""
    said = list(sys.argv[1:] if argv is None else argv)
    _speak_any_letter()
    lang, unknown = language_of(said)
    voice = Voice(lang)
    try:
        if unknown:
            raise InputError("lang_unknown", value=unknown, choices=", ".join(languages()))
        return _do(said, lang)
    except StudioError as error:
        voice.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        voice.aside(voice.say("interrupted"))
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has heard enough (`… | head`); the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("STUDIO_TRACEBACK") == "1":
            raise
        voice.error(StudioError("unforeseen", reason=_reason(error), log=str(_log(said))))
        return 1


def language_of(said: Sequence[str]) -> tuple[str, str]:
    """(language, "") or ("en", the name that no language has): `--lang`, else STUDIO_LANG, else the terminal's."""
    asked = os.environ.get("STUDIO_LANG", "")
    for place, word in enumerate(said):
        if word.startswith("--lang="):
            asked = word.removeprefix("--lang=")
        elif word == "--lang" and place + 1 < len(said):
            asked = said[place + 1]
    if asked:
        return (asked, "") if asked in languages() else (_of_terminal(), asked)
    return _of_terminal(), ""


def _of_terminal() -> str:
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    chosen = next((name for name in names if name), "").replace("-", "_").split("_")[0].split(".")[0].lower()
    return chosen if chosen in languages() else "en"


def _do(said: list[str], lang: str) -> int:
    from studio.cli import page

    before, name, behind = words.split(said, (*page.VERB.options, *words.EVERYWHERE))
    if not name:
        return _call(page.VERB, before, lang)
    verbs = _verbs(name)
    if len(verbs) > 1 or verbs[0].name != name:
        inner_before, inner, inner_behind = words.split(behind, words.EVERYWHERE)
        if not inner and any(word in ("--help", "-h") for word in (*before, *behind)):
            return _help_of_several(name, verbs, lang)
        chosen = next((verb for verb in verbs if verb.name == f"{name} {inner or 'list'}"), None)
        if chosen is None:
            raise InputError("verb_unknown", verb=f"{name} {inner}", verbs=", ".join(verb.name for verb in verbs))
        return _call(chosen, [*before, *inner_before, *inner_behind], lang)
    return _call(verbs[0], [*before, *behind], lang)


def _verbs(name: str) -> tuple[Verb, ...]:
    """The verbs in the file of that name; raises InputError for a name that is none."""
    if name not in words.VERBS:
        raise InputError("verb_unknown", verb=name, verbs=", ".join(words.VERBS))
    from importlib import import_module

    found: tuple[Verb, ...] = import_module(f"studio.cli.{name}").VERBS
    return found


def _call(verb: Verb, said: Sequence[str], lang: str) -> int:
    call = words.sort(verb, said, lang)
    if call.has("help"):
        from studio.cli import manual

        sys.stdout.write(manual.page(verb, lang))
        return 0
    return verb.work(call)


def _help_of_several(name: str, verbs: Sequence[Verb], lang: str) -> int:
    from studio.cli import manual

    sys.stdout.write(manual.several(name, verbs, lang))
    return 0


def _speak_any_letter() -> None:
    """A terminal that cannot show a letter shows a question mark instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _log(said: Sequence[str]) -> Path:
    """The file that now holds the traceback: in the workspace's saves, else in the system's temporary folder."""
    name = time.strftime("%Y%m%d-%H%M%S") + f"-{os.getpid()}.txt"
    text = f"{list(said)}\n{traceback.format_exc()}"
    for folder in (Workspace.at().saves / ".log", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
            return folder / name
        except OSError:
            continue
    return Path(os.devnull)
