"""What an unforeseen error means: a stable code for the few that users meet."""

from __future__ import annotations

import errno

from studio.errors import WorkError


def diagnose(error: BaseException) -> WorkError:
    """The stable code of an error that no phase foresaw: out_of_memory, disk_full, rank_lost or unexpected."""
    text = str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in text:
        return WorkError("out_of_memory", reason=_first_line(text))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return WorkError("disk_full", path=str(error.filename or ""))
    if "No space left on device" in text or "File too large" in text:
        return WorkError("disk_full", path="")
    if "gloo" in text or "NCCL" in text:
        return WorkError("rank_lost")
    return WorkError("unexpected", kind=type(error).__name__, reason=_first_line(text))


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else ""
