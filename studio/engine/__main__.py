"""The engine as a program; nobody imports it.

    python -m studio.engine train RUN_FOLDER      learn
    python -m studio.engine evaluate RUN_FOLDER   ask models and score their answers
    python -m studio.engine export RUN_FOLDER     take a model home and see that it is the same
    python -m studio.engine replay CONFIG.json    one program opens what was exported and repeats some rows
    python -m studio.engine host CONFIG.json      one base model and its checkpoints answer, JSON lines in and out
    python -m studio.engine serve CONFIG.json     the front before such hosts, HTTP; knows no torch

Exit code 0: finished, or stopped in good order; 1: failed, and failure.json says why; 2: called wrongly.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from studio.engine.diagnosis import diagnose
from studio.engine.job import Job
from studio.engine.ranks import Ranks
from studio.engine.recorder import Recorder
from studio.engine.stopping import Stop
from studio.errors import StopAsked, StudioError
from studio.runs.files import RunFolder
from studio.workspace import Workspace

VERBS = ("train", "evaluate", "export", "replay", "host", "serve")


def main(argv: list[str]) -> int:
    """Do one verb; the exit code says how it ended."""
    if len(argv) != 2 or argv[0] not in VERBS:
        print(f"usage: python -m studio.engine {'|'.join(VERBS)} RUN_FOLDER|CONFIG.json", file=sys.stderr)
        return 2
    if argv[0] == "host":
        from studio.engine.server import host

        return host.main(argv[1:])
    if argv[0] == "replay":
        from studio.engine.export import replay

        return int(replay.main(argv[1:]))
    if argv[0] == "serve":
        from studio.engine.server import front

        return int(front.main(argv[1:]))
    return attend(Path(argv[1]).resolve())


def attend(path: Path) -> int:
    """Do the work of one run folder: train, evaluate or export, as its spec says."""
    folder = RunFolder(path)
    ranks = Ranks.of_environment()
    recorder = Recorder(folder, silent=not ranks.first, lang=os.environ.get("STUDIO_LANG", "en"))
    stop = Stop(folder.stop, recorder.heartbeat)
    stop.watch(lambda: recorder.phase("stopped"))
    recorder.phase("loading")
    code = _guarded(folder, ranks, recorder, stop)
    _close_orphan(folder, ranks, code)
    return code


def _guarded(folder: RunFolder, ranks: Ranks, recorder: Recorder, stop: Stop) -> int:
    """Work; every way to fail becomes a stable code in failure.json."""
    try:
        _work(folder, ranks, recorder, stop)
        return 0
    except StopAsked:
        recorder.phase("stopped")
        return 0
    except StudioError as error:
        recorder.failure(error.code, error.values, error)
    except KeyboardInterrupt:
        recorder.phase("stopped")
        return 0
    except BaseException as error:
        if not ranks.alone and stop.asked():
            recorder.phase("stopped")
            return 0
        failed = diagnose(error)
        recorder.failure(failed.code, failed.values, error)
    return 1


def _work(folder: RunFolder, ranks: Ranks, recorder: Recorder, stop: Stop) -> None:
    from studio.plugins import plugin
    from studio.specs import works
    from studio.specs.frozen import thaw

    spec, _ = thaw(folder.spec)
    _prepare_process(spec)
    job = Job(spec, folder, Workspace.at(), recorder, stop, ranks)
    if not works.learns(spec):
        _other(works.verb(spec.stage))(job)
        return
    try:
        plugin("methods", spec.stage).train(job)
    finally:
        ranks.part()
    if spec.guard and ranks.first:
        from studio.engine.evaluate import guarding

        guarding.after_training(job)


def _other(verb: str) -> Callable[[Job], None]:
    """What does a work that is no training."""
    if verb == "export":
        from studio.engine.export.program import export

        return export
    from studio.engine.evaluate.program import evaluate

    return evaluate


def _prepare_process(spec: object) -> None:
    """What libraries read once, before any of them is imported."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    devices = getattr(spec, "devices", None)
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices
    threads = getattr(spec, "cpu_threads", None)
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)


def _close_orphan(folder: RunFolder, ranks: Ranks, code: int) -> None:
    """Write outcome.json in place of a supervisor that died meanwhile."""
    if ranks.first:
        from studio.records import read_json
        from studio.runs import outcome

        phase = (read_json(folder.progress) or {}).get("phase")
        word = "failed" if code else "stopped" if phase == "stopped" else "finished"
        outcome.write_if_orphaned(folder, word, exit_code=code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
