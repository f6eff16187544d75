"""Making or mending `.venv`, one start at a time; pip does the work with the user's own settings."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

from studio.prepare.command import read_from, run_logged, size_of
from studio.prepare.environment import WINDOWS, Environment, digest, machine
from studio.prepare.options import REQUIREMENTS, TEST_REQUIREMENTS, Options
from studio.prepare.progress import Progress, Say, Shows, Step, pip_step
from studio.prepare.refusal import NOT_FOUND, Refusal, left_nothing_half_written, refusal_of_output

FULL_BYTES = 64 * 1024**2  # on a disk as full as this the log may end before it could say why


def install(environment: Environment, options: Options, say: Say) -> None:
    """Bring `.venv` to the state that `environment.is_ready(options)` asks for.

    Raises:
        Refusal: it could not be done, and why.
        SystemExit: a signal asked for the end; pip has been stopped.
    """
    progress = Progress(say)
    try:
        with leaving_on_signals(), locked(environment.lock, progress) as lock:
            if not environment.is_ready(options):  # it may be by now: somebody else held the lock
                Installation(environment, options, progress, lock).run()
    finally:
        progress.end()


@contextmanager
def leaving_on_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal unwind the stack, so that pip is stopped too."""

    def leave(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    ours = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]  # nohup ignores SIGHUP
    for number in ours:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def locked(path: str, progress: Shows) -> Iterator[BinaryIO]:
    """Hold the lock file, waiting while another start holds it; a file system without locks is trusted."""
    with open(path, "ab") as lock:
        while True:
            try:
                lock_or_raise(lock)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                    break
            progress.show(Step("waiting"))
            time.sleep(0.2)
        yield lock


def lock_or_raise(lock: BinaryIO) -> None:
    if sys.platform == "win32":
        import msvcrt

        lock.seek(0)
        msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Installation:
    """The steps from whatever `.venv` is to a complete one; the caller holds the lock."""

    def __init__(self, environment: Environment, options: Options, progress: Progress, lock: BinaryIO) -> None:
        self.environment = environment
        self.options = options
        self.progress = progress
        self.lock = lock
        # A virtual environment's interpreter cannot make the folder that it lives in.
        self.base = getattr(sys, "_base_executable", None) or sys.executable

    def run(self) -> None:
        before = self.environment.read_record()
        if not self.is_sound():
            before = {}
            self.create()
        self.mark_half_made()
        if os.path.exists(self.environment.record):
            os.remove(self.environment.record)
        start = size_of(self.environment.log)
        try:
            self.install_torch(before)
            files = [os.path.join(self.environment.root, name) for name in self.options.files]
            self.pip_or_refuse([word for file in files for word in ("-r", file)])
        except Refusal:
            if left_nothing_half_written(read_from(self.environment.log, start)):
                os.remove(self.environment.half_made)
            raise
        self.write_record(before)
        os.remove(self.environment.half_made)

    def is_sound(self) -> bool:
        """Whether there is an environment that pip can go on with."""
        if not self.environment.site_packages() or os.path.exists(self.environment.half_made):
            return False
        return self.call([*self.pip_command(), "--version"], "making") == 0

    def create(self) -> None:
        """Make an empty environment over the ruins of an older one."""
        folder = self.environment.folder
        if os.path.lexists(folder) and not os.path.isdir(folder):
            os.remove(folder)
        os.makedirs(folder, exist_ok=True)
        empty(folder)
        self.mark_half_made()
        folder = os.path.realpath(folder)  # venv refuses a folder that is a link, to a larger disk for instance
        if self.call([self.base, "-I", "-m", "venv", folder], "making") == 0:
            return
        # Debian's python3 brings venv without ensurepip: what pip it has can fill the environment from outside.
        if self.call([self.base, "-I", "-m", "venv", "--without-pip", folder], "making"):
            raise self.refusal(0, "no_venv_module")
        if self.call([*self.pip_command(), "--version"], "making"):
            raise self.refusal(0, "no_venv_module")

    def mark_half_made(self) -> None:
        with open(self.environment.half_made, "w"):
            pass

    def install_torch(self, before: dict[str, str]) -> None:
        """Put the build of torch that suits this machine in place, so that the pins find it there.

        On Linux plain `torch==X` means the CUDA build, five times the size of the CPU's. Where the user's index,
        mirror or folder does not have the build looked for here, the requirement file's own line decides.
        """
        version = self.environment.pins([REQUIREMENTS]).get("torch")
        if not version:
            return
        installed = self.environment.installed().get("torch", "")
        suits = installed.partition("+")[0] == version
        if self.options.torch_index:
            if not suits or before.get("torch_index") != digest([self.options.torch_index]):
                self.pip_or_refuse(["--force-reinstall", "--no-deps", f"torch=={version}"], self.options.torch_index)
        elif machine() == "cuda":
            if not suits or (installed.endswith("+cpu") and before.get("machine") != "cuda"):
                self.pip_if_offered(["--force-reinstall", "--no-deps", f"torch=={version},!={version}+cpu"])
        elif not suits and sys.platform != "darwin":
            self.pip_if_offered(["--no-deps", f"torch=={version}+cpu"])

    def pip_or_refuse(self, arguments: list[str], index: str = "") -> None:
        start = size_of(self.environment.log)
        if self.pip(arguments, index):
            raise self.refusal(start)

    def pip_if_offered(self, arguments: list[str]) -> None:
        start = size_of(self.environment.log)
        if self.pip(arguments) and not NOT_FOUND.search(read_from(self.environment.log, start)):
            raise self.refusal(start)

    def pip(self, arguments: list[str], index: str = "") -> int:
        """Run `pip install`; an index goes by environment, since its address may hold a password."""
        offline = ["--no-index", "--find-links", self.options.wheels] if self.options.wheels else []
        command = [*self.pip_command(), "install", *offline, *arguments]
        return self.call(command, "asking", pip_environment(index))

    def pip_command(self) -> list[str]:
        """The environment's own pip, else this interpreter's, told to work there."""
        if os.path.isdir(os.path.join(self.environment.site_packages(), "pip")):
            return [self.environment.python, "-I", "-u", "-m", "pip"]
        return [self.base, "-I", "-u", "-m", "pip", "--python", self.environment.python]

    def call(self, command: list[str], doing: str, variables: dict[str, str] | None = None) -> int:
        """Run a program with its output in the log, telling the progress; return its exit code."""

        def tell(output: str) -> None:
            installed = self.environment.installed() if self.environment.site_packages() else {}
            self.progress.show(pip_step(output, installed, doing))

        # The child holds the lock too: should this process be killed, nobody else installs until pip has ended.
        kept = () if WINDOWS else (self.lock.fileno(),)
        return run_logged(command, self.environment.log, tell, variables=variables, kept=kept)

    def refusal(self, start: int, otherwise: str = "") -> Refusal:
        """Why the command whose output begins at `start` of the log failed."""
        where = self.environment
        output = read_from(self.environment.log, start)
        if shutil.disk_usage(where.folder).free < FULL_BYTES:
            return Refusal(1, "disk_full", folder=where.folder)
        refusal = refusal_of_output(output, log=where.log, folder=where.folder, wheels=self.options.wheels)
        if otherwise and refusal.key not in ("disk_full", "no_permission"):
            return Refusal(1, otherwise, log=where.log)
        return refusal

    def write_record(self, before: dict[str, str]) -> None:
        """Promise that everything is there; what was promised of the tests' packages stays promised."""
        kept = {name: value for name, value in before.items() if name in (TEST_REQUIREMENTS, "torch_index")}
        files = {name: digest(self.environment.lines(name)) for name in self.options.files}
        index = {"torch_index": digest([self.options.torch_index])} if self.options.torch_index else {}
        record = {**kept, **files, "machine": machine(), **index}
        with open(self.environment.record + "-new", "w", encoding="utf-8") as file:
            file.writelines(f"{name} {value}\n" for name, value in record.items())
        os.replace(self.environment.record + "-new", self.environment.record)


def pip_environment(index: str) -> dict[str, str]:
    """The user's environment without what would lead pip to another place than `.venv`."""
    foreign = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON")
    variables = {name: value for name, value in os.environ.items() if name not in foreign}
    variables |= {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    variables |= {"PIP_PROGRESS_BAR": "off", "PIP_ROOT_USER_ACTION": "ignore"}
    if index:
        variables["PIP_INDEX_URL"] = index
    return variables


def empty(folder: str) -> None:
    """Remove everything in a folder, which itself may be a link and stays one."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.remove(entry.path)

