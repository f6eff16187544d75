"""A run and its processes: what is started, what dies, and what the disk then says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from studio.errors import InputError, WorkError
from studio.identity import Identity, here
from studio.records import read_json, write_json
from studio.runs import family, outcome, stop
from studio.runs.start import engine_command, environment, resume, start
from studio.runs.state import State, state_of

PROJECT = Path(__file__).resolve().parents[2]


def ended(folder) -> bool:
    return not state_of(folder).is_live


def children(folder) -> list[Identity]:
    return [one for pid in (folder.path / "children").read_text().split() if (one := Identity.of(int(pid)))]


def step(folder) -> int:
    return (read_json(folder.progress) or {}).get("step", 0)


def test_a_run_goes_from_queued_over_running_to_finished(bench, waiting) -> None:
    folder = bench.create()
    assert state_of(folder) is State.QUEUED
    start(folder, bench.workspace, bench.command("steady", folder, 20))
    assert state_of(folder) is State.RUNNING
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.FINISHED
    assert outcome.read(folder)["exit_code"] == 0
    assert not Identity.read(read_json(folder.process)["supervisor"]).alive() or waiting(
        lambda: not bench.identity(folder, "supervisor").alive())


def test_the_supervisor_is_light_to_start_and_idle_while_it_waits(bench) -> None:
    folder = bench.started("polite")
    process = psutil.Process(bench.identity(folder, "supervisor").pid)
    begun = sum(process.cpu_times()[:2])
    time.sleep(2)
    assert sum(process.cpu_times()[:2]) - begun <= 0.02
    modules = subprocess.run([sys.executable, "-X", "importtime", "-c", "import studio.runs.supervise"], cwd=PROJECT,
                             capture_output=True, text=True).stderr
    assert not any(heavy in modules for heavy in ("pydantic", "yaml", "torch", "psutil", "numpy"))


def test_the_supervisor_is_nobodys_child_and_in_a_session_of_its_own(bench) -> None:
    folder = bench.started("polite")
    supervisor, engine = (bench.identity(folder, who).pid for who in ("supervisor", "engine"))
    assert os.getsid(supervisor) not in (os.getsid(0), os.getsid(engine))
    assert psutil.Process(supervisor).ppid() != os.getpid()
    assert psutil.Process(engine).ppid() == supervisor
    assert os.readlink(f"/proc/{engine}/fd/0") == "/dev/null"
    assert os.readlink(f"/proc/{engine}/fd/1") == str(folder.console)


def test_a_killed_client_leaves_the_run_alive(bench, waiting) -> None:
    folder = bench.create()
    client = subprocess.Popen([sys.executable, "-c", f"""
import time
from pathlib import Path
from studio.runs.files import RunFolder
from studio.runs.start import start
from studio.workspace import Workspace
start(RunFolder(Path({str(folder.path)!r})), Workspace(Path({str(bench.workspace.root)!r})),
      {bench.command("steady", folder, 60)!r})
time.sleep(600)
"""], cwd=PROJECT, start_new_session=True)
    waiting(lambda: step(folder) > 3)
    os.killpg(client.pid, signal.SIGKILL)
    client.wait()
    assert state_of(folder) is State.RUNNING
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.FINISHED


def test_a_killed_engine_is_a_failure_with_the_signals_name(bench, waiting) -> None:
    folder = bench.started("steady")
    bench.identity(folder, "engine").send(signal.SIGKILL)
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.FAILED
    assert outcome.read(folder)["signal"] == "SIGKILL"


@pytest.mark.parametrize("kind, code, name", [("crashes", None, "SIGSEGV"), ("exits_three", 3, None),
                                              ("fails", 1, None)])
def test_an_engine_that_fails_by_itself_says_how(bench, waiting, kind, code, name) -> None:
    folder = bench.started(kind)
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.FAILED
    assert (outcome.read(folder)["exit_code"], outcome.read(folder)["signal"]) == (code, name)


def test_a_killed_supervisor_leaves_the_engine_which_writes_the_outcome(bench, waiting) -> None:
    folder = bench.started("steady", 60)
    waiting(lambda: step(folder) > 3)
    bench.identity(folder, "supervisor").send(signal.SIGKILL)
    waiting(lambda: not bench.identity(folder, "supervisor").alive())
    assert state_of(folder) is State.RUNNING
    with pytest.raises(InputError) as refused:
        resume(folder, bench.workspace, bench.command("steady", folder))
    assert refused.value.code == "run_running"
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.FINISHED
    assert outcome.read(folder)["orphaned"]


def test_an_orphaned_engine_is_stopped_in_good_order(bench, waiting) -> None:
    folder = bench.started("steady")
    bench.identity(folder, "supervisor").send(signal.SIGKILL)
    waiting(lambda: not bench.identity(folder, "supervisor").alive())
    assert stop.ask(folder) == 1
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.STOPPED
    waiting(lambda: outcome.read(folder))


def test_an_orphaned_engine_that_hears_nothing_is_ended_with_its_children(bench, waiting) -> None:
    folder = bench.started("deaf")
    waiting(lambda: step(folder) == 0 and folder.progress.exists())
    known = [bench.identity(folder, "engine"), *children(folder)]
    bench.identity(folder, "supervisor").send(signal.SIGKILL)
    waiting(lambda: not bench.identity(folder, "supervisor").alive())
    stop.ask(folder)
    stop.ask(folder)
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.STOPPED
    assert waiting(lambda: not any(one.alive() for one in known))
    assert waiting(lambda: outcome.read(folder))["escalated"]


def test_kill_of_everything_is_lost_and_can_be_resumed(bench, waiting) -> None:
    folder = bench.started("steady")
    waiting(lambda: step(folder) > 3)
    for who in ("supervisor", "engine"):
        bench.identity(folder, who).send(signal.SIGKILL)
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.LOST
    resume(folder, bench.workspace, bench.command("steady", folder, 10))
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.FINISHED
    assert (folder.attempts / "1" / "process.json").exists()
    assert read_json(folder.process)["attempt"] == 2


def test_resume_ends_what_a_killed_attempt_has_left(bench, waiting) -> None:
    folder = bench.started("deaf")
    waiting(folder.progress.exists)
    known = children(folder)
    for who in ("supervisor", "engine"):
        bench.identity(folder, who).send(signal.SIGKILL)
    waiting(lambda: ended(folder))
    assert all(one.alive() for one in known)
    resume(folder, bench.workspace, bench.command("steady", folder, 3))
    assert not any(one.alive() for one in known)


@pytest.mark.parametrize("kind", ["leaves", "leaves_unmarked"])
def test_an_engine_that_ends_leaves_no_child_behind(bench, waiting, kind) -> None:
    folder = bench.started(kind)
    known = waiting(lambda: (folder.path / "children").exists() and children(folder))
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.FINISHED
    assert not any(one.alive() for one in known)


def test_two_starts_at_once_make_one_run_and_one_refusal(bench, waiting) -> None:
    folder = bench.create()

    def attempt(_: int) -> str:
        try:
            start(folder, bench.workspace, bench.command("steady", folder))
            return "started"
        except InputError as error:
            return error.code

    with ThreadPoolExecutor(6) as pool:
        said = sorted(pool.map(attempt, range(6)))
    assert said == ["run_running"] * 5 + ["started"]
    assert len(family.members(read_json(folder.process)["token"])) == 1


def test_two_resumes_at_once_make_one_attempt(bench, waiting) -> None:
    folder = bench.started("exits_three")
    waiting(lambda: ended(folder))

    def attempt(_: int) -> str:
        try:
            resume(folder, bench.workspace, bench.command("steady", folder))
            return "started"
        except InputError as error:
            return error.code

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(attempt, range(4)))
    assert said == ["run_running"] * 3 + ["started"]
    assert sorted(path.name for path in folder.attempts.iterdir()) == ["1"]


def test_a_finished_run_is_neither_started_nor_resumed(bench, waiting) -> None:
    folder = bench.started("steady", 2)
    waiting(lambda: ended(folder))
    for act, code in ((start, "run_not_new"), (resume, "run_finished")):
        with pytest.raises(InputError) as refused:
            act(folder, bench.workspace)
        assert refused.value.code == code


def test_a_start_that_fails_leaves_the_run_as_it_was(bench, waiting) -> None:
    folder = bench.create()
    with pytest.raises(WorkError) as failed:
        start(folder, bench.workspace, ["/nowhere/python"])
    assert failed.value.code == "run_not_started"
    assert state_of(folder) is State.QUEUED
    start(folder, bench.workspace, bench.command("exits_three", folder))
    waiting(lambda: ended(folder))
    with pytest.raises(WorkError):
        resume(folder, bench.workspace, ["/nowhere/python"])
    assert state_of(folder) is State.FAILED
    assert not folder.attempts.exists()


def test_a_stop_is_orderly_first(bench, waiting) -> None:
    folder = bench.started("steady")
    waiting(lambda: step(folder) > 3)
    assert stop.ask(folder) == 1
    assert state_of(folder) in (State.STOPPING, State.STOPPED)
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.STOPPED
    assert outcome.read(folder)["exit_code"] == 0 and not outcome.read(folder)["escalated"]
    with pytest.raises(InputError) as refused:
        stop.ask(folder)
    assert refused.value.code == "run_not_running"


def test_a_second_stop_ends_at_once_and_says_stopped(bench, waiting) -> None:
    folder = bench.started("polite")
    stop.ask(folder)
    assert stop.ask(folder) == 2
    began = time.monotonic()
    waiting(lambda: ended(folder))
    assert time.monotonic() - began < 3
    assert state_of(folder) is State.STOPPED
    assert outcome.read(folder)["signal"] == "SIGTERM"


def test_a_third_stop_kills_what_hears_nothing_children_included(bench, waiting) -> None:
    folder = bench.started("deaf")
    waiting(folder.progress.exists)
    known = [bench.identity(folder, "engine"), *children(folder)]
    assert len(known) == 3
    assert [stop.ask(folder) for _ in range(3)] == [1, 2, 3]
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.STOPPED
    assert not any(one.alive() for one in known)
    assert outcome.read(folder)["left"] == []


def test_a_stop_that_is_not_heard_escalates_by_itself(bench, waiting, monkeypatch) -> None:
    monkeypatch.setenv("STUDIO_GRACE_SECONDS", "0.5")
    folder = bench.started("deaf")
    waiting(folder.progress.exists)
    known = [bench.identity(folder, "engine"), *children(folder)]
    folder.stop.touch()
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.STOPPED
    assert not any(one.alive() for one in known)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_supervisor_is_an_orderly_stop(bench, waiting, number) -> None:
    folder = bench.started("steady")
    waiting(lambda: step(folder) > 3)
    bench.identity(folder, "supervisor").send(number)
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.STOPPED
    assert not outcome.read(folder)["escalated"]


def test_a_second_signal_to_the_supervisor_escalates(bench, waiting) -> None:
    folder = bench.started("polite")
    bench.identity(folder, "supervisor").send(signal.SIGTERM)
    waiting(folder.stop.exists)
    bench.identity(folder, "supervisor").send(signal.SIGTERM)
    waiting(lambda: ended(folder))
    assert outcome.read(folder)["escalated"] and state_of(folder) is State.STOPPED


def test_a_hangup_does_nothing_and_the_engine_does_not_inherit_deafness(bench, waiting) -> None:
    folder = bench.started("steady")
    waiting(lambda: step(folder) > 1)
    bench.identity(folder, "supervisor").send(signal.SIGHUP)
    at = step(folder)
    waiting(lambda: step(folder) > at + 5)
    assert state_of(folder) is State.RUNNING
    status = Path(f"/proc/{bench.identity(folder, 'engine').pid}/status").read_text()
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn"))
    assert not int(ignored.split()[1], 16) & (1 << (signal.SIGHUP - 1) | 1 << (signal.SIGTERM - 1))


def test_a_process_that_got_the_pid_of_a_dead_one_fools_nobody(bench) -> None:
    folder = bench.create()
    own = Identity.of(os.getpid())
    forged = {"pid": own.pid, "birth": own.birth + "0", "host": own.host}
    write_json(folder.process, {"attempt": 1, "token": "", "supervisor": forged, "engine": forged})
    assert state_of(folder) is State.LOST
    assert not Identity.read(forged).send(signal.SIGKILL)
    folder.stop.touch()
    assert state_of(folder) is State.STOPPED


def test_a_run_of_another_host_is_judged_by_its_heartbeat(bench) -> None:
    folder = bench.create()
    there = {"pid": os.getpid(), "birth": "x", "host": "elsewhere/" + here()}
    write_json(folder.process, {"attempt": 1, "token": "", "supervisor": there, "engine": there})
    assert Identity.read(there).alive() is None
    assert state_of(folder) is State.RUNNING
    old = time.time() - 1000
    os.utime(folder.process, (old, old))
    assert state_of(folder) is State.LOST


def test_a_broken_process_record_is_judged_by_its_heartbeat_too(bench) -> None:
    folder = bench.create()
    folder.process.write_text("{half")
    assert state_of(folder) is State.RUNNING
    os.utime(folder.process, (1, 1))
    assert state_of(folder) is State.LOST


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    try:
        while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert Identity.of(child.pid) is None
    finally:
        child.wait()


def test_the_outcome_is_written_once_and_into_room_kept_for_it(bench) -> None:
    folder = bench.create()
    outcome.reserve(folder)
    assert outcome.write(folder, "stopped", signal="SIGTERM")
    assert not outcome.write(folder, "finished")
    assert outcome.read(folder)["state"] == "stopped"
    assert sorted(path.name for path in folder.path.iterdir()) == ["outcome.json", "spec.yaml"]


def test_the_environment_says_where_and_how_to_work(bench, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    plain = environment(bench.spec(), bench.workspace)
    assert plain["OMP_NUM_THREADS"] == "7" and plain["OMP_WAIT_POLICY"] == "passive"
    assert plain["STUDIO_ROOT"] == str(bench.workspace.root) and plain["PYTHONUNBUFFERED"] == "1"
    assert plain["TOKENIZERS_PARALLELISM"] == "false" and plain["HF_HUB_DISABLE_TELEMETRY"] == "1"
    asked = environment(bench.spec(cpu_threads=2, devices="1,3"), bench.workspace)
    assert asked["OMP_NUM_THREADS"] == "2" and asked["CUDA_VISIBLE_DEVICES"] == "1,3"


def test_the_engine_is_found_from_any_folder(bench, waiting) -> None:
    folder = bench.create()
    start(folder, bench.workspace, [sys.executable, "-c", "import studio, os; print(studio.__file__, os.getcwd())"])
    waiting(lambda: ended(folder))
    assert state_of(folder) is State.FINISHED, folder.console.read_text()
    assert str(bench.workspace.root) in folder.console.read_text()


def test_several_processes_are_started_by_torchrun(bench) -> None:
    folder = bench.create()
    assert engine_command(bench.spec(), folder)[1:] == ["-m", "studio.engine", "train", str(folder.path)]
    assert "torch.distributed.run" in engine_command(bench.spec(nproc_per_node=2), folder)


def test_a_run_folder_taken_away_does_not_keep_processes(bench, waiting) -> None:
    folder = bench.started("leaves")
    engine, supervisor = bench.identity(folder, "engine"), bench.identity(folder, "supervisor")
    os.rename(folder.path, folder.path.with_name("elsewhere"))
    waiting(lambda: not engine.alive() and not supervisor.alive())


def test_a_stop_file_with_any_text_asks_once(bench, waiting) -> None:
    folder = bench.started("steady")
    folder.stop.write_text("please")
    waiting(lambda: ended(folder))
    assert json.loads(folder.outcome.read_text())["state"] == "stopped"
