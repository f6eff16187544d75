"""Workspace: where data/, saves/ and models/ are; the only default paths of the studio."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LOCALES = PROJECT / "locales"
STARTER = "starter"


@dataclass(frozen=True)
class Workspace:
    """The folders that move together with `--root` or STUDIO_ROOT; the project itself when neither is given."""

    root: Path = PROJECT

    @classmethod
    def at(cls, root: str | os.PathLike[str] | None = None) -> Workspace:
        """The workspace at `root`, else at $STUDIO_ROOT, else the project's own."""
        chosen = root or os.environ.get("STUDIO_ROOT")
        return cls(Path(chosen).expanduser().resolve() if chosen else PROJECT)

    @property
    def data(self) -> Path:
        """Holds `dataset_info.json` and the user's data files."""
        return self.root / "data"

    @property
    def saves(self) -> Path:
        """One flat folder per run."""
        return self.root / "saves"

    @property
    def models(self) -> Path:
        """Local model folders that the page offers; filled by the user and by downloads."""
        return self.root / "models"

    @property
    def shipped_data(self) -> Path:
        """The samples that come with the studio; offered under every root, after the root's own data."""
        return PROJECT / "data"

    @property
    def starter(self) -> Path:
        """The embedded model, named `starter` everywhere."""
        return PROJECT / "data" / STARTER

    @property
    def cache(self) -> Path:
        """Tokenised data sets and other things that may be deleted at any time."""
        return self.root / ".cache"
