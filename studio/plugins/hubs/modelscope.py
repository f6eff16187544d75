"""The ModelScope hub, for datasets, or the one whose address MODELSCOPE_DOMAIN gives; public datasets only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from studio.errors import InputError
from studio.plugins.hubs import HubFile, Progress, Stop, _download

if TYPE_CHECKING:
    import httpx

ORDER = 20
REVISION = "master"
DOMAIN = "www.modelscope.cn"
PAGE = 200


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
