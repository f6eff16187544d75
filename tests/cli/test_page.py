"""Without a verb the page is served, on this machine only, until Ctrl-C."""

from __future__ import annotations

import signal
import socket
import urllib.request

import pytest

from tests.cli.client import Client

pytestmark = pytest.mark.slow


def test_the_page_is_served_until_ctrl_c(client: Client) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = client.begin("--port", str(port), "--no-browser", "--lang", "zh")
    assert process.stdout is not None
    said = process.stdout.readline()
    assert f"http://127.0.0.1:{port}" in said
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
        assert answer.status == 200
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
