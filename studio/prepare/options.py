"""The launcher's own flags, taken out of a command line that otherwise belongs to the studio."""

from __future__ import annotations

import os

from studio.prepare.refusal import Refusal

REQUIREMENTS = "requirements.txt"
TEST_REQUIREMENTS = "tests/requirements.txt"


class Options:
    """What was asked of the launcher; `rest` holds the words that it hands over."""

    def __init__(self) -> None:
        self.wheels = ""
        self.torch_index = os.environ.get("STUDIO_TORCH_INDEX", "")
        self.no_venv = False
        self.is_test = False
        self.rest: list[str] = []

    @classmethod
    def read(cls, argv: list[str]) -> Options:
        """Read a command line; what follows a bare `--` or the verb `install`, which has its own, is left alone.

        Raises:
            Refusal: a flag without its value, or a folder of wheels that is not there.
        """
        options = cls()
        words = iter(argv)
        for word in words:
            flag, has_value, value = word.partition("=")
            if word == "--":
                options.rest += [word, *words]
            elif word == "--no-venv":
                options.no_venv = True
            elif flag in ("--wheels", "--torch-index") and options.rest[:1] != ["install"]:
                options.take(flag, value if has_value else next(words, ""))
            else:
                options.rest.append(word)
        if options.rest[:1] == ["test"]:
            options.is_test = True
            del options.rest[0]
        return options

    def take(self, flag: str, value: str) -> None:
        if not value:
            raise Refusal(2, "flag_needs_value", flag=flag)
        if flag == "--torch-index":
            self.torch_index = value
        elif os.path.isdir(value):
            self.wheels = os.path.abspath(value)
        else:
            raise Refusal(2, "wheels_missing", folder=value)

    @property
    def files(self) -> list[str]:
        """The requirement files that this start needs, relative to the project."""
        return [REQUIREMENTS, TEST_REQUIREMENTS] if self.is_test else [REQUIREMENTS]
