"""What is told of an export: where it is, how large, its files, and whether it is the same model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.cli.voice import Voice, number, size, table
from studio.exports import acceptance, shelf
from studio.runs.files import RunFolder

SHOWN_FILES = 8
ACCEPTED = ("state", "token_agreement", "max_logit_difference")


def ending(folder: RunFolder, glimpse: Any, voice: Voice) -> list[str]:
    """What an export that has finished made, and what it is worth."""
    made = shelf.record(folder)
    first = voice.say("ended.exported", run=folder.name, form=made.get("form", ""),
                      size=size(int(made.get("bytes", 0))), duration=voice.duration(glimpse.elapsed_seconds))
    return [first, *lines(folder, voice), voice.say("ended.exported_to", path=made.get("path", ""))]


def lines(folder: RunFolder, voice: Voice) -> list[str]:
    """The files, the largest first, and the verdict of an export; nothing while there is none."""
    made = shelf.record(folder)
    if not made:
        return []
    files = sorted(made.get("files") or (), key=lambda one: -int(one["bytes"]))
    rows = [(str(one["name"]), size(int(one["bytes"])), str(one["sha256"])[:16]) for one in files[:SHOWN_FILES]]
    rest = [voice.say("exported.more", count=len(files) - SHOWN_FILES)] if len(files) > SHOWN_FILES else []
    return [*(f"  {line}" for line in table(rows, right=(1,))), *rest, *verdict(_accepted(made), voice)]


def verdict(told: Mapping[str, Any], voice: Voice) -> list[str]:
    """The verdict in sentences, and the figures behind it."""
    if not told:
        return []
    logit, perplexity = told.get("max_logit_difference"), told.get("perplexity") or {}
    figures = [] if logit is None else [voice.say(
        "exported.figures", logit=number(logit, 3), source=number(perplexity.get("source")),
        result=number(perplexity.get("result")))]
    headline, reasons = acceptance.told(voice.lang, told)
    return ["", headline, *reasons, *figures]


def result(folder: RunFolder, glimpse: Any) -> dict[str, Any]:
    """The outcome as `--json` gives it."""
    made = shelf.record(folder)
    told = _accepted(made)
    return {"run": folder.name, "state": str(glimpse.state), "form": made.get("form"), "path": made.get("path"),
            "bytes": made.get("bytes"), "files": made.get("files") or [],
            "acceptance": {name: told.get(name) for name in ACCEPTED}}


def is_failed(folder: RunFolder) -> bool:
    """Whether the export stands and is not the model that it was made of."""
    return _accepted(shelf.record(folder)).get("state") == "failed"


def _accepted(made: Mapping[str, Any]) -> Mapping[str, Any]:
    found = made.get("acceptance")
    return found if isinstance(found, dict) else {}
