"""No verb: the page, on this machine unless asked otherwise."""

from __future__ import annotations

import ipaddress
import socket

from studio.cli.voice import Voice
from studio.cli.words import Call, Option, Refused, Verb
from studio.errors import InputError, StudioError
from studio.workspace import Workspace

HOST = "127.0.0.1"
PORT = 7860
_TRIES = 100


def work(call: Call) -> int:
    """Serve the page until Ctrl-C; a busy usual port gives way to the next free one, a chosen one is refused."""
    voice = Voice(call.lang)
    host = call.options.get("host", HOST)
    auth, port = call.options.get("auth"), PORT
    errors: list[StudioError] = []
    try:
        port = _port(call.options.get("port"))
    except InputError as error:
        errors.append(error)
    errors += _unsafe(host, auth)
    if errors:
        raise Refused(errors)
    chosen = _free_port(host, port, insist="port" in call.options)
    if chosen != port:
        voice.aside(voice.say("page.next_port", port=port, chosen=chosen))
    from studio.ui.app import serve

    login = (auth.partition(":")[0], auth.partition(":")[2]) if auth else None
    serve(Workspace.at(call.root), host, chosen, call.lang, login, not call.has("no-browser"),
          insist="lang" in call.options)
    return 0


def _port(said: str | None) -> int:
    if said is None:
        return PORT
    if not said.isascii() or not said.isdigit() or not 1 <= int(said) <= 65535:
        raise InputError("port_bad", value=said)
    return int(said)


def _unsafe(host: str, auth: str | None) -> list[StudioError]:
    """A login that is none, and an address that others can reach without a login."""
    errors: list[StudioError] = []
    if auth is not None and not all(auth.partition(":")):
        errors.append(InputError("auth_bad"))
    if auth is None and not _is_own(host):
        errors.append(InputError("host_needs_auth", host=host))
    return errors


def _is_own(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _free_port(host: str, port: int, insist: bool) -> int:
    """The port, or the next free one unless the user insists; raises InputError port_taken or host_bad."""
    last = port if insist else min(port + _TRIES, 65535)
    for candidate in range(port, last + 1):
        if _is_free(host, candidate):
            return candidate
    raise InputError("port_taken", port=port)


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return True
    except PermissionError:
        raise InputError("port_forbidden", port=port) from None
    except socket.gaierror:
        raise InputError("host_bad", host=host) from None
    except OSError as error:
        if error.errno in _NO_SUCH_ADDRESS:
            raise InputError("host_bad", host=host) from None
        return False


_NO_SUCH_ADDRESS = (99, 49, 10049)  # EADDRNOTAVAIL on Linux, macOS, Windows

VERB = Verb(
    "", (Option("host", "HOST"), Option("port", "PORT"), Option("auth", "USER:PASSWORD"), Option("no-browser")), work
)
