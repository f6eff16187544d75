"""What `.venv` is and whether it holds what a start needs; told by looking at files, in a few milliseconds."""

from __future__ import annotations

import os
import sys

from studio.prepare.options import Options
from studio.prepare.refusal import Refusal

WINDOWS = os.name == "nt"


class Environment:
    """The folder `.venv` of the project at `root`: every path in it is named here."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.folder = os.path.join(root, ".venv")
        self.lock = os.path.join(root, ".venv.lock")
        self.log = os.path.join(self.folder, "install.log")
        self.python = os.path.join(self.folder, *(("Scripts", "python.exe") if WINDOWS else ("bin", "python")))
        # One "name value" a line, written last: its existence promises a complete installation.
        self.record = os.path.join(self.folder, "studio-ready")
        # Exists while packages are being written: found by a later start, it tells of a killed one.
        self.half_made = os.path.join(self.folder, "studio-installing")

    def is_ready(self, options: Options) -> bool:
        """Whether this start needs no preparation."""
        record = self.read_record()
        if not record or os.path.exists(self.half_made) or not self.site_packages():
            return False
        if any(record.get(name) != digest(self.lines(name)) for name in options.files):
            return False
        if record.get("machine") == "cpu" and machine() == "cuda":
            return False  # the reverse is no reason: CUDA's torch runs on a machine without
        if options.torch_index and record.get("torch_index") != digest([options.torch_index]):
            return False
        return not missing(self.pins(options.files), self.installed())

    def read_record(self) -> dict[str, str]:
        """What the last complete preparation wrote down; empty when there was none."""
        try:
            with open(self.record, encoding="utf-8") as file:
                return dict(line.rstrip("\n").split(" ", 1) for line in file)
        except (OSError, ValueError):
            return {}

    def site_packages(self) -> str:
        """The folder of installed packages, or "" when the environment is broken.

        Broken also means: its link now leads to another Python than the one its packages were installed for.
        """
        if not os.access(self.python, os.X_OK) or not os.path.isfile(os.path.join(self.folder, "pyvenv.cfg")):
            return ""
        library = os.path.join(self.folder, "Lib" if WINDOWS else "lib")
        if not os.path.isdir(library):
            return ""
        versions = [""] if WINDOWS else [name for name in os.listdir(library) if name.startswith("python3.")]
        actual = os.path.basename(os.path.realpath(self.python))
        if actual.startswith("python3."):
            versions = [name for name in versions if name == actual]
        places = [os.path.join(library, name, "site-packages") for name in versions]
        return next((place for place in places if os.path.isdir(place)), "")

    def installed(self) -> dict[str, str]:
        """Versions by package, read off the names of the `*.dist-info` folders."""
        suffix = ".dist-info"
        names = [name[: -len(suffix)] for name in os.listdir(self.site_packages()) if name.endswith(suffix)]
        return {normal(name.rpartition("-")[0]): name.rpartition("-")[2] for name in names}

    def lines(self, name: str) -> list[str]:
        """A requirement file's lines without comments."""
        with open(os.path.join(self.root, name), encoding="utf-8") as file:
            lines = [line.partition("#")[0].strip() for line in file]
        return [line for line in lines if line]

    def pins(self, names: list[str]) -> dict[str, str]:
        """The exact versions that these files ask for, by package."""
        halves = [line.partition("==") for name in names for line in self.lines(name)]
        return {normal(name.partition("[")[0]): version.strip() for name, exact, version in halves if exact}

    def require_in_this_interpreter(self, options: Options) -> None:
        """Check that the running interpreter has every pinned package.

        Raises:
            Refusal: naming those that it has not.
        """
        from importlib.metadata import distributions

        # Of two copies on the path the first is the one that Python imports.
        found: dict[str, str] = {}
        for package in distributions():
            found.setdefault(normal(package.metadata["Name"] or ""), package.version)
        lacking = missing(self.pins(options.files), found)
        if lacking:
            shown = ", ".join(lacking[:5]) + (", …" if len(lacking) > 5 else "")
            raise Refusal(2, "packages_missing", python=sys.executable, count=len(lacking), packages=shown)


def missing(pins: dict[str, str], installed: dict[str, str]) -> list[str]:
    """The pins that are not installed; a local label such as `+cpu` does not matter."""
    return [f"{name}=={pin}" for name, pin in pins.items() if installed.get(name, "").partition("+")[0] != pin]


def machine() -> str:
    """The word `cuda` where an NVIDIA driver is installed, else `cpu`; asks no other program."""
    if WINDOWS:
        driver = os.path.join(os.environ.get("SYSTEMROOT", ""), "System32", "nvcuda.dll")
        return "cuda" if os.path.exists(driver) else "cpu"
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    programs = [os.path.join(folder, "nvidia-smi") for folder in folders]
    seen = os.path.exists("/proc/driver/nvidia/version") or any(os.access(program, os.X_OK) for program in programs)
    return "cuda" if seen else "cpu"


def digest(lines: list[str]) -> str:
    """A hash of what the lines say, whatever comments and line ends stood around them."""
    from hashlib import sha256

    return sha256("\n".join(lines).encode()).hexdigest()[:32]


def normal(name: str) -> str:
    """A package's name as a `*.dist-info` folder spells it, in small letters."""
    return name.strip().lower().replace("-", "_").replace(".", "_")
