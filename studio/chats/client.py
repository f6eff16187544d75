"""Client of the OpenAI protocol: the studio's own engine on this machine, or any other server that speaks it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from studio.errors import StopAsked, StudioError, WorkError

Chunk = dict[str, Any]
Heard = Callable[[Chunk], None]
Stop = Callable[[], bool]
_CONNECT_SECONDS, _ANSWER_SECONDS, _SILENCE_SECONDS = 10.0, 60.0, 900.0
_STOP_LOOK_SECONDS = 0.05
# A rest now and then; what comes meanwhile is parsed in one go, a fifth cheaper than token by token (four lanes).
_REST_SECONDS = 0.03
_MOST_RETRY_SECONDS = 2.0
_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
_LONGEST_REASON = 600


@dataclass(frozen=True)
class Address:
    """Where a server is, with or without `/v1`, and the key that opens it; the key is never shown."""

    url: str
    key: str = ""
    is_own: bool = False

    @property
    def api(self) -> str:
        """The address of the protocol's routes."""
        return f"{self.root}/v1"

    @property
    def root(self) -> str:
        """The address of the server's own routes."""
        return self.url.rstrip("/").removesuffix("/v1")

    def __repr__(self) -> str:
        return f"Address({self.url!r})"


def stream(address: Address, body: Mapping[str, Any], on_chunk: Heard, should_stop: Stop) -> None:
    """Have a chat answered: `on_chunk` hears each object of the stream in its order, until `[DONE]`.

    While a model is being loaded the question is asked again and again. Raises StopAsked as soon as `should_stop`, and
    WorkError engine_unreachable, engine_gone (the stream broke off) or engine_refused.
    """
    import httpx

    with _client(address, _SILENCE_SECONDS) as client, _Line(should_stop) as line:
        while True:
            with line.cut(), _failures(address, httpx):
                request = client.build_request("POST", f"{address.api}/chat/completions", content=orjson.dumps(body),
                                               headers=_HEADERS, extensions={"trace": line.follow})
                response = client.send(request, stream=True)
                try:
                    if response.status_code == 200:
                        if not _read(response, on_chunk, should_stop):
                            raise WorkError("engine_gone")
                        return
                    response.read()
                    again = _retry_seconds(response)
                    if again is None:
                        raise refused(response)
                finally:
                    response.close()
            _wait(again, should_stop)


class _Line:
    """The line to a server; a watcher cuts it when it shall stop, whatever the other side is doing or not yet doing."""

    def __init__(self, should_stop: Stop) -> None:
        self._should_stop = should_stop
        self._over = threading.Event()
        self._socket: Any = None

    def __enter__(self) -> _Line:
        threading.Thread(target=self._watch, name="line watcher", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def follow(self, name: str, info: Mapping[str, Any]) -> None:
        """Hear from the transport what it connected."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Whatever breaks because the line was cut on purpose is a stop."""
        try:
            yield
        except StudioError:
            if self._should_stop():
                raise StopAsked("answering") from None
            raise

    def _watch(self) -> None:
        while not self._over.wait(_STOP_LOOK_SECONDS):
            if self._should_stop() and self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
                return


def _read(response: Any, on_chunk: Heard, should_stop: Stop) -> bool:
    """Hear the events of the stream; whether it came to its end."""
    rest, rested = b"", 0.0
    for part in response.iter_raw():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            text = line.strip()
            if not text.startswith(b"data:"):
                continue
            text = text[5:].strip()
            if text == b"[DONE]":
                return True
            if should_stop():
                raise StopAsked("answering")
            chunk = _object(text)
            if "error" in chunk:
                raise _said(chunk["error"], 500)
            on_chunk(chunk)
        if (now := time.monotonic()) - rested > _REST_SECONDS:
            time.sleep(_REST_SECONDS)
            rested = now + _REST_SECONDS
    return False


def models(address: Address) -> list[Chunk]:
    """What the server has: OpenAI's list of models."""
    return list(_asked(address, "GET", f"{address.api}/models").get("data") or [])


def lanes(address: Address, seconds: float = _ANSWER_SECONDS) -> Chunk:
    """What the studio's engine can load and has loaded."""
    return _asked(address, "GET", f"{address.root}/studio/lanes", seconds=seconds)


def load(address: Address, model: str, force: bool = False, seconds: float = _SILENCE_SECONDS) -> Chunk:
    """Have the studio's engine load a lane, with `force` even where memory seems short; returns when it is ready.

    Raises what `stream` raises.
    """
    return _asked(address, "POST", f"{address.root}/studio/load", {"model": model, "force": force}, seconds)


def unload(address: Address, model: str) -> Chunk:
    """Have the studio's engine let a lane go; its memory is free when this returns."""
    return _asked(address, "POST", f"{address.root}/studio/unload", {"model": model})


def estimate(address: Address, model: str) -> Chunk:
    """What loading a lane would take, as the studio's engine says."""
    return _asked(address, "GET", f"{address.root}/studio/estimate", params={"model": model})


def health(address: Address, seconds: float = 2.0) -> bool:
    """Whether a server answers there."""
    try:
        _asked(address, "GET", f"{address.root}/health", seconds=seconds)
    except WorkError:
        return False
    return True


def _asked(address: Address, method: str, url: str, body: Any = None, seconds: float = _ANSWER_SECONDS,
           params: Mapping[str, str] | None = None) -> Chunk:
    import httpx

    with _client(address, seconds) as client, _failures(address, httpx):
        response = client.request(method, url, json=body, params=params)
        if response.status_code >= 400:
            raise refused(response)
        return _object(response.content)


def _client(address: Address, seconds: float) -> Any:
    """A client that asks nobody on the way: proxies of the environment are for the world outside of this machine."""
    import httpx

    headers = {"Authorization": f"Bearer {address.key}"} if address.key else {}
    timeout = httpx.Timeout(seconds, connect=_CONNECT_SECONDS)
    return httpx.Client(headers=headers, timeout=timeout, trust_env=not address.is_own, verify=_verified(address))


def _verified(address: Address) -> bool:
    """Reading the authorities' certificates takes a tenth of a second: only where they are asked for."""
    return address.root.startswith("https://")


@contextlib.contextmanager
def _failures(address: Address, httpx: Any) -> Iterator[None]:
    """What goes wrong on the way, as errors with a sentence."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise WorkError("engine_unreachable", url=address.root, reason=_reason(error)) from None
    except (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError, httpx.ReadTimeout, OSError):
        raise WorkError("engine_gone") from None
    except httpx.HTTPError as error:
        raise WorkError("engine_unreachable", url=address.root, reason=_reason(error)) from None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def refused(response: Any) -> WorkError:
    """What a server said no to, in its own words."""
    said = _object(response.content).get("error")
    if said is None:
        said = {"message": response.text.strip() or f"HTTP {response.status_code}"}
    return _said(said, response.status_code)


def _said(error: Any, status: int) -> WorkError:
    about = error if isinstance(error, dict) else {"message": str(error)}
    return WorkError("engine_refused", reason=str(about.get("message") or "")[:_LONGEST_REASON], status=status,
                     kind=str(about.get("code") or about.get("type") or ""), param=str(about.get("param") or ""))


def _retry_seconds(response: Any) -> float | None:
    """How long to wait before asking again: only for a model that is being loaded, or a queue that is full."""
    kind = str((_object(response.content).get("error") or {}).get("code") or "")
    loading = response.status_code == 503 and kind == "model_loading"
    if not loading and response.status_code != 429:
        return None
    if response.status_code == 429 and not response.headers.get("retry-after"):
        return None
    try:
        said = float(response.headers.get("retry-after") or 1)
    except ValueError:
        said = 1.0
    return min(said, _MOST_RETRY_SECONDS)


def _wait(seconds: float, should_stop: Stop) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if should_stop():
            raise StopAsked("answering")
        time.sleep(_STOP_LOOK_SECONDS)


def _object(text: bytes) -> Chunk:
    try:
        value = orjson.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
