"""The inside of the sandbox: started as a program with nothing of the studio, it locks itself in and runs the code.

It reads {"programs", "told", "folder", "seconds", "memory_mb", "alone"} from its stdin, writes one byte to its stdout
when it is locked in, and `told` when the last program has come to its end.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

EXECUTE, WRITE, READ, LIST, TRUNCATE = 1, 1 << 1, 1 << 2, 1 << 3, 1 << 14
REFUSED = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn",
           "os.kill", "signal.pthread_kill", "ctypes.dlsym", "ctypes.call_function", "ctypes.addressof",
           "ctypes.string_at", "ctypes.wstring_at", "ctypes.cdata", "os.setxattr", "os.removexattr", "winreg.",
           "gc.get_", "resource.prlimit")
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
           "os.chown", "os.utime", "os.lchown", "os.lchmod")
LISTS = ("os.listdir", "os.scandir")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
DEVICES = ("/dev/null", "/dev/urandom", "/dev/zero")
SYSTEM = ("/usr/lib", "/usr/local/lib", "/lib", "/lib64", "/usr/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache",
          "/etc/localtime", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")
READY = b"!"
FILE_BYTES = 16 * 1024 * 1024
OPEN_FILES = 64
PROCESSES = 64


def main() -> None:
    """Lock this process in, run the programs, tell that they came to their end."""
    import json

    task = json.loads(sys.stdin.buffer.read())
    answer = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    limit(task["seconds"], task["memory_mb"], task["alone"])
    folder = os.path.realpath(task["folder"])
    readable = [os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, *sys.path, *SYSTEM) if path]
    lock(folder, readable)
    sys.addaudithook(watcher(folder, readable))
    os.write(answer, READY)
    if run(task["programs"]):
        os.write(answer, task["told"].encode())


def run(programs: list[str]) -> bool:
    """Whether all programs come to their end; `sys.exit()` without an error is an end too."""
    space: dict[str, Any] = {"__name__": "__main__"}
    for number, program in enumerate(programs):
        try:
            exec(compile(program, f"<answer {number}>", "exec"), space)
        except SystemExit as left:
            if left.code not in (None, 0):
                return False
        except BaseException:
            return False
    return True


def limit(seconds: float, memory_mb: int, alone: bool) -> None:
    """Set the kernel's limits, hard ones: nothing in this process can raise them again."""
    import resource

    bounds = [("RLIMIT_CPU", int(seconds) + 1), ("RLIMIT_AS", memory_mb * 1024 * 1024), ("RLIMIT_FSIZE", FILE_BYTES),
              ("RLIMIT_NOFILE", OPEN_FILES), ("RLIMIT_CORE", 0), ("RLIMIT_MEMLOCK", 0), ("RLIMIT_MSGQUEUE", 0)]
    if alone:  # elsewhere the limit counts all processes of the user, the desktop's too
        bounds.append(("RLIMIT_NPROC", PROCESSES))
    for name, most in bounds:
        which = getattr(resource, name, None)
        if which is None:
            continue
        hard = resource.getrlimit(which)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS knows some of them and refuses to set them
            resource.setrlimit(which, (most, most))


def watcher(folder: str, readable: list[str]) -> Callable[[str, tuple[Any, ...]], None]:
    """The audit hook: raises PermissionError for what the code may not do. A hook cannot be taken away again."""
    decode, real, join = os.fsdecode, os.path.realpath, os.path.join  # the code can change the modules, not these
    busy = False

    def inside(path: Any, roots: list[str]) -> bool:
        nonlocal busy
        if isinstance(path, int) or path is None:
            return True
        busy = True
        try:
            found = real(decode(path))
        finally:
            busy = False
        return any(found == root or found.startswith(join(root, "")) for root in roots)

    def watch(event: str, values: tuple[Any, ...]) -> None:
        if busy:
            return
        if event.startswith(REFUSED) or (event == "ctypes.dlopen" and values[0]):
            raise PermissionError(event)
        if event == "open":
            path, mode, flags = values
            writes = bool(flags & WRITING) if isinstance(flags, int) else bool(set(mode or "r") & set("wax+"))
            if not inside(path, [folder, os.devnull] if writes else [folder, *DEVICES, *readable]):
                raise PermissionError(path)
        elif event in CHANGES:
            if not all(inside(path, [folder]) for path in values[:2] if isinstance(path, str | bytes)):
                raise PermissionError(values[0])
        elif event in LISTS and not inside(values[0] or ".", [folder, *readable]):
            raise PermissionError(values[0])

    return watch


# Landlock, by its three calls: https://docs.kernel.org/userspace-api/landlock.html

CREATE, ADD, RESTRICT, NO_NEW_PRIVILEGES, PATH_BENEATH = 444, 445, 446, 38, 1


def _kernel() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """The version of Landlock that the kernel offers, 0 for none."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        return max(0, int(_kernel().syscall(CREATE, None, 0, 1)))
    except (OSError, AttributeError):
        return 0


def lock(folder: str, readable: list[str]) -> None:
    """Give up TCP and every right on files but reading `readable` and using `folder`; nothing happens without Landlock.

    Raises OSError where the kernel has Landlock and refuses.
    """
    import ctypes

    version = landlock_version()
    if not version:
        return
    kernel = _kernel()
    every = (1 << (13 if version < 2 else 14 if version < 3 else 15)) - 1
    handled = (ctypes.c_uint64 * 3)(every, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = kernel.syscall(CREATE, ctypes.byref(handled), size, 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    rights = {**dict.fromkeys(readable, READ | LIST), **dict.fromkeys(DEVICES, READ | WRITE), folder: every & ~EXECUTE}
    for path, right in rights.items():
        _allow(kernel, rules, path, right)
    kernel.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if kernel.syscall(RESTRICT, rules, 0):
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(rules)


def _allow(kernel: Any, rules: int, path: str, rights: int) -> None:
    """Leave these rights on a path and all below it; a path that is not there needs none."""
    import ctypes

    class Beneath(ctypes.Structure):
        _pack_ = 1
        _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))

    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        on_files = rights if os.path.isdir(path) else rights & (EXECUTE | WRITE | READ | TRUNCATE)
        beneath = Beneath(on_files, opened)
        if kernel.syscall(ADD, rules, PATH_BENEATH, ctypes.byref(beneath), 0):
            raise OSError(ctypes.get_errno(), "landlock_add_rule")
    finally:
        os.close(opened)


if __name__ == "__main__":
    main()
