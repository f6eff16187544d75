"""Heavy work on data is a process of its own that can be watched, stopped and found again."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from studio.data import jobs, works
from studio.errors import InputError
from studio.identity import Identity
from studio.records import read_json, write_json
from studio.texts import sentences
from studio.workspace import PROJECT, Workspace

COUNTS = '''
import time
from studio.errors import StopAsked, InputError
def work(arguments, workspace, tell, should_stop):
    if arguments.get("refuse"):
        raise InputError("file_missing", path=workspace.root / "x")
    if arguments.get("fail"):
        raise KeyError("nothing there")
    for place in range(arguments["steps"]):
        tell(place, arguments["steps"])
        if should_stop() and not arguments.get("deaf"):
            raise StopAsked("counting")
        time.sleep(0.05)
    tell(arguments["steps"], arguments["steps"])
    return {"counted": arguments["steps"], "root": str(workspace.root)}
'''


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Workspace:
    """A workspace, and a kind of work that counts, in this process and in the jobs."""
    room = tmp_path / "room"
    room.mkdir()
    (room / "counting.py").write_text(COUNTS, encoding="utf-8")
    entry = f"import studio.data.works as works\nworks.__path__.append({str(room)!r})\n"
    (room / "sitecustomize.py").write_text(entry, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(room))
    monkeypatch.setattr(works, "__path__", [*works.__path__, str(room)])
    return Workspace(tmp_path / "root")


def until_progress(job: jobs.Job) -> None:
    deadline = time.monotonic() + 20
    while job.look().done < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert job.look().done >= 2


@pytest.mark.slow
def test_a_job_tells_how_far_it_is_and_what_it_found(workspace):
    job = jobs.start(workspace, "counting", {"steps": 20})
    until_progress(job)
    assert job.look().state == "running" and job.look().total == 20
    look = job.wait(20)
    assert (look.state, look.done, look.total) == ("finished", 20, 20)
    assert look.result == {"counted": 20, "root": str(workspace.root)}


@pytest.mark.slow
def test_a_restarted_page_finds_its_jobs_again(workspace):
    first = jobs.start(workspace, "counting", {"steps": 1})
    first.wait(20)
    time.sleep(1.1)  # names count seconds
    second = jobs.start(workspace, "counting", {"steps": 200})
    assert [job.name for job in jobs.listed(workspace, "counting")] == [second.name, first.name]
    assert jobs.listed(workspace, "other") == []
    assert jobs.find(workspace, first.name).look().result == {"counted": 1, "root": str(workspace.root)}
    assert jobs.find(workspace, second.name).look().state == "running"
    second.cancel()
    assert second.wait(20).state == "cancelled"


@pytest.mark.slow
def test_a_cancelled_job_stops_and_says_so(workspace):
    job = jobs.start(workspace, "counting", {"steps": 10_000})
    until_progress(job)
    job.cancel()
    look = job.wait(20)
    assert look.state == "cancelled" and look.failure is None and look.result is None


@pytest.mark.slow
def test_a_job_that_will_not_listen_is_ended_all_the_same(workspace):
    job = jobs.start(workspace, "counting", {"steps": 10_000, "deaf": True})
    until_progress(job)
    who = Identity.read(read_json(job.path / "process.json"))
    job.cancel()
    assert job.wait(jobs.GRACE_SECONDS + 10).state == "cancelled"
    deadline = time.monotonic() + 5
    while who.alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not who.alive()


@pytest.mark.slow
def test_what_the_studio_refuses_comes_with_its_sentence_and_what_breaks_with_its_console(workspace):
    refused = jobs.start(workspace, "counting", {"refuse": True}).wait(20)
    assert refused.failure == {"code": "file_missing", "values": {"path": str(workspace.root / "x")}}
    job = jobs.start(workspace, "counting", {"fail": True})
    broken = job.wait(20)
    assert broken.state == "failed" and broken.failure["code"] == "job_broken"
    assert broken.failure["values"]["kind"] == "KeyError" and "Traceback" in job.console.read_text()
    assert f"errors.{broken.failure['code']}" in sentences("zh")


@pytest.mark.slow
def test_a_killed_job_has_failed_and_is_not_waited_for(workspace):
    job = jobs.start(workspace, "counting", {"steps": 10_000})
    until_progress(job)
    who = Identity.read(read_json(job.path / "process.json"))
    assert who.send(signal.SIGKILL)
    look = job.wait(10)
    assert look.state == "failed" and look.failure["code"] == "job_lost"


def test_a_pid_that_was_given_out_again_is_not_the_job(tmp_path):
    own = Identity.of(os.getpid())
    write_json(tmp_path / "process.json", own.as_json())
    assert jobs.Job(tmp_path).look().state == "running"
    write_json(tmp_path / "process.json", {**own.as_json(), "birth": "another"})
    assert jobs.Job(tmp_path).look().state == "failed"


@pytest.mark.parametrize("name", ["../x", "", ".hidden", "nobody"])
def test_a_job_that_is_not_there_is_refused_by_name(name, tmp_path):
    with pytest.raises(InputError) as refusal:
        jobs.find(Workspace(tmp_path), name)
    assert refusal.value.code == "job_unknown"


def test_only_kinds_in_the_room_can_be_started(tmp_path: Path):
    with pytest.raises(ValueError, match="nonsense"):
        jobs.start(Workspace(tmp_path), "nonsense", {})


@pytest.mark.slow
def test_the_doctor_examines_and_mends_in_jobs(workspace):
    workspace.data.mkdir(parents=True)
    file, model = workspace.data / "d.jsonl", str(PROJECT / "data" / "starter")
    rows = [{"question": f"What is {place}?", "answer": str(place)} for place in range(40)]
    rows += [rows[3], {"question": "Which?", "answer": "This. "}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = jobs.start(workspace, "doctor", {"name": "d", "model": model, "cutoff_len": 256}).wait(60)
    assert found.state == "finished", found
    assert found.result["problems"] == [{"code": "duplicate", "count": 1}, {"code": "white_space", "count": 1}]
    order = {"name": "d", "folder": found.result["folder"], "codes": ["duplicate", "white_space"], "why": "doctor"}
    made = jobs.start(workspace, "mend", order).wait(60)
    assert made.state == "finished", made
    assert {name: made.result[name] for name in ("key", "rows", "edited", "deleted")} == \
        {"key": "d@2", "rows": 41, "edited": 1, "deleted": 1}
    again = jobs.start(workspace, "doctor", {"name": "d@2", "against": ["d"]}).wait(60)
    assert again.result["problems"] == [{"code": "overlap", "count": 41}]
    file.write_text(json.dumps(rows[0]) + "\n", encoding="utf-8")
    late = jobs.start(workspace, "mend", order).wait(60)
    assert late.failure == {"code": "doctor_outdated", "values": {"name": "d"}}
