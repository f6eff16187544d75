"""Where a model or a dataset comes from when its name is not a file or folder here, one file a hub.

A hub brings models, datasets or both, and takes models:
    fetch(name, revision, target, on_progress) -> Path
                            brings the files of a model that the studio may open (safetensors, settings, tokenizers;
                            never pickles or code) into the folder `target` and returns it
    dataset_files(name, revision) -> list[HubFile]
                            what a dataset there consists of
    fetch_files(name, revision, target, files, on_progress, should_stop)
                            brings these files of a dataset into the folder `target` under their own names; raises
                            StopAsked soon after should_stop() is true
    greet() -> str          whose the token is that the environment holds
    push(name, folder, private, on_progress, should_stop) -> Pushed
                            puts all files of a folder into the repository `name` of a model, which is made where it is
                            not there; what arrived in an earlier try is not sent again; raises StopAsked
    TOKEN                   the variable of the environment that holds the token
    REVISION                what a dataset is taken at when nobody says; CONVERTED, if there is one, where the hub
                            keeps its own conversion of datasets that are code
An interrupted download goes on where it stopped. `on_progress(done, total)` hears bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

Progress = Callable[[int, int], None]
Stop = Callable[[], bool]


class HubFile(NamedTuple):
    """One file on a hub; `sha256` is empty where the hub does not tell it."""

    path: str
    size: int
    sha256: str = ""
