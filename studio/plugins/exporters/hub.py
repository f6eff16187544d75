"""Any other form put on a hub: Hugging Face, the mirror in HF_ENDPOINT, or ModelScope."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from studio.args.fields import Group, Text, arg
from studio.errors import Problem
from studio.plugins import plugin
from studio.plugins.exporters import _held, exporter
from studio.records import write_json

ORDER = 90
TAKES = _held.EVERY_KIND
HOLDS = ("merged", "adapter", "full", "prefix", "gguf", "quantized", "onnx", "server")
HUBS = ("huggingface", "modelscope")
RECORD = "hub.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")


class HubArguments(Group):
    """Where the form goes, and who may see it there. The token is no argument: it travels by environment."""

    group = "export"

    hub_form: Text = arg("merged", choices=HOLDS, basic=True)
    hub_name: Text = arg("huggingface", choices=HUBS, basic=True)
    hub_repo: Text | None = arg(None, basic=True)
    hub_private: bool = arg(True, basic=True)


Arguments = HubArguments


def inside(spec: Any) -> str:
    """The form that is pushed."""
    return str(spec.hub_form)


def size(source: Any, spec: Any) -> int:
    """The bytes of the form inside, which stays here too."""
    return int(exporter(inside(spec)).size(source, spec))


def memory(source: Any, spec: Any) -> int:
    """What the form inside takes."""
    return _held.memory(exporter(inside(spec)), source, spec)


def refuse(source: Any, spec: Any) -> list[Problem]:
    """A repository without a name or with one that no hub takes, and what the form inside cannot be made of."""
    found = _held.refuse(exporter(inside(spec)), source, spec)
    if not spec.hub_repo:
        found.append(Problem("hub_repo_missing", "hub_repo", {}))
    elif not _NAME.fullmatch(spec.hub_repo):
        found.append(Problem("hub_repo_name", "hub_repo", {"value": spec.hub_repo}))
    return found


def write(work: Any) -> None:
    """Write the form inside, once the hub has said that it knows the token.

    Raises InputError hub_token_missing, hub_token_wrong, WorkError hub_push_unreachable, hub_push_offline.
    """
    plugin("hubs", work.spec.hub_name).greet()
    _held.write(exporter(inside(work.spec)), work)


def opened(folder: Path) -> Path:
    """Where the form inside lies."""
    return folder


def deliver(work: Any) -> None:
    """Push the finished folder; a push that broke off goes on with the first file that is not there yet.

    Raises what the hub's `push` raises; the export itself stands whatever becomes of it.
    """
    hub = plugin("hubs", work.spec.hub_name)

    def asked() -> bool:
        work.stay()
        return False

    pushed = hub.push(work.spec.hub_repo, work.target, work.spec.hub_private,
                      lambda done, total: work.tell(done, total, work.spec.hub_repo), asked)
    write_json(work.run.results / RECORD, {"hub": work.spec.hub_name, "repo": pushed.repo, "url": pushed.url,
                                           "private": work.spec.hub_private})
    for kind, names in (("hub_removed", pushed.removed), ("hub_left", pushed.left)):
        if names:
            work.say(kind, name=pushed.repo, files=", ".join(names))
    work.say("hub_pushed", name=pushed.repo, url=pushed.url)


def commands(work: Any) -> dict[str, list[str]]:
    """How to fetch it again, and what runs the form inside."""
    repo = work.spec.hub_repo
    fetch = f"hf download {repo}" if work.spec.hub_name == "huggingface" else f"modelscope download --model {repo}"
    return {"download": [fetch], **_held.commands(exporter(inside(work.spec)), work)}
