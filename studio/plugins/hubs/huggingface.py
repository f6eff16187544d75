"""The Hugging Face hub, or the mirror in HF_ENDPOINT; HF_HUB_OFFLINE and HF_TOKEN mean what they mean everywhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.errors import InputError, StudioError, WorkError

ORDER = 10
WANTED = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model", "*.jinja"]
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
Progress = Callable[[int, int], None]


def fetch(name: str, revision: str, target: Path, on_progress: Progress | None = None) -> Path:
    """Download a model into `target`; until it is whole it lies in `<target>.part`, where a next try goes on.

    `on_progress(done, total)` hears bytes. Raises InputError hub_unknown, hub_gated, model_only_pickles, and
    WorkError hub_unreachable, hub_offline, disk_full, cache_not_writable.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    if target.is_dir():
        return target
    endpoint = os.environ.get("HF_ENDPOINT") or constants.ENDPOINT
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE") or constants.HF_HUB_OFFLINE:
        raise WorkError("hub_offline", name=name, folder=str(target.parent))
    part = target.with_name(target.name + ".part")
    try:
        part.mkdir(parents=True, exist_ok=True)
        _refuse_pickles(name, revision, endpoint)
        snapshot_download(name, revision=revision, local_dir=part, allow_patterns=WANTED, endpoint=endpoint,
                          tqdm_class=_reporter(on_progress))
        shutil.rmtree(part / ".cache", ignore_errors=True)
        part.rename(target)
    except StudioError:
        raise
    except Exception as error:
        if not isinstance(error, HfHubHTTPError | OSError | ValueError) and not _of_the_network(error):
            raise
        raise _refused(error, name, revision, endpoint, target) from error
    return target


def _of_the_network(error: Exception) -> bool:
    """Whether the HTTP library of the hub's client raised it; which one that is depends on the client's version."""
    return type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "requests")


def _refuse_pickles(name: str, revision: str, endpoint: str) -> None:
    """Say no before downloading when the model has its weights only as pickles."""
    from huggingface_hub import HfApi

    listed = [one.rfilename for one in HfApi(endpoint=endpoint).model_info(name, revision=revision).siblings or []]
    pickles = [file for file in listed if file.endswith(PICKLES)]
    if pickles and not any(file.endswith(".safetensors") for file in listed):
        raise InputError("model_only_pickles", path=name, found=pickles[:3])


def _refused(error: Exception, name: str, revision: str, endpoint: str, target: Path) -> StudioError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return InputError("hub_gated", name=name)
    if isinstance(error, errors.RepositoryNotFoundError | errors.RevisionNotFoundError | errors.HFValidationError):
        return InputError("hub_unknown", name=name, revision=revision)
    if isinstance(error, OSError) and error.errno == 28:
        return WorkError("disk_full", path=str(target.parent))
    if isinstance(error, PermissionError):
        return WorkError("cache_not_writable", path=str(target.parent), reason=error.strerror or str(error))
    return WorkError("hub_unreachable", name=name, endpoint=endpoint, folder=str(target.parent))


def _reporter(on_progress: Progress | None) -> Any:
    """A progress bar that draws nothing and reports bytes."""
    from tqdm.auto import tqdm

    class Reporter(tqdm):
        """The hub makes one for the bytes of all files together, and others whose figures are not wanted."""

        most = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.in_bytes, self.done = kwargs.get("unit") == "B", 0
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self.done += int(n or 0)
            if on_progress and self.in_bytes and self.done > Reporter.most:
                Reporter.most = self.done
                on_progress(self.done, max(int(self.total or 0), self.done))
            return None

    return Reporter
