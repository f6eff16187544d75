"""The demo keeps its promise: from below 30 % to above 90 % on held-out questions, within five minutes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.client import Client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_demo_teaches_what_the_starter_did_not_know(client: Client) -> None:
    process = client.begin("demo", "--json")
    said, beside = process.communicate(timeout=500)
    assert process.returncode == 0, beside
    result = json.loads(said)
    assert list(result) == ["exact_match_before", "exact_match_after", "seconds", "run", "export"]
    assert result["export"]["acceptance"]["state"] == "passed"
    assert Path(result["export"]["path"], "model.safetensors").is_file()
    assert result["exact_match_before"] < 0.3
    assert result["exact_match_after"] > 0.9
    assert result["seconds"] < 300
    assert client.state(result["run"]) == "finished"
    assert "before" in beside
    assert "Exactly right" in beside
