"""K-types by llama.cpp's library, in a process of its own.

Run as `python -m studio.exports.gguf.quantizer IN OUT TYPE THREADS`.
The library may end its process; here that is a sentence, not the end of the export. The child ends with its parent,
whose end it sees by its standard input.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from studio.errors import WorkError
from studio.exports.gguf.kinds import Kind

_LOOK_SECONDS = 0.1
_DONE = re.compile(r"\[\s*(\d+)/\s*\d+\]\s+(\S+)")
_LAST_CHARACTERS = 300
_ROWS_BYTES = 64 << 20


def quantize(source: Path, target: Path, kind: Kind, threads: int | None, room: Path,
             tell: Callable[[int, str], None], stay: Callable[[], None]) -> None:
    """Write `target` in this type out of `source`; `room` is where the child's lines are kept meanwhile.

    Raises WorkError gguf_quantize, and what `stay` raises, when the child is ended.
    """
    log = room / "quantizer.log"
    with open(log, "wb") as lines:
        child = subprocess.Popen(
            [sys.executable, "-m", __name__, str(source), str(target), str(kind.ftype), str(threads or 0)],
            stdin=subprocess.PIPE, stdout=lines, stderr=subprocess.STDOUT)
    try:
        seen = 0
        while child.poll() is None:
            stay()
            time.sleep(_LOOK_SECONDS)
            told = _DONE.findall(log.read_text(encoding="utf-8", errors="replace"))
            if len(told) > seen:
                seen = len(told)
                tell(int(told[-1][0]), told[-1][1])
        if child.returncode != 0 or not target.is_file():
            text = log.read_text(encoding="utf-8", errors="replace").strip()
            raise WorkError("gguf_quantize", value=kind.name, status=child.returncode, reason=text[-_LAST_CHARACTERS:])
    finally:
        if child.poll() is None:
            child.kill()
        if child.stdin is not None:
            child.stdin.close()
        child.wait()
        log.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Quantize one file; 0 when it worked."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    import llama_cpp

    source, target, ftype, threads = arguments
    told = llama_cpp.llama_model_quantize_default_params()
    told.ftype, told.nthread = int(ftype), int(threads)
    if hasattr(told, "max_buf_size"):  # a large tensor is worked on by its rows
        told.max_buf_size = _ROWS_BYTES
    llama_cpp.llama_backend_init()
    return int(llama_cpp.llama_model_quantize(source.encode(), target.encode(), told))


def _leave_with_parent() -> None:
    os.read(0, 1)  # below Python's own buffer, which could not be closed while it is waited for
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
