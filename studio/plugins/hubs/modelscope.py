"""The ModelScope hub, or the one whose address MODELSCOPE_DOMAIN gives: public datasets, models that are pushed."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from studio.errors import InputError, StudioError, WorkError
from studio.plugins.hubs import HubFile, Progress, Stop, _download, _upload

if TYPE_CHECKING:
    import httpx

ORDER = 20
LABEL = "ModelScope"
TOKEN = "MODELSCOPE_API_TOKEN"
REVISION = "master"
DOMAIN = "www.modelscope.cn"
PAGE = 200
PRIVATE, PUBLIC = 1, 5
LARGE_FROM = 1 << 20
LARGE = (".safetensors", ".gguf", ".onnx", ".data", ".zip", ".bin", ".model")
SESSION = "m_session_id"


def dataset_files(name: str, revision: str) -> list[HubFile]:
    """The files of a dataset, folder by folder.

    Raises InputError hub_dataset_unknown, hub_dataset_gated, WorkError hub_dataset_unreachable.
    """
    found: dict[str, HubFile] = {}
    with _client() as client:
        shelf, waiting = _shelf(client, name, revision), [""]
        while waiting:
            for one in _listed(shelf, revision, waiting.pop()):
                path = str(one["Path"])
                if one.get("Type") == "tree":
                    waiting.append(path)
                else:
                    found[path] = HubFile(path, int(one.get("Size") or 0), str(one.get("Sha256") or ""))
    return list(found.values())


def fetch_files(name: str, revision: str, target: Path, files: Sequence[HubFile], on_progress: Progress | None = None,
                should_stop: Stop | None = None) -> None:
    """Bring these files of a dataset into `target`; what lies there half goes on where it stopped."""
    with _client() as client:
        _download.bring(_shelf(client, name, revision), target, files, on_progress, should_stop)


def greet() -> str:
    """Whose the token in MODELSCOPE_API_TOKEN is.

    Raises InputError hub_token_missing, hub_token_wrong, WorkError hub_push_unreachable.
    """
    with _client() as client:
        return _guarded(client, "", lambda: _login(client))


def push(name: str, folder: Path, private: bool, on_progress: Progress | None = None,
         should_stop: Stop | None = None) -> _upload.Pushed:
    """Put all files of a folder into the repository `name`, one after the other and then one commit.

    A file that arrived before the line broke is not sent again. Raises what `greet` raises, InputError
    hub_token_may_not, hub_repo_refused, hub_public, WorkError hub_not_whole, StopAsked.
    """
    with _client() as client:
        return _guarded(client, name, lambda: _pushed(client, name, _upload.Parcel(folder, on_progress, should_stop),
                                                      private))


def _pushed(client: httpx.Client, name: str, parcel: _upload.Parcel, private: bool) -> _upload.Pushed:
    who = _login(client)
    repo = name if "/" in name else f"{who}/{name}"
    _have(client, repo, private)
    digests, actions = parcel.digests(), []
    for path, digest in digests.items():
        was_there = _send(client, repo, parcel, path, digest)
        parcel.gone(path)
        actions.append(_action(parcel, path, digest, was_there))
    said = {"commit_message": f"Upload {len(actions)} files", "actions": actions}
    _heard(client.post(f"/api/v1/repos/models/{repo}/commit/{REVISION}", json=said), repo)
    there = _there(client, repo)
    missing = [path for path, size in parcel.sizes.items() if there.get(path) != size]
    if missing:
        raise WorkError("hub_not_whole", name=repo, path=missing[0])
    return _upload.Pushed(repo, str(client.base_url.join(f"/models/{repo}")), left=parcel.older(list(there)))


def _login(client: httpx.Client) -> str:
    """Show the token; the session that it opens stays with the client. The name of its owner."""
    token = _upload.token(TOKEN, LABEL)
    answer = client.post("/api/v1/login", json={"AccessToken": token})
    if answer.status_code in (400, 401, 403):
        raise InputError("hub_token_wrong", hub=LABEL, variable=TOKEN)
    said = answer.raise_for_status().json()
    if not said.get("Success"):
        raise InputError("hub_token_wrong", hub=LABEL, variable=TOKEN)
    return str((said.get("Data") or {}).get("Username", ""))


def _have(client: httpx.Client, repo: str, private: bool) -> None:
    """See that the repository is there, made if it is not, and that nobody else reads what is to be private."""
    answer = client.get(f"/api/v1/models/{repo}")
    if answer.status_code == 200 and answer.json().get("Success"):
        if private and answer.json()["Data"].get("Visibility") != PRIVATE:
            raise InputError("hub_public", name=repo, hub=LABEL)
        return
    owner, _, short = repo.partition("/")
    about = {"Path": owner, "Name": short, "ChineseName": None, "Visibility": PRIVATE if private else PUBLIC,
             "License": "", "OriginalModelId": "", "TrainId": ""}
    _heard(client.post("/api/v1/models", json=about), repo)


def _send(client: httpx.Client, repo: str, parcel: _upload.Parcel, path: str, digest: str) -> bool:
    """Send one file unless the hub has its bytes; whether it had."""
    import httpx

    asked = {"operation": "upload", "objects": [{"oid": digest, "size": parcel.sizes[path]}]}
    said = _heard(client.post(f"/api/v1/repos/models/{repo}/info/lfs/objects/batch", json=asked), repo)
    wanted = (said.get("Data") or {}).get("objects") or []
    if not wanted:
        return True
    address = str(wanted[0]["actions"]["upload"]["href"])
    headers = {"Content-Length": str(parcel.sizes[path])} | _session(client, address)
    for tried in range(1, _download.TRIES + 1):
        try:
            _heard(client.put(address, content=parcel.blocks(path), headers=headers), repo)
            return False
        except httpx.TransportError:
            if tried == _download.TRIES:
                raise
            time.sleep(_download.WAIT_SECONDS * tried)
    return False


def _session(client: httpx.Client, address: str) -> dict[str, str]:
    """The session for the hub's own storage, which may have another name; strangers do not get it."""
    ours, theirs = str(client.base_url.host), str(urlsplit(address).hostname)
    if ours.split(".")[-2:] != theirs.split(".")[-2:] or SESSION not in client.cookies:
        return {}
    return {"Cookie": f"{SESSION}={client.cookies[SESSION]}"}


def _action(parcel: _upload.Parcel, path: str, digest: str, was_there: bool) -> dict[str, Any]:
    """What the commit does with one file: small ones go in it, of large ones only the name of their bytes."""
    size = parcel.sizes[path]
    large = size > LARGE_FROM or path.endswith(LARGE)
    content = "" if large else base64.b64encode(parcel.files[path].read_bytes()).decode()
    return {"action": "update" if was_there else "create", "path": path, "type": "lfs" if large else "normal",
            "size": size, "sha256": digest if large else "", "content": content,
            "encoding": "" if large else "base64"}


def _there(client: httpx.Client, repo: str) -> dict[str, int]:
    """Every file of the repository and its bytes."""
    said = _heard(client.get(f"/api/v1/models/{repo}/repo/files", params={"Revision": REVISION, "Recursive": "True"}),
                  repo)
    return {str(one["Path"]): int(one.get("Size") or 0) for one in (said.get("Data") or {}).get("Files") or []
            if one.get("Type") != "tree"}


def _heard(answer: httpx.Response, repo: str) -> dict[str, Any]:
    """What the hub said, when it said yes."""
    if answer.status_code == 401:
        raise InputError("hub_token_wrong", hub=LABEL, variable=TOKEN)
    if answer.status_code == 403:
        raise InputError("hub_token_may_not", hub=LABEL, name=repo)
    if answer.status_code >= 500:
        answer.raise_for_status()
    said = answer.json()
    if not isinstance(said, dict) or not said.get("Success"):
        reason = said.get("Message", "") if isinstance(said, dict) else ""
        raise InputError("hub_repo_refused", hub=LABEL, name=repo, reason=reason or answer.status_code)
    return said


def _guarded(client: httpx.Client, name: str, work: Callable[[], Any]) -> Any:
    """Do work on the hub; raises WorkError hub_push_unreachable where it does not answer as a hub does."""
    import httpx

    try:
        return work()
    except StudioError:
        raise
    except (httpx.HTTPError, ValueError, KeyError, IndexError) as error:
        ours = _upload.cause(error, StudioError)
        if ours is not None:
            raise ours from error
        raise WorkError("hub_push_unreachable", name=name, endpoint=str(client.base_url).rstrip("/")) from error


def _client() -> httpx.Client:
    return _download.client(os.environ.get("MODELSCOPE_DOMAIN") or DOMAIN)


def _shelf(client: httpx.Client, name: str, revision: str) -> _download.Shelf:
    def address(file: HubFile) -> str:
        about = {"Revision": revision, "FilePath": file.path, "Source": "SDK"}
        return f"/api/v1/datasets/{name}/repo?{urlencode(about)}"

    def check(answer: httpx.Response) -> None:
        if answer.status_code in (401, 403):
            raise InputError("hub_dataset_gated", name=name)
        if answer.status_code in (400, 404):
            raise InputError("hub_dataset_unknown", name=name, revision=revision, hub="ModelScope")

    return _download.Shelf(name, client, address, check)


def _listed(shelf: _download.Shelf, revision: str, folder: str) -> list[dict[str, Any]]:
    """What lies in one folder of a dataset, page by page."""
    found: list[dict[str, Any]] = []
    page: list[dict[str, Any]] = []
    number = 1
    while number == 1 or len(page) == PAGE:
        page = _asked(shelf, {"Revision": revision, "Root": folder, "PageNumber": number, "PageSize": PAGE}, revision)
        if found and page and page[0]["Path"] in {one["Path"] for one in found}:
            break  # a hub that does not count pages gives the same one again
        found += page
        number += 1
    return found


def _asked(shelf: _download.Shelf, about: dict[str, Any], revision: str) -> list[dict[str, Any]]:
    import httpx

    try:
        answer = shelf.client.get(f"/api/v1/datasets/{shelf.name}/repo/tree", params=about)
        shelf.check(answer)
        said = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise shelf.unreachable() from error
    if not isinstance(said, dict) or said.get("Success") is False:
        raise InputError("hub_dataset_unknown", name=shelf.name, revision=revision, hub="ModelScope")
    files = (said.get("Data") or {}).get("Files") or []
    return [one for one in files if isinstance(one, dict) and one.get("Path")]
