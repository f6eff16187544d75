"""Who answers in the terminal: an engine of this chat's own, or a server somewhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.cli.terminal.answers import Listener, body
from studio.cli.terminal.dialogue import Answer
from studio.cli.voice import Voice, size
from studio.errors import InputError
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.chats.lanes import Lane


class Own:
    """The workspace's lanes, answered by an engine that lives as long as this is entered."""

    def __init__(self, workspace: Workspace, voice: Voice, sampling: Mapping[str, Any],
                 loading: Mapping[str, Any]) -> None:
        from studio.chats.engine import Engine

        self.workspace = workspace
        self.voice = voice
        self.sampling = dict(sampling)
        self.loading = dict(loading)
        self.engine = Engine(workspace, voice.lang, **self.loading)
        self.loaded: list[Lane] = []

    def __enter__(self) -> Own:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.stop()

    def names(self) -> Sequence[str]:
        """Every lane of the workspace."""
        from studio.chats.lanes import offered

        return [one.name for one in offered(self.workspace)]

    def ready(self, lane: str) -> str:
        """Load a lane and say beforehand what it takes beside those that are loaded."""
        from studio.chats import client
        from studio.chats.lanes import lane as lane_of
        from studio.cli.models import needed

        found = lane_of(lane, self.workspace)
        added, free = needed([*self.loaded, found], self.loading.get("quantization_bit"),
                             self.loading.get("compute_type", "auto"))
        need = added[found.name]
        if free is None:
            self.voice.aside(self.voice.say("chat.loading_unknown", lane=lane, need=size(need)))
        else:
            key = "chat.loading" if need <= free else "chat.loading_short"
            self.voice.aside(self.voice.say(key, lane=lane, need=size(need), free=size(free)))
        client.load(self.engine.address(), lane)
        self.loaded.append(found)
        return lane

    def answer(self, lane: str, messages: Sequence[dict[str, str]], seed_shift: int,
               on_piece: Callable[[str, str], None], into: Answer, should_stop: Callable[[], bool]) -> None:
        """Stream an answer; the engine is started anew when it has gone."""
        from studio.chats import client

        client.stream(self.engine.address(), body(lane, messages, self.sampling, seed_shift),
                      Listener(into, on_piece), should_stop)


class Elsewhere:
    """A server that speaks the OpenAI protocol; its key stays in memory."""

    def __init__(self, url: str, key: str, sampling: Mapping[str, Any]) -> None:
        from studio.chats.client import Address

        if not url.startswith(("http://", "https://")):
            raise InputError("chat_url_bad", value=url)
        self.address = Address(url, key)
        self.sampling = dict(sampling)
        self._names: list[str] = []

    def names(self) -> Sequence[str]:
        """Every model that the server lists."""
        from studio.chats import client

        if not self._names:
            self._names = [str(one["id"]) for one in client.models(self.address)]
        return self._names

    def first(self) -> list[str]:
        """The model that answers when none was named; raises InputError chat_no_model."""
        if not self.names():
            raise InputError("chat_no_model", url=self.address.url)
        return [self.names()[0]]

    def ready(self, lane: str) -> str:
        """The name as it is; raises InputError chat_model_elsewhere for one that the server does not list."""
        if self.names() and lane not in self.names():
            raise InputError("chat_model_elsewhere", url=self.address.url, name=lane, known=list(self.names())[:8])
        return lane

    def answer(self, lane: str, messages: Sequence[dict[str, str]], seed_shift: int,
               on_piece: Callable[[str, str], None], into: Answer, should_stop: Callable[[], bool]) -> None:
        """Stream an answer."""
        from studio.chats import client

        client.stream(self.address, body(lane, messages, self.sampling, seed_shift), Listener(into, on_piece),
                      should_stop)
