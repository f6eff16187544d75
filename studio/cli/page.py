"""No verb: the page, on this machine unless asked otherwise."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from studio.cli.words import Call, Option, Refused, Verb
from studio.errors import InputError, StudioError
from studio.workspace import Workspace

HOST = "127.0.0.1"
PORT = 7860


def work(call: Call) -> int:
    """Serve the page until Ctrl-C; a busy usual port gives way to the next free one, a chosen one is refused."""
    host, auth, port = call.options.get("host", HOST), call.options.get("auth"), PORT
    errors: list[StudioError] = []
    try:
        port = _port(call.options.get("port"))
    except InputError as error:
        errors.append(error)
    errors += _unsafe(host, auth)
    if errors:
        raise errors[0] if len(errors) == 1 else Refused(errors)
    _refuse_busy(host, port, chosen="port" in call.options)
    from studio.ui.app import serve

    login = (auth.partition(":")[0], auth.partition(":")[2]) if auth else None
    said = "lang" in call.options or bool(os.environ.get("STUDIO_LANG"))
    return serve(Workspace.at(call.root), host, port, call.lang, login, not call.has("no-browser"), insist=said)


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
        errors.append(InputError("page_needs_auth", host=host))
    return errors


def _is_own(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_busy(host: str, port: int, chosen: bool) -> None:
    """Try the port before anything heavy is imported.

    Raises InputError: host_bad; port_forbidden and port_taken for a port that the user has chosen.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        raise InputError("host_bad", host=host) from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise InputError("host_bad", host=host) from None
        if chosen:
            code = "port_forbidden" if error.errno == errno.EACCES else "port_taken"
            raise InputError(code, port=port) from None


VERB = Verb(
    "", (Option("host", "HOST"), Option("port", "PORT"), Option("auth", "USER:PASSWORD"), Option("no-browser")), work
)
