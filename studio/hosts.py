"""Under which names this machine is rightly reached, and which requests come from a foreign page."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

SAFE = ("GET", "HEAD", "OPTIONS")


def known_names(host: str) -> frozenset[str]:
    """The names under which a studio bound to `host` is rightly reached."""
    names = {"localhost", "127.0.0.1", "::1", host.strip("[]").lower()}
    if not is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(names - {"0.0.0.0", "::", ""})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_number(name: str) -> bool:
    """Whether a host is given as an address and not as a name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_ours(host: str, names: frozenset[str], is_locked: bool) -> bool:
    """Whether a Host header names this machine: a rebound DNS name is neither a number nor one of its names.

    Numbers are taken where a login or key is asked for anyway.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "") if host else ""
    except ValueError:
        return False
    return name in names or (is_locked and is_number(name))


def is_foreign(method: str, headers: Mapping[str, str], host: str) -> bool:
    """Whether a request that may change something was sent by a page of another origin."""
    if method in SAFE:
        return False
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return True
    origin = headers.get("origin")
    try:
        return origin is not None and urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True
