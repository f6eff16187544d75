"""The catalogue's file: one entry changes, every other byte stays; two savers lose nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.data import catalogue_file
from studio.data.catalogue import Catalogue
from studio.errors import InputError, WorkError
from studio.workspace import PROJECT, Workspace

A = '    "a": {\n        "file_name": "a.json",\n        "x-note": [1, 2]\n    }\n}\n'
FOUR = '{\n    "b": {"file_name": "b.json"},\n' + A
TELLER = ("import sys; from studio.data.catalogue import Catalogue; from studio.workspace import Workspace\n"
          "for n in range(9999):\n"
          "    Catalogue(Workspace.at(sys.argv[1])).save(f'n{n}', {'file_name': 'x.json'}); print(n, flush=True)")
SAVER = ("import sys; from studio.data.catalogue import Catalogue; from studio.workspace import Workspace\n"
         "for n in range(20): Catalogue(Workspace.at(sys.argv[1])).save(f'{sys.argv[2]}{n}', {'file_name': 'x.json'})")


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "root")
    workspace.data.mkdir(parents=True)
    return workspace


def written(workspace, text=FOUR):
    (workspace.data / "dataset_info.json").write_bytes(text.encode())
    return Catalogue(workspace)


def text_of(workspace):
    return (workspace.data / "dataset_info.json").read_bytes().decode()


def test_an_entry_is_added_in_the_manner_of_the_others(workspace):
    written(workspace).save("new", {"file_name": "n.json"})
    assert text_of(workspace) == FOUR[:-2].rstrip() + ',\n    "new": {\n        "file_name": "n.json"\n    }\n}\n'


def test_a_changed_entry_keeps_its_place_its_manner_and_what_nobody_knows(workspace):
    catalogue = written(workspace)
    catalogue.save("b", {"formatting": "alpaca"})
    assert text_of(workspace) == FOUR.replace('"b.json"}', '"b.json", "formatting": "alpaca"}')
    catalogue.save("a", {"file_name": "z.json"})
    assert json.loads(text_of(workspace))["a"] == {"file_name": "z.json", "x-note": [1, 2]}
    catalogue.save("a", {"x-note": None})
    assert json.loads(text_of(workspace))["a"] == {"file_name": "z.json"}


@pytest.mark.parametrize(("text", "wanted"), [
    ("", '{\n  "n": {\n    "file_name": "x.json"\n  }\n}'),
    ("{}", '{\n  "n": {\n    "file_name": "x.json"\n  }\n}'),
    ('{"a": {"k": 1}}', '{"a": {"k": 1}, "n": {"file_name": "x.json"}}'),
    ('\ufeff{\r\n\t"a": {}\r\n}', '\ufeff{\r\n\t"a": {},\r\n\t"n": {\r\n\t\t"file_name": "x.json"\r\n\t}\r\n}'),
    ('{"a": "\\u95ee {,}", "//": "a note"}', '{"a": "\\u95ee {,}", "//": "a note", "n": {"file_name": "x.json"}}')])
def test_whatever_the_manner_of_a_file_it_is_kept(text, wanted):
    assert catalogue_file.edited(text, "n", {"file_name": "x.json"}) == wanted


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
values = st.one_of(st.text(max_size=5), st.integers(), st.lists(st.booleans(), max_size=2))
abouts = st.dictionaries(names, values, max_size=3)


@given(st.dictionaries(names, abouts, max_size=4), names, abouts, st.sampled_from([None, 1, 4, "\t"]))
def test_any_edit_changes_one_entry_alone(listed, name, about, indent):
    text = json.dumps(listed, ensure_ascii=False, indent=indent)
    put = catalogue_file.edited(text, name, about)
    assert list(json.loads(put).items()) == list({**listed, name: about}.items())
    rest = {key: value for key, value in listed.items() if key != name}
    assert list(json.loads(catalogue_file.edited(put, name, None)).items()) == list(rest.items())


def test_two_who_save_at_once_lose_nothing(workspace):
    written(workspace)
    savers = [subprocess.Popen([sys.executable, "-c", SAVER, str(workspace.root), name], cwd=PROJECT) for name in "pq"]
    assert [saver.wait(60) for saver in savers] == [0, 0]
    listed = json.loads(text_of(workspace))
    assert list(listed)[:2] == ["b", "a"] and listed["a"]["x-note"] == [1, 2]
    assert set(listed) == {"a", "b", *(f"{name}{n}" for name in "pq" for n in range(20))}
    assert [path.name for path in workspace.data.iterdir()] == ["dataset_info.json"]


@pytest.mark.parametrize("rounds", [1, 7, 20])
def test_a_saver_killed_at_any_moment_loses_nothing_that_was_saved(workspace, rounds):
    written(workspace)
    saver = subprocess.Popen([sys.executable, "-c", TELLER, str(workspace.root)], cwd=PROJECT, stdout=subprocess.PIPE)
    assert saver.stdout
    for _ in range(rounds):
        last = int(saver.stdout.readline())
    saver.kill()
    rest = saver.stdout.read().split()
    saver.wait(30)
    saver.stdout.close()
    said = int(rest[-1]) if rest else last
    listed = json.loads(text_of(workspace))
    assert list(listed)[:2] == ["b", "a"] and set(listed) >= {f"n{n}" for n in range(said + 1)}
    Catalogue(workspace).save("afterwards", {"file_name": "x.json"})


def test_rights_and_links_that_others_gave_the_file_stay(workspace):
    true = workspace.root / "shared_info.json"
    true.write_text("{}", encoding="utf-8")
    true.chmod(0o660)
    (workspace.data / "dataset_info.json").symlink_to(true)
    Catalogue(workspace).save("n", {"file_name": "x.json"})
    assert (workspace.data / "dataset_info.json").is_symlink() and true.stat().st_mode & 0o777 == 0o660
    assert list(json.loads(true.read_text(encoding="utf-8"))) == ["n"]


def test_an_entry_that_somebody_else_changed_is_not_overwritten(workspace):
    one, other = written(workspace), Catalogue(workspace)
    one.save("b", {"formatting": "alpaca"})
    one.save("new", {"file_name": "mine.json"})
    for name in ("b", "new"):
        with pytest.raises(InputError) as error:
            other.save(name, {"file_name": "theirs.json"})
        assert error.value.code == "catalogue_changed"
    with pytest.raises(InputError):
        other.remove("b")
    other.save("a", {"formatting": "alpaca"})
    assert set(json.loads(text_of(workspace))) == {"a", "b", "new"}


def test_a_saver_that_hangs_stops_others_with_a_sentence_only(workspace, monkeypatch):
    import fcntl

    catalogue = written(workspace)
    monkeypatch.setattr(catalogue_file, "PATIENCE_SECONDS", 0.05)
    handle = os.open(workspace.data, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(InputError) as error:
        catalogue.save("n", {"file_name": "x.json"})
    os.close(handle)
    assert error.value.code == "catalogue_busy" and text_of(workspace) == FOUR
    catalogue.save("n", {"file_name": "x.json"})


def test_a_save_that_the_disk_refuses_leaves_the_old_catalogue(workspace, monkeypatch):
    catalogue = written(workspace)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(WorkError):
        catalogue.save("n", {"file_name": "x.json"})
    assert text_of(workspace) == FOUR and [path.name for path in workspace.data.iterdir()] == ["dataset_info.json"]


@pytest.mark.parametrize("name", ["", " a", "a ", ".hid", "a,b", "a@2", "a/b", "..", "a\\b", "a\nb", 'a"b', "x" * 101])
def test_what_cannot_name_a_dataset_is_refused(workspace, name):
    with pytest.raises(InputError) as error:
        written(workspace).save(name, {"file_name": "x.json"})
    assert error.value.code == "dataset_name" and text_of(workspace) == FOUR


def test_a_path_outside_is_not_saved(workspace):
    with pytest.raises(InputError) as error:
        written(workspace).save("out", {"file_name": "../../x.json"})
    assert error.value.code == "dataset_outside" and text_of(workspace) == FOUR


def test_only_what_the_own_catalogue_lists_can_be_taken_out(workspace):
    catalogue = written(workspace)
    for name in ("arithmetic", "nothing"):
        with pytest.raises(InputError) as error:
            catalogue.remove(name)
        assert error.value.code == "dataset_unlisted"
    catalogue.remove("b")
    assert text_of(workspace) == "{\n" + A
    catalogue.remove("a")
    assert json.loads(text_of(workspace)) == {}


def test_five_hundred_sets_are_listed_in_a_moment(workspace):
    listed = {f"set {n}": {"file_name": f"{n}.json", "columns": {"prompt": "q", "response": "a"}} for n in range(500)}
    for n in range(500):
        (workspace.data / f"{n}.json").touch()
    written(workspace, json.dumps(listed))
    spent = []
    for _ in range(3):
        start = time.process_time()
        assert len(Catalogue(workspace).entries()) >= 500
        spent.append(time.process_time() - start)
    assert min(spent) < 0.05
