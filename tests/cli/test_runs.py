"""`runs …`: what is on disk, whoever put it there, sound or broken."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time

import pytest

from tests.cli.client import LONG, PROJECT, SHORT, Client, wait

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Client:
    """A root with one finished run, `done`."""
    client = Client(tmp_path_factory.mktemp("trained"))
    assert client("train", *SHORT, "lora_rank=4", "--name", "done").returncode == 0
    return client


@pytest.fixture
def copied(trained: Client, client: Client) -> Client:
    """The same in a root of one's own."""
    shutil.copytree(trained.root / "saves" / "done", client.root / "saves" / "done")
    return client


def test_an_empty_list_says_how_to_make_a_run(client: Client) -> None:
    done = client("runs", "list")
    assert (done.returncode, done.stdout) == (0, "")
    assert "python launch.py train" in done.stderr
    assert client("runs", "list", "--json").stdout.strip() == "[]"


def test_the_list_stands_in_columns_in_both_languages(copied: Client) -> None:
    for lang, word in (("en", "Finished"), ("zh", "已完成")):
        lines = copied("runs", "--lang", lang).stdout.splitlines()
        assert len(lines) == 2
        assert "done" in lines[1]
        assert word in lines[1]


def test_a_broken_folder_is_listed_with_what_is_wrong(copied: Client) -> None:
    saves = copied.root / "saves"
    shutil.copytree(saves / "done", saves / "torn")
    (saves / "torn" / "spec.yaml").write_text("stage: [")
    (saves / "empty").mkdir()
    shutil.copytree(saves / "done", saves / "garbage")
    (saves / "garbage" / "outcome.json").write_bytes(b"\x00\xff")
    with open(saves / "garbage" / "trainer_log.jsonl", "a") as log:
        log.write('{"step": 5, "lo')
    done = copied("runs", "list")
    assert done.returncode == 0, done.stderr
    assert "torn: spec.yaml cannot be read" in done.stdout
    assert "empty: spec.yaml is missing" in done.stdout
    assert "garbage: outcome.json cannot be read" in done.stdout
    assert {line["name"] for line in copied.listed()} == {"done", "torn", "empty", "garbage"}
    for name in ("torn", "empty", "garbage"):
        shown = copied("runs", "show", name)
        assert shown.returncode == 0, shown.stderr
        assert "Trouble:" in shown.stdout
        assert copied("runs", "show", name, "--json").returncode == 0


def test_show_puts_the_changed_settings_first(copied: Client) -> None:
    said = copied("runs", "show", "done").stdout
    assert said.index("lora_rank") < said.index("Settings at their default") < said.index("lora_dropout")
    assert "best · last" in said
    shown = json.loads(copied("runs", "show", "done", "--json").stdout)
    assert shown["spec"]["lora_rank"] == 4
    assert [one["step"] for one in shown["checkpoints"]][-1] == 4
    assert shown["outcome"]["state"] == "finished"


def test_a_wrong_name_is_told_the_nearest(copied: Client) -> None:
    done = copied("runs", "show", "dona")
    assert done.returncode == 2
    assert "done" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_is_removed_can_be_had_back(copied: Client) -> None:
    gone = copied("runs", "rm", "done", "nothing")
    assert gone.returncode == 2
    assert "runs restore done" in gone.stdout
    assert gone.stderr.count("\n") == 1
    assert copied.listed() == []
    assert "done" in copied("runs", "restore").stdout
    assert copied("runs", "restore", "done").returncode == 0
    assert [line["name"] for line in copied.listed()] == ["done"]


def test_a_finished_run_is_neither_stopped_nor_resumed(copied: Client) -> None:
    for verb in ("stop", "resume"):
        done = copied("runs", verb, "done")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "Traceback" not in done.stderr


def test_a_running_run_is_not_removed(client: Client) -> None:
    client("train", "--detach", *LONG, "--name", "busy")
    done = client("runs", "rm", "busy")
    assert done.returncode == 2
    assert "busy" in done.stderr
    assert client.state("busy") in ("starting", "running")
    forced = client("runs", "stop", "busy", "--force")
    assert forced.returncode == 0, forced.stderr
    assert client.state("busy") == "stopped"


def test_logs_are_followed_until_the_run_has_ended(client: Client) -> None:
    client("train", "--detach", *LONG, "--name", "talks")
    wait(lambda: client.step("talks") > 2)
    follower = client.begin("runs", "logs", "talks", "--follow")
    time.sleep(1)
    assert follower.poll() is None
    assert client("runs", "stop", "talks").returncode == 0
    said, errors = follower.communicate(timeout=20)
    assert (follower.returncode, errors) == (0, "")
    console = (client.root / "saves" / "talks" / "console.log").read_text()
    assert said == console
    assert client("runs", "logs", "talks").stdout == console


def test_listing_imports_neither_torch_nor_gradio(copied: Client) -> None:
    program = (
        "import sys; from studio.cli import main; code = main(['runs', 'list']); "
        "heavy = {'torch', 'gradio', 'transformers', 'numpy', 'datasets'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=copied.environment(),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
