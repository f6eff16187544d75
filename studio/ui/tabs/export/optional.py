"""Optional parts that a form needs: what they are for, and the press that installs them."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from studio.errors import StopAsked, StudioError
from studio.exports import optional
from studio.prepare.progress import Step
from studio.texts import has, say
from studio.texts.errors import of_error
from studio.ui import amounts
from studio.ui.markup import Html, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.export.place import Place
from studio.ui.tabs.export.visit import Visit

_running: dict[str, Installing] = {}
_guard = threading.Lock()


class Installing:
    """One installation that somebody has asked for; everybody who looks sees the same one.

    pip is a child of this studio: when the studio ends, what is half installed is begun anew next time.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = time.monotonic()
        self.step = Step("asking")
        self.failed: StudioError | None = None
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._install, name=f"install-{name}", daemon=True)

    @property
    def is_going_on(self) -> bool:
        """Whether pip is still at it."""
        return self._thread.is_alive()

    def start(self) -> Installing:
        """Begin."""
        self._thread.start()
        return self

    def leave(self) -> None:
        """End pip soon."""
        self._left.set()

    def _install(self) -> None:
        try:
            optional.install(self.name, self._tell)
        except StudioError as error:
            self.failed = None if isinstance(error, StopAsked) else error

    def _tell(self, step: Step) -> None:
        self.step = step
        if self._left.is_set():
            raise StopAsked()


def draw(visit: Visit, name: str, word: str = "missing") -> Html | None:
    """A part that the chosen form lacks (or only its check does) and how to get it; nothing for no name."""
    part = next((one for one in optional.listed() if one.name == name), None) if name else None
    if part is None:
        return None
    going = _running.get(name)
    if going is not None and going.is_going_on:
        said = visit.say("optional.installing", part=label(visit.lang, name))
        leave = controls.button(visit.say("leave"), "uninstall", kind="quiet", to=name)
        return tag("div", controls.progress(visit.lang, said, going.step.done, going.step.total, leave),
                   tag("small", optional.line(visit.lang, going.step, going.began), class_="quiet"), class_="trouble",
                   data_key="optional")
    told = visit.say(f"optional.{word}", part=label(visit.lang, name), size=amounts.size(part.megabytes * 1e6))
    builds = visit.say("optional.builds") if part.builds else ""
    failed = controls.problem(of_error(visit.lang, going.failed)) if going is not None and going.failed else None
    press = controls.button(visit.say("optional.install"), "install", kind="strong", to=name)
    return tag("div", controls.note(f"{told} {builds}".strip()), failed, press, class_="trouble", data_key="optional")


def label(lang: str, name: str) -> str:
    """What a part is called."""
    key = f"parts.{name}.label"
    return say(lang, key) if has(lang, key) else name


# ---- presses

def install(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Install a part, unless that is going on already."""
    name = str(said.get("to", ""))
    with _guard:
        going = _running.get(name)
        if name in {one.name for one in optional.listed()} and (going is None or not going.is_going_on):
            _running[name] = Installing(name).start()
    return visit.place


def leave(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Ask a running installation to end."""
    going = _running.get(str(said.get("to", "")))
    if going is not None:
        going.leave()
    return visit.place


ACTIONS = {"install": install, "uninstall": leave}
