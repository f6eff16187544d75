"""Server: what the routes share."""

from __future__ import annotations

from dataclasses import dataclass

from studio.engine.server.metrics import Metrics
from studio.engine.server.registry import Registry
from studio.engine.server.settings import Settings
from studio.engine.server.vllm import Vllm


@dataclass(frozen=True)
class Server:
    """One running server: how it serves, its models, what it has counted; `vllm` where that answers in our place."""

    settings: Settings
    registry: Registry
    metrics: Metrics
    vllm: Vllm | None = None

    @property
    def lang(self) -> str:
        """The language of its sentences."""
        return self.settings.lang
