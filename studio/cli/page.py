"""No verb: the page, on this machine unless asked otherwise."""

from __future__ import annotations

import os

from studio.cli.addresses import HOST, port_of, refuse_busy
from studio.cli.words import Call, Option, Refused, Verb
from studio.errors import InputError, StudioError
from studio.hosts import is_loopback
from studio.workspace import Workspace

PORT = 7860


def work(call: Call) -> int:
    """Serve the page until Ctrl-C; a busy usual port gives way to the next free one, a chosen one is refused."""
    host, auth, port = call.options.get("host", HOST), call.options.get("auth"), PORT
    errors: list[StudioError] = []
    try:
        port = port_of(call.options.get("port"), PORT)
    except InputError as error:
        errors.append(error)
    errors += _unsafe(host, auth)
    if errors:
        raise errors[0] if len(errors) == 1 else Refused(errors)
    refuse_busy(host, port, chosen="port" in call.options)
    from studio.ui.app import serve

    login = (auth.partition(":")[0], auth.partition(":")[2]) if auth else None
    said = "lang" in call.options or bool(os.environ.get("STUDIO_LANG"))
    return serve(Workspace.at(call.root), host, port, call.lang, login, not call.has("no-browser"), insist=said)


def _unsafe(host: str, auth: str | None) -> list[StudioError]:
    """A login that is none, and an address that others can reach without a login."""
    errors: list[StudioError] = []
    if auth is not None and not all(auth.partition(":")):
        errors.append(InputError("auth_bad"))
    if auth is None and not is_loopback(host):
        errors.append(InputError("page_needs_auth", host=host))
    return errors


VERB = Verb(
    "", (Option("host", "HOST"), Option("port", "PORT"), Option("auth", "USER:PASSWORD"), Option("no-browser")), work
)
