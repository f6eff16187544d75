"""Optional parts: packages that only some forms of export and kinds of evaluation need, installed when asked for.

What is pinned in requirements.txt is never changed for them: its pins go to pip as constraints.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata, util
from typing import NamedTuple

from studio.prepare.command import read_from, run_logged
from studio.prepare.installation import FULL_BYTES, locked, pip_environment
from studio.prepare.options import REQUIREMENTS
from studio.prepare.progress import Step, pip_step
from studio.prepare.refusal import NO_PIP, NOT_BUILT, Refusal, refusal_of_output

LOCK = "studio-parts.lock"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Part(NamedTuple):
    """One optional part: exact pins, the modules by which it is known, what it takes on the disk.

    `builds` tells that it is compiled here, which needs a compiler and minutes.
    """

    name: str
    pins: tuple[str, ...]
    modules: tuple[str, ...]
    megabytes: int
    builds: bool = False


PARTS = (
    Part("llama-cpp", ("llama-cpp-python==0.3.36",), ("llama_cpp",), 60, builds=True),
    Part("onnx", ("onnx==1.23.2", "onnxruntime==1.31.1", "onnxscript==0.7.2"), ("onnx", "onnxruntime", "onnxscript"),
         140),
    Part("harness", ("lm-eval==0.4.13",), ("lm_eval",), 60),
)


def part(name: str) -> Part:
    """The part of that name; raises KeyError."""
    return {one.name: one for one in PARTS}[name]


def is_installed(name: str) -> bool:
    """Whether everything of the part can be imported; imports nothing."""
    importlib.invalidate_caches()
    return all(util.find_spec(module) is not None for module in part(name).modules)


def versions(name: str) -> dict[str, str]:
    """The installed version of each of its packages; those that are missing are left out."""
    found = {}
    for pin in part(name).pins:
        package = pin.partition("==")[0]
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def install(name: str, tell: Callable[[Step], None], wheels: str = "") -> str:
    """Install a part into the environment of this interpreter; the path of pip's log.

    `tell` hears several times a second what is being done. pip keeps the user's own settings (index, mirror, proxy);
    with `wheels` it looks into that folder only. Raises Refusal.
    """
    handle, log = tempfile.mkstemp(prefix=f"studio-install-{name}-", suffix=".log")
    os.close(handle)
    offline = ["--no-index", "--find-links", wheels] if wheels else []
    command = [sys.executable, "-I", "-u", "-m", "pip", "install", *offline, "-c", os.path.join(ROOT, REQUIREMENTS),
               *part(name).pins]

    def heard(output: str) -> None:
        tell(pip_step(output, _installed(), "asking"))

    try:
        with locked(os.path.join(sys.prefix, LOCK), _Teller(tell)):
            if not is_installed(name) and run_logged(command, log, heard, variables=pip_environment("")):
                raise _refusal(read_from(log, 0), log, wheels)
    except PermissionError:
        raise Refusal(1, "no_permission", folder=sys.prefix) from None
    if not is_installed(name):
        raise Refusal(1, "installation_failed", log=log)
    return log


class _Teller:
    """What the lock's waiting is told to."""

    def __init__(self, tell: Callable[[Step], None]) -> None:
        self.show = tell


def _installed() -> set[str]:
    """The packages that are there, as `*.dist-info` folders spell them."""
    found = set()
    for place in sys.path:
        if place.endswith("site-packages") and os.path.isdir(place):
            found |= {name.rpartition("-")[0].lower().replace("-", "_").replace(".", "_")
                      for name in (entry[:-len(".dist-info")] for entry in os.listdir(place)
                                   if entry.endswith(".dist-info"))}
    return found


def _refusal(output: str, log: str, wheels: str) -> Refusal:
    """Why pip failed."""
    folder = os.path.dirname(os.path.dirname(sys.executable))
    if shutil.disk_usage(folder).free < FULL_BYTES:
        return Refusal(1, "disk_full", folder=folder)
    if NOT_BUILT.search(output):
        return Refusal(1, "build_failed", log=log)
    if NO_PIP.search(output):
        return Refusal(1, "no_pip", python=sys.executable, log=log)
    return refusal_of_output(output, log=log, folder=folder, wheels=wheels)
