"""Work as the engine gives it, with a form that writes a few files: for the forms that hold another."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from studio.errors import StopAsked
from studio.exports.source import Source
from studio.exports.work import Work
from studio.runs.files import RunFolder
from studio.specs import export
from studio.workspace import PROJECT, Workspace

FILES = {"model.safetensors": b"weights" * 9000, "config.json": b'{"model_type": "llama"}', "more/vocab.txt": b"a\nb\n",
         "README.md": b"# card", "README_zh.md": b"# card", "acceptance.json": b'{"state": "passed"}',
         "curves.svg": b"<svg/>", "curves_zh.svg": b"<svg/>"}


class Desk:
    """A work in a folder of its own: what was told and said, and a stop after so many calls of `stay`."""

    def __init__(self, root: Path, source: Source | None = None, **draft: Any) -> None:
        self.told: list[tuple[int, int, str]] = []
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.stays, self.stop_after = 0, -1
        run = RunFolder(root / "saves" / "trial")
        into = run.path / ".export.part"
        into.mkdir(parents=True)
        self.work = Work(spec(**draft), source or a_source(), Workspace(root), run, into, run.path / "export",
                         lambda *told: self.told.append(told), self.stay, self.say)

    def stay(self) -> None:
        self.stays += 1
        if self.stays == self.stop_after:
            raise StopAsked("exporting")

    def say(self, key: str, **values: Any) -> None:
        self.said.append((key, values))

    def finish(self) -> None:
        """Give the folder its name, as the engine does between writing and delivering."""
        self.work.into.rename(self.work.target)
        self.work.run.results.mkdir()


def spec(**draft: Any) -> Any:
    """Every argument of an export at its default but for these, unchecked."""
    return SimpleNamespace(**{a.name: a.default for a in export.ARGUMENTS.values()} | draft)


def a_source(**more: Any) -> Source:
    """The starter as a plain model."""
    return Source(**{"name": "starter", "base": Workspace(PROJECT).starter, "base_name": "starter"} | more)


def a_form(files: dict[str, bytes] = FILES, **more: Any) -> SimpleNamespace:
    """A form that writes these files."""

    def write(work: Work) -> None:
        for name, content in files.items():
            (work.into / name).parent.mkdir(parents=True, exist_ok=True)
            (work.into / name).write_bytes(content)

    return SimpleNamespace(write=write, size=lambda source, spec: sum(map(len, files.values())), **more)
