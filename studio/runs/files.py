"""RunFolder: the name of every file of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """The files of one run; who writes each stands in its docstring."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name is its folder's."""
        return self.path.name

    @property
    def spec(self) -> Path:
        """Every argument as frozen at the start; written once by the store."""
        return self.path / "spec.yaml"

    @property
    def process(self) -> Path:
        """Identities of supervisor and engine, and the command; written by the supervisor, atomically."""
        return self.path / "process.json"

    @property
    def console(self) -> Path:
        """stdout and stderr of supervisor and engine, through a file descriptor."""
        return self.path / "console.log"

    @property
    def lock(self) -> Path:
        """flock-ed by the supervisor and inherited by the engine: one of each per run, whatever dies."""
        return self.path / "lock"

    @property
    def data(self) -> Path:
        """What the run learned from: rows and fingerprint of each dataset; written by the engine's rank 0."""
        return self.path / "data.json"

    @property
    def log(self) -> Path:
        """One JSON object per logging step, appended by the engine's rank 0."""
        return self.path / "trainer_log.jsonl"

    @property
    def progress(self) -> Path:
        """Phase, step, total, eta_seconds; replaced atomically by the engine's rank 0, its age is the heartbeat."""
        return self.path / "progress.json"

    @property
    def stop(self) -> Path:
        """Its existence asks for an orderly stop; anyone may write it."""
        return self.path / "stop"

    @property
    def failure(self) -> Path:
        """Stable error code, values and traceback; written once by the engine."""
        return self.path / "failure.json"

    @property
    def outcome(self) -> Path:
        """finished, stopped or failed, exit code or signal, end time; written once by the supervisor."""
        return self.path / "outcome.json"

    @property
    def attempts(self) -> Path:
        """process, outcome, failure and stop of earlier attempts, moved here when the run is resumed."""
        return self.path / "attempts"

    @property
    def checkpoints(self) -> Path:
        """Holds `step-<n>` folders."""
        return self.path / "checkpoints"

    @property
    def results(self) -> Path:
        """Scores and predictions of evaluations."""
        return self.path / "results"

    @property
    def export(self) -> Path:
        """What an export has made, where no other place was named; put there whole by the engine."""
        return self.path / "export"

    @property
    def note(self) -> Path:
        """What the user wrote about the run (its title); written by the store, atomically."""
        return self.path / "note.json"

    def checkpoint(self, step: int) -> Path:
        """The folder of one checkpoint, complete or not."""
        return self.checkpoints / f"step-{step}"

    def complete_steps(self) -> list[int]:
        """The steps whose checkpoint was written to its end, ascending."""
        found = self.checkpoints.glob("step-*/complete")
        return sorted(int(mark.parent.name[5:]) for mark in found if mark.parent.name[5:].isdigit())
