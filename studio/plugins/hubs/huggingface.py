"""The Hugging Face hub, or the mirror in HF_ENDPOINT; HF_HUB_OFFLINE and HF_TOKEN mean what they mean everywhere."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.errors import InputError, StudioError, WorkError
from studio.plugins.hubs import HubFile, Progress, Stop, _download, _upload

ORDER = 10
LABEL = "Hugging Face"
TOKEN = "HF_TOKEN"
REVISION = "main"
CONVERTED = "refs/convert/parquet"
WANTED = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model", "*.jinja"]
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_CODES = {
    "model": {"unknown": "hub_unknown", "gated": "hub_gated", "unreachable": "hub_unreachable",
              "offline": "hub_offline"},
    "dataset": {"unknown": "hub_dataset_unknown", "gated": "hub_dataset_gated",
                "unreachable": "hub_dataset_unreachable", "offline": "hub_dataset_offline"},
}


def fetch(name: str, revision: str, target: Path, on_progress: Progress | None = None) -> Path:
    """Download a model into `target`; until it is whole it lies in `<target>.part`, where a next try goes on.

    `on_progress(done, total)` hears bytes. Raises InputError hub_unknown, hub_gated, model_only_pickles, and
    WorkError hub_unreachable, hub_offline, disk_full, cache_not_writable.
    """
    from huggingface_hub import snapshot_download

    if target.is_dir():
        return target
    endpoint, part = _endpoint("model", name, target), target.with_name(target.name + ".part")
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
        raise _refused(error, "model", name, revision, endpoint, target) from error
    return target


def dataset_files(name: str, revision: str) -> list[HubFile]:
    """The files of a dataset; raises InputError hub_dataset_unknown, hub_dataset_gated, WorkError hub_dataset_…."""
    from huggingface_hub import HfApi

    endpoint = _endpoint("dataset", name, Path())
    try:
        found = HfApi(endpoint=endpoint).dataset_info(name, revision=revision, files_metadata=True).siblings or []
    except Exception as error:
        raise _refused(error, "dataset", name, revision, endpoint, Path()) from error
    return [HubFile(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else "") for one in found]


def fetch_files(name: str, revision: str, target: Path, files: Sequence[HubFile], on_progress: Progress | None = None,
                should_stop: Stop | None = None) -> None:
    """Bring these files of a dataset into `target`; what lies there half goes on where it stopped.

    The hub's own client throws a half file away when it is stopped; the address and the token are still its.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    endpoint = _endpoint("dataset", name, target)

    def address(file: HubFile) -> str:
        return hf_hub_url(name, file.path, repo_type="dataset", revision=revision, endpoint=endpoint)

    def check(answer: Any) -> None:
        if answer.status_code in (401, 403):
            raise InputError("hub_dataset_gated", name=name)
        if answer.status_code == 404:
            raise InputError("hub_dataset_unknown", name=name, revision=revision, hub="Hugging Face")

    with _download.client(endpoint, build_hf_headers()) as client:
        _download.bring(_download.Shelf(name, client, address, check), target, files, on_progress, should_stop)


def greet() -> str:
    """Whose the token in HF_TOKEN is.

    Raises InputError hub_token_missing, hub_token_wrong, WorkError hub_push_unreachable, hub_push_offline.
    """
    api = _api("")
    try:
        return str(api.whoami()["name"])
    except Exception as error:
        raise _not_pushed(error, "", api.endpoint) from error


def push(name: str, folder: Path, private: bool, on_progress: Progress | None = None,
         should_stop: Stop | None = None) -> _upload.Pushed:
    """Put all files of a folder into the repository `name`, one after the other and then one commit.

    A file that arrived before the line broke is not sent again. Older weights that are not in the folder go, since
    programs would load them. Raises what `greet` raises, InputError hub_token_may_not, hub_repo_refused, hub_public,
    WorkError hub_not_whole, StopAsked.
    """
    api = _api(name)
    try:
        repo = name if "/" in name else f"{api.whoami()['name']}/{name}"
        url = str(api.create_repo(repo, private=private, exist_ok=True))
        about = api.model_info(repo)
        if private and not about.private:
            raise InputError("hub_public", name=repo, hub=LABEL)
        parcel = _upload.Parcel(folder, on_progress, should_stop)
        older = parcel.older([one.rfilename for one in about.siblings or []])
        _send(api, repo, parcel, older)
        _see(api, repo, parcel)
    except Exception as error:
        raise _not_pushed(error, name, api.endpoint) from error
    return _upload.Pushed(repo, url, removed=older)


def _api(name: str) -> Any:
    """The hub's own client with the token of the environment and no other."""
    from huggingface_hub import HfApi, constants

    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE") or constants.HF_HUB_OFFLINE:
        raise WorkError("hub_push_offline", name=name)
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or constants.ENDPOINT, token=_upload.token(TOKEN, LABEL))


def _send(api: Any, repo: str, parcel: _upload.Parcel, older: Sequence[str]) -> None:
    """All files, then the commit that names them.

    They go as open files over plain HTTP: the client's own transfer can be neither stopped nor watched by the block.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    logging.getLogger("huggingface_hub._commit_api").setLevel(logging.ERROR)  # it warns of just that, file by file
    operations: list[Any] = [CommitOperationDelete(name) for name in older]
    opened = []
    try:
        for name in parcel.files:
            file = parcel.watched(name)
            opened.append(file)
            addition = CommitOperationAdd(name, file)
            file.sending = True
            api.preupload_lfs_files(repo, [addition], free_memory=False)
            file.sending = False
            parcel.gone(name)
            operations.append(addition)
        api.create_commit(repo, operations, commit_message=f"Upload {len(parcel.files)} files")
    finally:
        for file in opened:
            file.close()


def _see(api: Any, repo: str, parcel: _upload.Parcel) -> None:
    """Every file is there in full; raises WorkError hub_not_whole."""
    there = {one.rfilename: one.size for one in api.model_info(repo, files_metadata=True).siblings or []}
    missing = [name for name, size in parcel.sizes.items() if there.get(name) != size]
    if missing:
        raise WorkError("hub_not_whole", name=repo, path=missing[0])


def _not_pushed(error: Exception, name: str, endpoint: str) -> Exception:
    """What to raise for what the hub's client raised while it pushed."""
    from huggingface_hub import errors

    ours = _upload.cause(error, StudioError)
    if isinstance(ours, StudioError):
        return ours
    refused = _upload.cause(error, errors.HfHubHTTPError)
    answer = getattr(refused, "response", None)
    status = answer.status_code if answer is not None else 0
    if status == 401:
        return InputError("hub_token_wrong", hub=LABEL, variable=TOKEN)
    if status == 403:
        return InputError("hub_token_may_not", hub=LABEL, name=name)
    if status and status < 500:
        reason = getattr(refused, "server_message", "") or status
        return InputError("hub_repo_refused", hub=LABEL, name=name, reason=reason)
    if isinstance(error, errors.HFValidationError):
        return InputError("hub_repo_refused", hub=LABEL, name=name, reason=str(error))
    network = refused or _upload.cause(error, OSError) or _upload.cause(error, _of_the_network)
    return error if network is None else WorkError("hub_push_unreachable", name=name, endpoint=endpoint)


def _endpoint(kind: str, name: str, target: Path) -> str:
    """The hub's address; raises WorkError hub_offline when nothing may be asked."""
    from huggingface_hub import constants

    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE") or constants.HF_HUB_OFFLINE:
        raise WorkError(_CODES[kind]["offline"], name=name, folder=str(target.parent))
    return os.environ.get("HF_ENDPOINT") or constants.ENDPOINT


def _of_the_network(error: BaseException) -> bool:
    """Whether the HTTP library of the hub's client raised it; which one that is depends on the client's version."""
    return type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "requests")


def _refuse_pickles(name: str, revision: str, endpoint: str) -> None:
    """Say no before downloading when the model has its weights only as pickles."""
    from huggingface_hub import HfApi

    listed = [one.rfilename for one in HfApi(endpoint=endpoint).model_info(name, revision=revision).siblings or []]
    pickles = [file for file in listed if file.endswith(PICKLES)]
    if pickles and not any(file.endswith(".safetensors") for file in listed):
        raise InputError("model_only_pickles", path=name, found=pickles[:3])


def _refused(error: Exception, kind: str, name: str, revision: str, endpoint: str, target: Path) -> Exception:
    """What to raise for what the hub's client raised; what is no answer of a hub or a disk stays as it is."""
    from huggingface_hub import errors

    codes = _CODES[kind]
    if not isinstance(error, errors.HfHubHTTPError | OSError | ValueError) and not _of_the_network(error):
        return error
    if isinstance(error, errors.GatedRepoError):
        return InputError(codes["gated"], name=name)
    if isinstance(error, errors.RepositoryNotFoundError | errors.RevisionNotFoundError | errors.HFValidationError):
        return InputError(codes["unknown"], name=name, revision=revision, hub="Hugging Face")
    if isinstance(error, OSError) and error.errno == 28:
        return WorkError("disk_full", path=str(target.parent))
    if isinstance(error, PermissionError):
        return WorkError("cache_not_writable", path=str(target.parent), reason=error.strerror or str(error))
    return WorkError(codes["unreachable"], name=name, endpoint=endpoint, folder=str(target.parent))


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
