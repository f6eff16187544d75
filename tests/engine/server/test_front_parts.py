"""The parts of the server that need no process: keys, refusals, figures, the page at /docs, memory told beforehand."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from studio.chats import lanes
from studio.engine.server import errors, keys
from studio.engine.server.app import ROUTES, application
from studio.engine.server.errors import Refusal
from studio.engine.server.keys import Keys
from studio.engine.server.metrics import ROUTES as COUNTED
from studio.engine.server.metrics import Histogram, Metrics
from studio.engine.server.registry import Registry
from studio.engine.server.server import Server
from studio.engine.server.settings import Settings
from studio.errors import InputError, WorkError
from studio.texts import languages


def test_every_key_is_compared_in_full_whatever_the_first_one_says(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    plain = hmac.compare_digest

    def count(one: bytes, other: bytes) -> bool:
        compared.append(len(one))
        return plain(one, other)

    monkeypatch.setattr(keys.hmac, "compare_digest", count)
    found = Keys(["first", "second", "third"])
    assert found.open("Bearer first") and found.open("bearer third") and not found.open("Bearer fourth")
    assert compared == [32] * 9
    assert not found.open("Bearer ") and not found.open("first") and Keys([]).open("")


@pytest.mark.parametrize(("error", "status", "param", "code"), [
    (InputError("lane_unknown", name="a", known=["b"]), 404, "model", "model_not_found"),
    (InputError("checkpoint_incomplete", name="a"), 503, None, "checkpoint_incomplete"),
    (WorkError("grammar_broken", reason="x"), 400, "response_format", "grammar_broken"),
    (WorkError("engine_ended"), 500, None, "engine_ended"),
    (WorkError("model_truncated", path="a", found=1, value=2), 400, None, "model_truncated"),
    (Refusal("queue_full", 429, None, 3, most=8), 429, None, "rate_limit_exceeded"),
    (WorkError("what_nobody_foresaw"), 500, None, "what_nobody_foresaw"),
])
@pytest.mark.parametrize("lang", languages())
def test_whatever_is_wrong_has_its_status_and_its_sentence(error: Any, status: int, param: str | None, code: str,
                                                           lang: str) -> None:
    found = errors.body(error, lang)["error"]
    assert (errors.refusal(error).status, found["param"], found["code"]) == (status, param, code)
    assert found["message"] and "{" not in found["message"]
    assert ("Retry-After" in errors.headers(errors.refusal(error))) == (status in (429, 503))


def test_a_model_that_does_not_fit_is_refused_with_the_figures_before_it_is_loaded(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "estimate", lambda *_: lanes.Cost(80 * 10**9, 1000, 4 * 10**9))

    async def ask() -> None:
        registry = Registry(Settings(is_open=True))
        try:
            await registry.served("starter")
        finally:
            assert registry.bases == {}

    with pytest.raises(Refusal) as refused:
        asyncio.run(ask())
    assert refused.value.status == 507
    assert errors.sentence(refused.value, "en").startswith("starter needs about 80 GB of memory and 4 GB are free.")


def test_a_histogram_counts_up() -> None:
    found = Histogram()
    for value in (0.001, 0.02, 0.3, 100.0):
        found.add(value)
    lines = list(found.lines("seconds"))
    counts = [int(line.rpartition(" ")[2]) for line in lines if "_bucket" in line]
    assert counts == sorted(counts) and counts[0] == 1 and counts[-1] == 4
    assert lines[-1] == "seconds_count 4"


def test_every_route_is_counted_and_paths_that_nobody_serves_are_one() -> None:
    assert {path for _, path, _ in ROUTES if "{" not in path} <= COUNTED
    found = Metrics()
    for path in ("/a", "/b", "/v1/models/x"):
        found.answered(path, 404)
    assert len(found.requests) == 2


@pytest.mark.parametrize("lang", languages())
def test_the_page_of_the_routes_is_whole_in_every_language(lang: str) -> None:
    settings = Settings(lang=lang)
    app = application(Server(settings, Registry(settings), Metrics()), Keys([]))
    with TestClient(app, base_url="http://localhost") as client:  # type: ignore[arg-type]
        page, schema = client.get("/docs").text, client.get("/openapi.json").json()
    assert not re.findall(r"(?:src|href)=\"(?!openapi\.json)", page) and "<script" not in page
    for path in schema["paths"]:
        assert path in page
    asked = schema["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert asked["properties"]["temperature"]["maximum"] == 2 and json.dumps(asked["example"])
