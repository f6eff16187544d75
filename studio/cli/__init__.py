"""The command line: one file a verb; importing it imports neither torch nor gradio."""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the words ask for and return the exit code: 0 worked, 1 the work failed, 2 the words were wrong."""
    from studio.cli.program import run

    return run(argv)
