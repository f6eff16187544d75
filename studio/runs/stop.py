"""Ask a run to stop; asking again asks harder. Works whoever of its processes is still alive."""

from __future__ import annotations

import os
import subprocess
import sys

from studio.errors import InputError
from studio.identity import Identity
from studio.records import read_json, write_atomically
from studio.runs.files import RunFolder
from studio.runs.ladder import KILL, asked
from studio.runs.start import refusal
from studio.runs.state import state_of
from studio.workspace import PROJECT


def ask(folder: RunFolder) -> int:
    """Ask once more and return the level: 1 save and stop, 2 stop at once (TERM), 3 by force (KILL).

    Returns without waiting. The supervisor climbs the ladder; when it is dead but the engine lives, a keeper
    (`studio.runs.keeper`) is started to do so in its place. Raises InputError `run_not_running`.
    """
    state = state_of(folder)
    if not state.is_live:
        raise InputError("run_not_running", name=folder.name, state=f"@runs.state.{state.value}")
    level = min(KILL, asked(folder) + 1)
    try:
        write_atomically(folder.stop, str(level))
    except OSError as error:
        _ask_without_room(folder, error)
    process = read_json(folder.process) or {}
    supervisor = Identity.read(process.get("supervisor"))
    if supervisor is not None and supervisor.alive() is False:
        _start_keeper(folder)
    return level


def _ask_without_room(folder: RunFolder, error: OSError) -> None:
    """A full disk must not make a run unstoppable: an empty file needs no room, a signal needs no file."""
    import signal

    supervisor = Identity.read((read_json(folder.process) or {}).get("supervisor"))
    if supervisor and supervisor.send(signal.SIGTERM):
        return
    try:
        folder.stop.touch()
    except OSError:
        raise refusal(error, folder.path) from None


def _start_keeper(folder: RunFolder) -> None:
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with open(folder.console, "ab") as console:
        child = subprocess.Popen([sys.executable, "-m", "studio.runs.keeper", str(folder.path.resolve())],
                                 stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
                                 env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    child.wait()  # it forks at once and ends
