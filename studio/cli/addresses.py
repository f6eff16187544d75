"""Where a server may listen: ports and hosts as they are typed, and whether they are free."""

from __future__ import annotations

import errno
import socket

from studio.errors import InputError

HOST = "127.0.0.1"
_TRIED_PORTS = 100


def port_of(said: str | None, usual: int) -> int:
    """The port that was typed, else the usual one; raises InputError port_bad."""
    if said is None:
        return usual
    if not said.isascii() or not said.isdigit() or not 1 <= int(said) <= 65535:
        raise InputError("port_bad", value=said)
    return int(said)


def refuse_busy(host: str, port: int, chosen: bool) -> None:
    """Try the port before anything heavy is imported.

    Raises InputError: host_bad; port_forbidden and port_taken for a port that the user has chosen.
    """
    try:
        _bind(host, port)
    except OSError as error:
        _refuse_host(host, error)
        if chosen:
            code = "port_forbidden" if error.errno == errno.EACCES else "port_taken"
            raise InputError(code, port=port) from None


def free_port(host: str, usual: int) -> int:
    """The usual port or the next one that is free; raises InputError host_bad or ports_taken."""
    last = min(usual + _TRIED_PORTS, 65536) - 1
    for port in range(usual, last + 1):
        try:
            _bind(host, port)
        except OSError as error:
            _refuse_host(host, error)
        else:
            return port
    raise InputError("ports_taken", port=usual, last=last, host=host)


def _bind(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def _refuse_host(host: str, error: OSError) -> None:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        raise InputError("host_bad", host=host) from None
