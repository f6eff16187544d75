"""Why a start was refused: one exception, and how it is told from an OSError or from pip's own output."""

from __future__ import annotations

import errno
import re


class Refusal(Exception):
    """Names a sentence of `locales/launch.json`, its values and the exit code."""

    def __init__(self, exit_code: int, key: str, **values: object) -> None:
        super().__init__(key)
        self.exit_code = exit_code
        self.key = key
        self.values = values


# The first cause whose words occur in an installation's output is the one told.
CAUSES = (
    ("disk_full", ("No space left on device", "[Errno 28]", "[WinError 112]", "Disk quota exceeded")),
    ("no_permission", ("Permission denied", "Read-only file system", "[WinError 5]")),
)
OFFLINE = re.compile(
    r"ConnectionError|NewConnection|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Name or service not known"
    r"|name resolution|Network is unreachable|Connection refused|Connection reset|Connection aborted"
    r"|IncompleteRead|Max retries exceeded|Retrying \("
)
NOT_BUILT = re.compile(r"Failed building wheel|error: command .* failed|CMake Error")
NO_PIP = re.compile(r"No module named pip")
NOT_FOUND = re.compile(r"No matching distribution found for (\S+)")


def refusal_of_output(output: str, *, log: str, folder: str, wheels: str = "") -> Refusal:
    """The refusal that tells why the command with this output failed; `log` is where the output is kept."""
    for key, signs in CAUSES:
        if any(sign in output for sign in signs):
            return Refusal(1, key, folder=folder)
    if not wheels and OFFLINE.search(output):
        return Refusal(1, "no_network", log=log)
    lacking = NOT_FOUND.search(output)
    if lacking and wheels:
        return Refusal(1, "wheels_lack", package=lacking[1], folder=wheels)
    if lacking:
        return Refusal(1, "package_not_found", package=lacking[1], log=log)
    return Refusal(1, "installation_failed", log=log)


def left_nothing_half_written(output: str) -> bool:
    """Whether every installation that pip began to write in this output was also ended."""
    return output.count("Installing collected packages") == output.count("Successfully installed")


def refusal_of(error: OSError) -> Refusal:
    """The refusal that tells an error of the file system."""
    place = error.filename or ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refusal(1, "disk_full", folder=place)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Refusal(1, "no_permission", folder=place)
    return Refusal(1, "file_trouble", error=error)
