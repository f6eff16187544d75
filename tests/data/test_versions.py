"""Edits and versions: undone, killed, saved by two at once, on a full disk; nothing is lost or overwritten."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.data import aside, jobs
from studio.data.browse import Browser
from studio.data.catalogue import Catalogue
from studio.data.edits import Added, Edits
from studio.data.versions import Versions
from studio.data.walk import walk
from studio.errors import InputError, StopAsked, WorkError
from studio.workspace import Workspace

PROJECT = Path(__file__).resolve().parents[2]
OPENING = """
import os, signal, sys
from pathlib import Path
from studio.data.edits import Edits
from studio.data.versions import Versions
from studio.workspace import Workspace

versions = Versions(Workspace(Path(sys.argv[1])))
"""


def row(number: int, answer: str = "") -> dict[str, str]:
    return {"instruction": f"question {number}", "input": "", "output": answer or f"answer {number}"}


def workspace_with(root: Path, count: int, name: str = "a.jsonl") -> Workspace:
    workspace = Workspace(root)
    workspace.data.mkdir(parents=True)
    (workspace.data / name).write_text("".join(json.dumps(row(n)) + "\n" for n in range(count)), encoding="utf-8")
    return workspace


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(workspace_with(tmp_path / "root", 10))


def rows(versions: Versions, number: int, name: str = "a") -> list:
    return [found for _, found, _ in walk(versions.entry(name, number))]


def run(root: Path, code: str, **more) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", OPENING + code, str(root)], cwd=PROJECT, text=True,
                            stdout=subprocess.PIPE, **more)


def half_made(versions: Versions) -> list[Path]:
    return list(versions.room("a").glob(f"{aside.MAKING}*"))


def test_an_edit_is_undone_and_done_again(versions: Versions) -> None:
    draft = versions.draft("a")
    draft.edit(3, row(3, "better"))
    draft.delete([4, 5])
    assert [draft.state(number) for number in (3, 4, 5, 6)] == ["edited", "deleted", "deleted", ""]
    assert draft.undo() and [draft.state(number) for number in (3, 4)] == ["edited", ""]
    assert draft.undo() and not draft.edits and not draft.undo()
    assert draft.redo() and draft.redo() and not draft.redo()
    draft.undo()
    draft.delete([9])
    assert not draft.redo() and draft.edits.deleted == {9} and draft.edits.changed == {3: row(3, "better")}
    draft.restore([3, 9])
    assert not draft.edits


def test_a_saved_version_has_the_edits_and_the_file_is_as_it_was(versions: Versions) -> None:
    file = versions.workspace.data / "a.jsonl"
    before = file.read_bytes()
    draft = versions.draft("a")
    draft.edit(3, row(3, "better"))
    draft.delete([4, 5])
    at_end, in_front = draft.add(row(100)), draft.add(row(101), before=0)
    draft.edit(at_end, row(102))
    draft.delete([draft.add(row(103))])
    saved = versions.save_draft("a", 1, "mended")
    assert in_front < at_end < 0
    assert rows(versions, 2) == [row(101), *map(row, range(3)), row(3, "better"), *map(row, range(6, 10)), row(102)]
    assert (saved.key, saved.rows, saved.why) == ("a@2", 10, "mended")
    assert (saved.edited, saved.deleted, saved.added) == (1, 2, 2)
    assert file.read_bytes() == before and not versions.draft("a").edits
    assert [version.key for version in versions.of("a")] == ["a", "a@2"]


def test_a_version_is_a_dataset_of_the_catalogue(versions: Versions) -> None:
    versions.save("a", 1, Edits(deleted={0}))
    entry = Catalogue(versions.workspace).entry("a@2")
    assert [found for _, found, _ in walk(entry)] == rows(versions, 1)[1:]


def test_a_version_is_never_written_again_and_versions_can_be_made_from_versions(versions: Versions) -> None:
    versions.save("a", 1, Edits(deleted={0}))
    kept = {path: path.read_bytes() for path in (versions.room("a") / "2").iterdir()}
    third, fourth = versions.save("a", 1, Edits(deleted={1})), versions.save("a", 2, Edits(deleted={0}))
    assert (third.number, third.parent, fourth.number, fourth.parent) == (3, 1, 4, 2)
    assert rows(versions, 4) == [row(n) for n in range(2, 10)]
    assert {path: path.read_bytes() for path in (versions.room("a") / "2").iterdir()} == kept


def test_what_differs_is_listed_with_before_and_after(versions: Versions) -> None:
    versions.save("a", 1, Edits({3: row(3, "b"), 6: row(6, "c")}, {4}, {-1: Added(row(100), before=2)}))
    versions.save("a", 2, Edits({6: row(6)}, {0}))  # the sixth is again what it was
    found = versions.difference("a", 1, 2)
    assert found.edited.tolist() == [[3, 4], [6, 6]] and found.deleted.tolist() == [4] and found.added.tolist() == [2]
    assert [(one.kind, one.before, one.after) for one in found.changes()] == [
        ("edited", row(3), row(3, "b")), ("edited", row(6), row(6, "c")), ("deleted", row(4), None),
        ("added", None, row(100))]
    assert [one.kind for one in found.changes(1, 2)] == ["edited", "deleted"]
    found = versions.difference("a", 1, 3)
    assert [one.before for one in found.changes() if one.kind == "edited"] == [row(3)]
    assert found.deleted.tolist() == [0, 4] and len(versions.difference("a", 3, 3)) == 0
    back = versions.difference("a", 3, 1)
    assert back.deleted.tolist() == [1] and back.added.tolist() == [0, 4]


def test_rows_of_an_older_version_are_brought_back_where_they_stood(versions: Versions) -> None:
    versions.save("a", 1, Edits({3: row(3, "b")}, {4, 9}))
    versions.bring("a", 2, 1, [3, 4, 9])
    versions.bring("a", 2, 1, [4])
    assert versions.save_draft("a", 2).number == 3
    assert rows(versions, 3) == rows(versions, 1) and len(versions.difference("a", 1, 3)) == 0


def test_two_pages_see_each_others_edits(versions: Versions) -> None:
    one, other = versions.draft("a"), versions.draft("a")
    one.edit(1, row(1, "one"))
    other.edit(2, row(2, "two"))
    one.look()
    assert set(one.edits.changed) == set(other.edits.changed) == {1, 2}
    versions.save_draft("a", 1)
    one.look()
    one.delete([0])
    other.look()
    assert not other.edits.changed and other.edits.deleted == {0}


def test_edits_survive_a_kill_and_half_a_line_is_no_edit(versions: Versions) -> None:
    process = run(versions.workspace.root, """
draft = versions.draft("a")
for number in range(5):
    draft.delete([number])
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""")
    said = process.communicate(timeout=60)[0].split()
    assert process.returncode == -signal.SIGKILL and said == list("01234")
    draft = versions.draft("a")
    assert draft.edits.deleted == set(range(5))
    with open(draft.path, "ab") as file:
        file.write(b'{"delete":[9')
    torn = versions.draft("a")
    assert torn.edits.deleted == set(range(5))
    torn.delete([7])
    assert versions.draft("a").edits.deleted == {*range(5), 7} and versions.draft("a").undo()


@pytest.mark.slow
def test_a_process_killed_in_mid_save_leaves_nothing_half_and_loses_nothing(tmp_path: Path) -> None:
    versions = Versions(workspace_with(tmp_path / "root", 100_000))
    versions.draft("a").edit(5, row(5, "better"))
    process = run(versions.workspace.root, """
from studio.data import versions as module
write = module._Writer.write
def slowly(self, file):
    def tell(done, total):
        file.flush()
        print(done, total, flush=True)
        signal.pause()
    self.tell = tell
    write(self, file)
module._Writer.write = slowly
versions.save_draft("a", 1)
""")
    done, total = map(int, process.stdout.readline().split())
    assert 0 < done < total
    assert [path.stat().st_size > 0 for path in half_made(versions)[0].glob("rows.jsonl")] == [True]
    assert [version.number for version in versions.of("a")] == [1]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert [version.number for version in versions.of("a")] == [1]
    assert versions.draft("a").edits.changed == {5: row(5, "better")}
    long_ago = time.time() - 60
    os.utime(half_made(versions)[0], (long_ago, long_ago))
    assert versions.save_draft("a", 1).rows == 100_000
    assert versions.index("a", 2).row(5)[1] == row(5, "better") and not half_made(versions)


def test_a_process_killed_right_after_the_save_has_saved_once(versions: Versions) -> None:
    versions.draft("a").delete([0])
    process = run(versions.workspace.root, """
os.ftruncate = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
versions.save_draft("a", 1)
""")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert [version.number for version in versions.of("a")] == [1, 2]
    assert not versions.draft("a").edits and versions.draft("a").path.stat().st_size == 0


def test_two_people_who_save_at_once_get_a_version_each(versions: Versions) -> None:
    code = """
from studio.data.versions import Versions as V
numbers = V._numbers
def wait(self, name):
    found = numbers(self, name)
    print("ready", flush=True)
    sys.stdin.readline()
    return found
V._numbers = wait
print(versions.save("a", 1, Edits(deleted={WHICH})).number)
"""
    both = [run(versions.workspace.root, code.replace("WHICH", which), stdin=subprocess.PIPE) for which in "01"]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    numbers = [int(process.communicate(timeout=60)[0]) for process in both]
    assert sorted(numbers) == [2, 3]
    for which, number in enumerate(numbers):
        assert rows(versions, number) == [row(n) for n in range(10) if n != which]


def test_a_full_disk_is_said_and_leaves_nothing(versions: Versions) -> None:
    versions.draft("a").delete([0])
    process = run(versions.workspace.root, """
import resource
from studio.errors import StudioError
versions.index("a")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
try:
    versions.save_draft("a", 1)
except StudioError as error:
    print(error.code)
""")
    assert process.communicate(timeout=60)[0].strip() == "disk_full"
    assert [version.number for version in versions.of("a")] == [1] and not half_made(versions)
    assert versions.draft("a").edits.deleted == {0}


def test_a_save_can_be_called_off(versions: Versions) -> None:
    told: list[tuple[int, int]] = []
    with pytest.raises(StopAsked):
        versions.save("a", 1, Edits(deleted={0}), tell=lambda *so_far: told.append(so_far), should_stop=lambda: True)
    assert [version.number for version in versions.of("a")] == [1] and not half_made(versions)
    versions.save("a", 1, Edits(deleted={0}), tell=lambda *so_far: told.append(so_far))
    assert told[-1] == (10, 10)


def test_edits_of_a_file_that_changed_are_refused_until_they_are_discarded(versions: Versions) -> None:
    versions.draft("a").delete([0])
    versions.save("a", 1, Edits(deleted={1}))
    with open(versions.workspace.data / "a.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(row(10)) + "\n")
    with pytest.raises(InputError) as error:
        versions.draft("a")
    assert error.value.code == "draft_outdated"
    with pytest.raises(InputError) as error:
        versions.difference("a", 1, 2)
    assert error.value.code == "version_original_changed"
    versions.discard("a")
    draft = versions.draft("a")
    draft.delete([10])
    assert rows(versions, versions.save_draft("a", 1).number) == [row(n) for n in range(10)]


def test_a_draft_that_is_being_saved_waits_and_then_says_so(versions: Versions, monkeypatch) -> None:
    monkeypatch.setattr("studio.data.edits.BUSY_SECONDS", 0.1)
    draft = versions.draft("a")
    draft.delete([0])
    with draft.held(), pytest.raises(WorkError) as error:
        versions.draft("a").delete([1])
    assert error.value.code == "draft_busy" and draft.edits.deleted == {0}


def test_nothing_to_save_no_such_version_and_no_such_name_are_said(versions: Versions) -> None:
    for code, act in (("draft_empty", lambda: versions.save_draft("a", 1)),
                      ("version_unknown", lambda: versions.entry("a", 7)),
                      ("version_name", lambda: versions.room("../a")),
                      ("dataset_unknown", lambda: versions.of("nothing of the kind"))):
        with pytest.raises(InputError) as error:
            act()
        assert error.value.code.startswith(code)
    assert versions.named("a@12") == ("a", 12) and versions.named("a@b") == ("a@b", 1)


def test_lines_that_are_no_rows_are_kept_and_rows_over_several_lines_become_one(tmp_path: Path) -> None:
    workspace = workspace_with(tmp_path / "root", 0)
    (workspace.data / "broken.jsonl").write_text('{"a": 1}\n{"a": \n\n{"a": 3}\n', encoding="utf-8")
    (workspace.data / "wide.json").write_text(json.dumps([row(1, "一"), row(2), row(3)], indent=2), encoding="utf-8")
    (workspace.data / "gbk.jsonl").write_bytes("".join(
        json.dumps(row(n, "中文回答，句子不短"), ensure_ascii=False) + "\n" for n in range(3)).encode("gb18030"))
    versions = Versions(workspace)
    versions.save("broken", 1, Edits(deleted={0}))
    assert (versions.room("broken") / "2" / "rows.jsonl").read_bytes() == b'{"a":\n{"a": 3}\n'
    versions.save("wide", 1, Edits(deleted={1}))
    assert rows(versions, 2, "wide") == [row(1, "一"), row(3)]
    versions.save("gbk", 1, Edits({0: row(0)}))
    assert rows(versions, 2, "gbk") == [row(0), row(1, "中文回答，句子不短"), row(2, "中文回答，句子不短")]


def test_the_draft_lies_over_the_rows_that_are_browsed(versions: Versions) -> None:
    draft = versions.draft("a")
    browser = Browser.of(versions.entry("a"), versions.workspace, draft)
    draft.edit(3, row(3, "better"))
    draft.delete([4])
    draft.add(row(100))
    page = browser.page(size=11)
    assert [found.state for found in page] == ["", "", "", "edited", "deleted", "", "", "", "", "", "added"]
    assert (page[3].raw, page[3].before) == (row(3, "better"), row(3)) and page[10].raw == row(100)
    assert page[3].sample.messages[-1].content == "better"


@pytest.mark.slow
def test_a_draft_is_saved_by_a_job(versions: Versions) -> None:
    versions.draft("a").delete([0])
    look = jobs.start(versions.workspace, "version", {"name": "a", "base": 1, "why": "by a job"}).wait(60)
    assert look.state == "finished" and look.result["key"] == "a@2" and look.result["rows"] == 9
    assert versions.of("a")[1].why == "by a job" and not versions.draft("a").edits
    look = jobs.start(versions.workspace, "index", {"name": "a", "version": 2, "lengths": True}).wait(60)
    assert look.result == {"rows": 9}
