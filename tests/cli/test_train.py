"""`train` as a real process: the run it makes, what it says, and who survives whom."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.client import LONG, SHORT, Client, wait

pytestmark = pytest.mark.slow


def test_a_run_without_a_recipe_is_made_followed_and_finished(client: Client) -> None:
    done = client("train", *SHORT, "--name", "first")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Run first"
    steps = [line.split(" · ")[0] for line in lines if line.startswith("step ")]
    assert steps == ["step 1/4", "step 2/4", "step 3/4", "step 4/4"]
    assert len(set(lines)) == len(lines)
    assert (client.root / "saves" / "first" / "checkpoints" / "step-4" / "complete").exists()


def test_json_is_one_object_on_stdout_and_the_lines_go_beside_it(client: Client) -> None:
    done = client("train", "--json", *SHORT, "--name=first")
    result = json.loads(done.stdout)
    assert list(result) == ["run", "state", "steps", "train_loss", "eval_loss"]
    assert (result["run"], result["state"], result["steps"]) == ("first", "finished", 4)
    assert result["train_loss"] > 0
    assert result["eval_loss"] > 0
    assert "step 4/4" in done.stderr
    listed = client.listed()
    assert [list(line) for line in listed] == [
        ["name", "state", "stage", "finetuning_type", "model", "created", "step", "total_steps", "best_eval_loss"]
    ]
    line = listed[0]
    assert (line["state"], line["stage"], line["finetuning_type"], line["model"]) == (
        "finished",
        "sft",
        "lora",
        "starter",
    )
    assert (line["step"], line["total_steps"], line["best_eval_loss"]) == (4, 4, result["eval_loss"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", line["created"])


def test_a_name_is_taken_once(client: Client) -> None:
    assert client("train", "--detach", *SHORT, "--name", "same").returncode == 0
    again = client("train", "--detach", *SHORT, "--name", "same")
    assert again.returncode == 2
    assert "same" in again.stderr
    assert len(client.listed()) == 1


def test_two_starts_at_once_make_two_runs_or_one_refusal(client: Client) -> None:
    unnamed = [client.begin("train", "--detach", *SHORT) for _ in range(2)]
    assert [process.wait(60) for process in unnamed] == [0, 0]
    assert len(client.listed()) == 2
    named = [client.begin("train", "--detach", *SHORT, "--name", "one") for _ in range(2)]
    assert sorted(process.wait(60) for process in named) == [0, 2]
    refused = next(process for process in named if process.returncode == 2)
    assert refused.stderr is not None
    assert refused.stderr.read().count("\n") == 1
    assert len(client.listed()) == 3


def test_a_run_is_a_recipe_for_the_next(client: Client) -> None:
    assert client("train", *SHORT, "lora_rank=4", "--name", "一号").returncode == 0
    again = client("train", str(client.root / "saves" / "一号" / "spec.yaml"), "seed=7", "--name", "二号", "--json")
    assert again.returncode == 0, again.stderr
    shown = json.loads(client("runs", "show", "二号", "--json").stdout)
    assert (shown["spec"]["lora_rank"], shown["spec"]["seed"], shown["spec"]["max_steps"]) == (4, 7, 4)


def test_a_dry_run_counts_and_writes_nothing_at_all(client: Client) -> None:
    data = client.root / "data"
    data.mkdir()
    rows = [
        {"instruction": "1+1?", "output": "2"},
        {"instruction": "2+2?", "output": ""},
        {"instruction": "", "output": "x"},
        {"instruction": "long", "output": "word " * 300},
        *({"instruction": f"{n}?", "output": f"{n}."} for n in range(20)),
    ]
    (data / "mine.json").write_text(json.dumps(rows))
    before = {path: path.stat().st_mtime_ns for path in client.root.rglob("*")}
    done = client("train", "--dry-run", "--json", "dataset=mine", "cutoff_len=64", "val_size=0.1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["rows_read"], found["rows_used"], found["rows_cut"]) == (24, 22, 1)
    assert sum(found["rows_skipped"].values()) == 2
    assert found["rows_trained"] + found["rows_held_out"] == 22
    assert found["steps"] == 3 * found["steps_per_epoch"]
    assert 0 < found["trainable"] < found["parameters"]
    assert {path: path.stat().st_mtime_ns for path in client.root.rglob("*")} == before
    told = client("train", "--dry-run", "dataset=mine", "cutoff_len=64", "--lang", "zh")
    assert "读入 24 行" in told.stdout
    assert "写入" in told.stdout.splitlines()[-1]


def test_the_dry_run_counts_the_steps_that_the_run_then_takes(client: Client) -> None:
    words = ("max_samples=50", "num_train_epochs=2", "gradient_accumulation_steps=4", "per_device_train_batch_size=4")
    counted = json.loads(client("train", "--dry-run", "--json", *words).stdout)
    trained = json.loads(client("train", "--json", *words).stdout)
    assert trained["steps"] == counted["steps"]


def test_a_failed_run_is_a_sentence_and_exit_code_1(client: Client) -> None:
    done = client(
        "train",
        "--json",
        "learning_rate=10",
        "max_grad_norm=0",
        "finetuning_type=full",
        "warmup_ratio=0",
        "optim=sgd",
        "eval_strategy=no",
        "--name",
        "wild",
    )
    assert done.returncode == 1, done.stdout
    assert json.loads(done.stdout)["state"] == "failed"
    assert "Traceback" not in done.stderr
    assert "runs resume wild" in done.stderr


def test_detach_returns_at_once_and_the_run_goes_on(client: Client) -> None:
    done = client("train", "--detach", "--json", *LONG, "--name", "away")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"run": "away", "state": client.state("away")}
    wait(lambda: client.step("away") > 2)
    assert client("runs", "stop", "away").returncode == 0
    assert client.state("away") == "stopped"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_client_that_is_ended_leaves_the_run_alive(client: Client, number: signal.Signals) -> None:
    process = client.begin("train", *LONG, "--name", "kept")
    wait(lambda: client.step("kept") > 2)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == (-9 if number is signal.SIGKILL else 128 + number)
    if number is not signal.SIGKILL:
        assert "The run goes on." in errors
    step = client.step("kept")
    wait(lambda: client.step("kept") > step + 2)
    assert client.state("kept") == "running"


def test_a_reader_that_goes_away_leaves_the_run_alive(client: Client) -> None:
    process = client.begin("train", *LONG, "--name", "kept")
    wait(lambda: client.step("kept") > 2)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(20) == 0
    assert client.state("kept") == "running"


def on_a_terminal(client: Client, *words: str) -> tuple[subprocess.Popen[str], int]:
    """The client with a terminal of its own, and the other end of that."""
    ours, theirs = pty.openpty()
    process = client.begin(
        *words,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: take_terminal(theirs),
    )
    os.close(theirs)
    return process, ours


def take_terminal(terminal: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def heard(ours: int, process: subprocess.Popen[str], seconds: float = 60) -> str:
    """All that the client wrote on its terminal until it ended."""
    end, said = time.monotonic() + seconds, b""
    while time.monotonic() < end:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
    process.wait(10)
    return said.decode(errors="replace")


def test_on_a_terminal_one_line_changes_and_ctrl_c_stops_in_good_order(client: Client) -> None:
    process, ours = on_a_terminal(client, "train", *LONG, "--name", "pressed")
    wait(lambda: client.step("pressed") > 3)
    os.write(ours, b"\x03")
    said = heard(ours, process)
    assert process.returncode == 0, said
    assert "\r\x1b[2K" in said
    assert "tokens/s" in said
    assert "Asked the run to save and stop; press Ctrl-C again" in said
    assert "runs resume pressed" in said
    assert client.state("pressed") == "stopped"
    assert list((client.root / "saves" / "pressed" / "checkpoints").glob("step-*/complete"))


def test_a_second_ctrl_c_escalates(client: Client) -> None:
    process, ours = on_a_terminal(client, "train", *LONG, "--name", "hard")
    folder = client.root / "saves" / "hard"
    wait(lambda: client.step("hard") > 3)
    engine = json.loads((folder / "process.json").read_text())["engine"]["pid"]
    os.kill(engine, signal.SIGSTOP)  # an engine that hangs does not answer the first
    os.write(ours, b"\x03")
    wait(lambda: (folder / "stop").exists())
    os.write(ours, b"\x03")
    wait(lambda: (folder / "stop").read_text() == "2")
    os.write(ours, b"\x03")
    said = heard(ours, process)
    assert process.returncode == 0, said
    assert "Stopping at once" in said
    assert client.state("hard") == "stopped"
    assert not Path(f"/proc/{engine}").exists()


def test_ctrl_c_before_anything_is_there(client: Client) -> None:
    process, ours = on_a_terminal(client, "train", *LONG, "--name", "early")
    wait(lambda: (client.root / "saves" / "early").exists())
    os.write(ours, b"\x03")
    said = heard(ours, process)
    assert process.returncode == 0, said
    assert client.state("early") == "stopped"


def test_a_stopped_run_is_resumed_and_followed(client: Client) -> None:
    words = ("max_steps=60", "logging_steps=1", "eval_strategy=no", "max_samples=64", "--name", "half")
    assert client("train", "--detach", *words).returncode == 0
    wait(lambda: client.step("half") > 3)
    client("runs", "stop", "half")
    if client.state("half") == "finished":
        pytest.skip("the machine was faster than the stop")
    done = client("runs", "resume", "half", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 60
    again = client("runs", "resume", "half")
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
