"""Prepare the studio's environment, then hand over to `studio.cli`; needs nothing but the standard library.

Run it with `python launch.py [ARGS…]`, or `python launch.py test [PYTEST ARGS…]`. Its own flags are `--wheels DIR`
(install offline from a folder), `--torch-index URL` (where torch comes from; also STUDIO_TORCH_INDEX) and `--no-venv`
(use this interpreter as it is); every other word belongs to the studio.

An interpreter as old as 3.6 must be able to parse and load this file, to be refused by a sentence instead of a
SyntaxError: hence the quoted annotations, and imports from `studio.prepare` only after the version was looked at.
"""

import json
import os
import sys

ROOT = os.path.dirname(os.path.realpath(__file__))
OLDEST_PYTHON = (3, 11)


def main(argv: "list[str]") -> int:
    """Hand over to the studio, and so never return, unless that could not be done (or this is Windows)."""
    say = Words(argv).say
    if sys.version_info < OLDEST_PYTHON:
        tell(say("python_too_old", found=".".join(str(part) for part in sys.version_info[:3])))
        return 2
    sys.path.insert(0, ROOT)
    from studio.prepare.environment import Environment
    from studio.prepare.options import Options
    from studio.prepare.refusal import Refusal, refusal_of

    try:
        options = Options.read(argv)
        environment = Environment(ROOT)
        if options.no_venv:
            environment.require_in_this_interpreter(options)
            return hand_over(sys.executable, options.rest, options.is_test)
        if not environment.is_ready(options):
            from studio.prepare.installation import install

            install(environment, options, say)
        return hand_over(environment.python, options.rest, options.is_test)
    except (Refusal, OSError) as error:
        refusal = error if isinstance(error, Refusal) else refusal_of(error)
        tell(say(refusal.key, **refusal.values))
        return refusal.exit_code
    except KeyboardInterrupt:
        tell(say("interrupted"))
        return 130


def hand_over(python: str, words: "list[str]", is_test: bool) -> int:
    """Become the studio, or what runs its tests, in the user's own working directory.

    `-P` keeps that directory off the import path: a folder that holds a `torch.py` is no reason to fail.
    """
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(part for part in (ROOT, os.environ.get("PYTHONPATH")) if part)
    program = [os.path.join(ROOT, "tests", "run.py")] if is_test else ["-m", "studio.cli"]
    command = [python, "-P"] + program + words  # noqa: RUF005  the starred form says no more
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execve(python, command, environment)
    import signal
    import subprocess

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the console sends Ctrl-C to the child as well: it decides
    return subprocess.call(command, env=environment)


class Words:
    """The launcher's few sentences, read from `locales/launch.json` when the first is needed.

    The studio's own locales are YAML, which the standard library cannot read.
    """

    def __init__(self, argv: "list[str]") -> None:
        self.language = language_of(argv)
        self.sentences = {}  # type: dict[str, str]

    def say(self, key: str, **values: object) -> str:
        """The sentence in the user's language; the key itself if there is none."""
        if not self.sentences:
            self.sentences = {"": ""}  # looked for, once
            try:
                with open(os.path.join(ROOT, "locales", "launch.json"), encoding="utf-8") as file:
                    tables = json.load(file)
                self.sentences = tables.get(self.language) or tables["en"]
                if not can_show("".join(self.sentences.values())):
                    self.sentences = tables["en"]
            except (OSError, ValueError, KeyError):
                pass  # a sentence that cannot be found must not hide what it was about
        if key not in self.sentences:
            return key + "".join(" {}={}".format(*item) for item in sorted(values.items()))
        return self.sentences[key].format(**values)


def language_of(argv: "list[str]") -> str:
    """The language that `--lang` or STUDIO_LANG asks for, else that of the terminal's locale: "zh" or "en"."""
    for place, word in enumerate(argv):
        if word.startswith("--lang="):
            return word[len("--lang=") :]
        if word == "--lang" and place + 1 < len(argv):
            return argv[place + 1]
    names = [os.environ.get(name, "") for name in ("STUDIO_LANG", "LC_ALL", "LC_MESSAGES", "LANG")]
    return "zh" if next((name for name in names if name), "").lower().startswith("zh") else "en"


def can_show(text: str) -> bool:
    """Whether the terminal has these letters."""
    try:
        return bool(text.encode(getattr(sys.stderr, "encoding", None) or "ascii"))
    except UnicodeEncodeError:
        return False


def tell(sentence: str) -> None:
    """Write a line to stderr, on a terminal that cannot show its letters too."""
    encoding = getattr(sys.stderr, "encoding", None) or "ascii"
    sys.stderr.write(sentence.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
