"""Files from a hub over HTTP: a half file goes on where it stopped, a broken line is tried again, damage is seen."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.errors import StopAsked, WorkError
from studio.plugins.hubs import HubFile, Progress, Stop

if TYPE_CHECKING:
    import httpx

CHUNK = 1 << 18
TRIES = 5
WAIT_SECONDS = 1.0
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Shelf:
    """A dataset on a hub as its files are asked for: `address` gives the URL of one, `check` raises for a refusal."""

    name: str
    client: httpx.Client
    address: Callable[[HubFile], str]
    check: Callable[[httpx.Response], None]

    def unreachable(self) -> WorkError:
        """The error of a hub that does not answer."""
        return WorkError("hub_dataset_unreachable", name=self.name, endpoint=str(self.client.base_url).rstrip("/"))


def client(address: str, headers: dict[str, str] | None = None) -> httpx.Client:
    """An HTTP client for one hub, which follows its redirections to where files really lie."""
    import httpx

    return httpx.Client(base_url=address if "://" in address else f"https://{address}", follow_redirects=True,
                        timeout=TIMEOUT_SECONDS, headers={"User-Agent": "fine-tuning-studio", **(headers or {})})


def bring(shelf: Shelf, target: Path, files: Sequence[HubFile], on_progress: Progress | None,
          should_stop: Stop | None) -> None:
    """Bring files into `target` under their own names; a half file lies there as `<name>.part`.

    Raises what `Shelf.check` raises, WorkError hub_dataset_unreachable, hub_damaged, disk_refuses, and StopAsked.
    """
    behind, total = 0, sum(one.size for one in files)
    for one in files:

        def tell(done: int, behind: int = behind) -> None:
            if should_stop and should_stop():
                raise StopAsked("fetching")
            if on_progress:
                on_progress(behind + done, max(total, behind + done))

        tell(0)
        try:
            behind += _file(shelf, target / one.path, one, tell)
        except OSError as error:
            raise WorkError("disk_refuses", path=str(target), reason=error.strerror or str(error)) from error


def _file(shelf: Shelf, target: Path, file: HubFile, tell: Callable[[int], None]) -> int:
    """Bring one file, again where the line breaks; the number of its bytes."""
    import httpx

    if target.is_file() and target.stat().st_size == file.size:
        return file.size
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    for tried in range(1, TRIES + 1):
        try:
            _go_on(shelf, part, file, tell)
            break
        except httpx.HTTPError as error:
            if tried == TRIES:
                raise shelf.unreachable() from error
            time.sleep(WAIT_SECONDS * tried)
    size = part.stat().st_size
    if (file.size and size != file.size) or (file.sha256 and _sha256(part) != file.sha256):
        part.unlink()
        raise WorkError("hub_damaged", name=shelf.name, path=file.path)
    part.replace(target)
    return size


def _go_on(shelf: Shelf, part: Path, file: HubFile, tell: Callable[[int], None]) -> None:
    """Ask for what is missing of a file and write it down as it comes."""
    done = part.stat().st_size if part.exists() else 0
    if file.size and done >= file.size:
        done = 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with shelf.client.stream("GET", shelf.address(file), headers=headers) as answer:
        shelf.check(answer)
        answer.raise_for_status()
        if answer.status_code != 206:
            done = 0
        with open(part, "ab" if done else "wb") as out:
            for chunk in answer.iter_bytes(CHUNK):
                out.write(chunk)
                done += len(chunk)
                tell(done)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
