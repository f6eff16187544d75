"""Nobody else's page talks to the studio, and a studio open to others asks for a login on every route."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from studio.errors import InputError
from studio.hosts import is_loopback
from studio.ui.app import application, serve
from studio.ui.guard import Guard
from studio.workspace import Workspace


def client(host: str = "127.0.0.1", auth: tuple[str, str] | None = None) -> TestClient:
    """A client of a small guarded application."""

    async def yes(request: Any) -> PlainTextResponse:
        return PlainTextResponse("yes")

    app = Starlette(routes=[Route("/{path:path}", yes, methods=["GET", "POST"])])
    return TestClient(Guard(app, host, auth), base_url="http://127.0.0.1:7860")


def login(user: str = "me", password: str = "geheim") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:7860", 200),
        ("localhost:7860", 200),
        ("[::1]:7860", 200),
        ("evil.example", 403),
        ("", 403),
        ("127.0.0.1.evil.example", 403),
        ("10.0.0.7:7860", 403),
        ("LOCALHOST", 200),
    ],
)
def test_a_rebound_name_is_refused(host: str, status: int) -> None:
    assert client().get("/", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:7860"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_a_foreign_page_cannot_post(headers: dict[str, str], status: int) -> None:
    assert client().post("/gradio_api/queue/join", headers=headers).status_code == status


@pytest.mark.parametrize(
    "path", ["/", "/config", "/gradio_api/info", "/docs", "/openapi.json", "/studio/page.css", "/theme.css"]
)
def test_every_route_asks_for_the_login(path: str, workspace: Workspace) -> None:
    guarded = TestClient(application(workspace, "0.0.0.0", "en", ("me", "geheim")), base_url="http://127.0.0.1:7860")
    answer = guarded.get(path)
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Basic")
    assert guarded.get(path, headers=login(password="falsch")).status_code == 401
    assert guarded.get(path, headers=login()).status_code != 401


def test_a_login_opens_numbers_but_no_foreign_names() -> None:
    guarded = client("0.0.0.0", ("me", "geheim"))
    assert guarded.get("/", headers={**login(), "host": "192.168.1.5:7860"}).status_code == 200
    assert guarded.get("/", headers={**login(), "host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("header", ["Basic", "Basic !!", "Bearer x", "Basic " + base64.b64encode(b"me").decode()])
def test_a_broken_login_is_no_login(header: str) -> None:
    assert client(auth=("me", "geheim")).get("/", headers={"authorization": header}).status_code == 401


def test_api_pages_are_not_there(workspace: Workspace) -> None:
    plain = TestClient(application(workspace), base_url="http://127.0.0.1:7860")
    assert [plain.get(path).status_code for path in ("/docs", "/redoc", "/openapi.json")] == [404] * 3


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "studio.example"])
def test_an_open_address_without_a_login_is_refused(host: str, workspace: Workspace) -> None:
    with pytest.raises(InputError) as refused:
        serve(workspace, host, 0, None, None, False)
    assert refused.value.code == "page_needs_auth"


def test_loopback_is_known() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "example.com"))
