"""The page as a program: build it, guard it, serve it."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import webbrowser
from typing import Any

import gradio as gr

from studio.data import incoming
from studio.errors import InputError
from studio.hosts import is_loopback
from studio.texts import say
from studio.ui import downloads
from studio.ui.first_page import ASSETS, FirstPage
from studio.ui.guard import Guard
from studio.ui.page import Page
from studio.ui.tabs.chat import live
from studio.ui.tabs.evaluate import files
from studio.ui.tabs.export import files as exports
from studio.ui.theme import theme
from studio.workspace import Workspace

_MOST_PORTS = 50
# Gradio looks into its queue a thousand times a second, which takes a twentieth of a core from the run beside it.
_QUEUE_REST_SECONDS = 0.02


def build(workspace: Workspace, lang: str = "en") -> gr.Blocks:
    """The page's blocks; nothing is served yet and torch is not imported."""
    return Page(workspace, lang).blocks


def application(
    workspace: Workspace,
    host: str = "127.0.0.1",
    lang: str | None = None,
    auth: tuple[str, str] | None = None,
    *,
    insist: bool = False,
) -> Any:
    """The whole web application: our guard in front of our first page in front of Gradio."""
    from fastapi import FastAPI

    os.environ["GRADIO_TEMP_DIR"] = str(incoming.uploads(workspace))
    page = Page(workspace, lang or "en")
    page.blocks.queue(default_concurrency_limit=16, max_size=512)
    page.blocks._queue.sleep_when_free = _QUEUE_REST_SECONDS
    inner = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    downloads.route(inner, workspace)
    live.route(inner, workspace)
    files.route(inner, workspace)
    exports.route(inner, workspace)
    gr.mount_gradio_app(
        inner,
        page.blocks,
        path="/",
        server_name=host,
        footer_links=[],
        run_history=False,
        show_error=False,
        pwa=False,
        ssr_mode=False,
        mcp_server=False,
        max_file_size=incoming.MOST_BYTES,
        theme=theme(),
        favicon_path=str(ASSETS / "mark.svg"),
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )
    return Guard(FirstPage(inner, page.words, page.lang._id, lang or "en", insist), host, auth)


def serve(
    workspace: Workspace,
    host: str = "127.0.0.1",
    port: int = 7860,
    lang: str | None = None,
    auth: tuple[str, str] | None = None,
    open_browser: bool = True,
    *,
    insist: bool = False,
) -> int:
    """Serve the page until interrupted; 0 when it ended in good order.

    `lang` is the console's language and that of browsers that prefer none of ours; `insist` makes it everybody's
    until they switch.

    Takes the next free port when `port` is taken, and says so. Raises InputError `page_needs_auth` for an address
    that other machines reach without a login, `port_unusable` when no port can be had.
    """
    import uvicorn

    if not is_loopback(host) and not auth:
        raise InputError("page_needs_auth", host=host)
    os.environ["STUDIO_ROOT"] = str(workspace.root)  # a user's own metric asks for the workspace by itself
    listener = _listen(host, port)
    spoken = lang or "en"
    taken = listener.getsockname()[1]
    if port and taken != port:
        print(say(spoken, "page.serve.port_taken", port=port, taken=taken), file=sys.stderr, flush=True)
    app = application(workspace, host, lang, auth, insist=insist)
    address = f"http://{'localhost' if host in ('0.0.0.0', '::') else f'[{host}]' if ':' in host else host}:{taken}"
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=65,
            server_header=False,
        )
    )
    print(say(spoken, "page.serve.ready", address=address), flush=True)
    if open_browser:
        threading.Timer(0.5, webbrowser.open, (address,)).start()
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return 0
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket on the wanted port or the next free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + _MOST_PORTS, 65536)) if port else (0,):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise InputError("port_unusable", host=host, port=candidate, reason=error.strerror or str(error)) from None
        return listener
    raise InputError("ports_taken", host=host, port=port, last=port + _MOST_PORTS - 1)
