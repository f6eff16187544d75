"""dataset_info.json of both older systems, confined to its folder."""

from __future__ import annotations

import json
import shutil

import pytest

from studio.data.catalogue import Catalogue, Entry, count_rows
from studio.errors import InputError
from studio.workspace import Workspace
from tests.data.replay import SHARED


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "root")
    workspace.data.mkdir(parents=True)
    return workspace


def listed(workspace, **entries):
    (workspace.data / "dataset_info.json").write_text(json.dumps(entries), encoding="utf-8")


def refused(workspace, name):
    with pytest.raises(InputError) as error:
        Catalogue(workspace).entry(name)
    return error.value


def test_the_shipped_samples_are_always_there_below_ones_own(workspace):
    shipped = {entry.name for entry in Catalogue(workspace).entries()}
    assert {"number_words", "arithmetic", "identity", "bilingual", "preferences"} <= shipped
    (workspace.data / "mine.json").write_text('[{"instruction": "a", "output": "b"}]', encoding="utf-8")
    listed(workspace, number_words={"file_name": "mine.json"})
    own = Catalogue(workspace).entry("number_words")
    assert own.path == workspace.data / "mine.json" and not own.shipped and count_rows(own) == 1
    assert Catalogue(workspace).entry("arithmetic").shipped


def test_a_data_file_without_an_entry_is_offered_under_its_name(workspace):
    (workspace.data / "loose.jsonl").write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8")
    assert count_rows(Catalogue(workspace).entry("loose")) == 2


def test_a_folder_of_files_is_one_dataset(workspace):
    (workspace.data / "many").mkdir()
    for name in ("b.json", "a.jsonl"):
        (workspace.data / "many" / name).write_text('{"instruction": "a", "output": "b"}\n', encoding="utf-8")
    listed(workspace, many={"file_name": "many"})
    assert count_rows(Catalogue(workspace).entry("many")) == 2


def test_two_files_of_one_name_are_both_offered_and_what_is_no_data_is_not(workspace):
    for name in ("x.json", "x.csv", "y.jsonl.gz", "README.md", "notes.pdf", ".hidden.json"):
        (workspace.data / name).write_text("[]", encoding="utf-8")
    own = {entry.name: entry.path.name for entry in Catalogue(workspace).entries() if not entry.shipped}
    assert own == {"x": "x.csv", "x.json": "x.json", "y": "y.jsonl.gz"}


def test_a_version_is_a_dataset_read_as_its_first_one(workspace):
    listed(workspace, talk={"file_name": "talk.json", "formatting": "sharegpt", "columns": {"messages": "m"},
                            "file_sha1": "0", "num_samples": 1})
    (workspace.data / "talk.json").write_text("[]", encoding="utf-8")
    room = workspace.data / "versions" / "talk" / "2"
    room.mkdir(parents=True)
    (room / "rows.jsonl").write_text('{"m": []}\n{"m": []}\n', encoding="utf-8")
    catalogue = Catalogue(workspace)
    second = catalogue.entry("talk@2")
    assert (second.name, second.formatting, dict(second.columns)) == ("talk@2", "sharegpt", {"messages": "m"})
    assert count_rows(second) == 2 and catalogue.entry("talk@1").path == workspace.data / "talk.json"
    (workspace.data / "talk.json").unlink()
    assert Catalogue(workspace).entry("talk@2").path == room / "rows.jsonl"
    for name, code in (("talk@3", "version_unknown"), ("talk@x", "dataset_unknown_near"), ("@2", "dataset_unknown")):
        assert refused(workspace, name).code == code


def test_a_path_is_found_without_being_registered(workspace, tmp_path, monkeypatch):
    (tmp_path / "far.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    (workspace.data / "near.json").write_text("[]", encoding="utf-8")
    listed(workspace, named={"file_name": "near.json", "formatting": "alpaca"})
    catalogue = Catalogue(workspace)
    assert catalogue.find(str(tmp_path / "far.jsonl")) == Entry("far", (tmp_path / "far.jsonl").resolve())
    assert catalogue.find(str(workspace.data / "near.json")).formatting == "alpaca"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "named").mkdir()
    assert catalogue.find("far.jsonl").name == "far" and catalogue.find("named").formatting == "alpaca"
    with pytest.raises(InputError) as error:
        catalogue.find("nowhere.jsonl")
    assert error.value.code == "dataset_unknown"


def test_the_projects_own_folder_is_confined_too(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path)
    workspace.data.mkdir()
    monkeypatch.setattr(Workspace, "shipped_data", workspace.data)
    (tmp_path / "outside.json").write_text("[]", encoding="utf-8")
    listed(workspace, evil={"file_name": "../outside.json"})
    assert refused(workspace, "evil").code == "dataset_outside"


def test_counted_rows_follow_the_file(workspace):
    path = workspace.data / "x.json"
    path.write_text("[1, 2]", encoding="utf-8")
    assert count_rows(Catalogue(workspace).entry("x")) == 2
    path.write_text("[1, 2, 3]", encoding="utf-8")
    assert count_rows(Catalogue(workspace).entry("x")) == 3


@pytest.mark.parametrize("file_name", ["../outside.json", "/etc/passwd", "link.json", "a/../../outside.json"])
def test_a_path_outside_the_folder_is_refused(workspace, file_name):
    outside = workspace.root / "outside.json"
    outside.write_text("[]", encoding="utf-8")
    (workspace.data / "link.json").symlink_to(outside)
    listed(workspace, evil={"file_name": file_name})
    assert refused(workspace, "evil").code == "dataset_outside"


def test_unknown_missing_and_distant_datasets_are_each_refused_by_a_sentence(workspace):
    listed(workspace, gone={"file_name": "gone.json"}, far={"hf_hub_url": "who/what"}, script={"script_url": "x"})
    assert refused(workspace, "aritmetic").values["nearest"] == "arithmetic"
    assert refused(workspace, "zzzzzzzz").code == "dataset_unknown"
    assert refused(workspace, "gone").code == "dataset_missing"
    assert refused(workspace, "far").code == "dataset_remote"
    assert refused(workspace, "script").code == "dataset_script"


def test_a_broken_catalogue_is_refused_with_its_line(workspace):
    (workspace.data / "dataset_info.json").write_text('{\n"a": {},\n}', encoding="utf-8")
    with pytest.raises(InputError) as error:
        Catalogue(workspace)
    assert error.value.code == "catalogue_broken" and error.value.values["line"] in (2, 3)


def test_another_dataset_folder_can_be_chosen(workspace, tmp_path):
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "d.json").write_text("[]", encoding="utf-8")
    assert Catalogue(workspace, str(tmp_path / "else")).entry("d").path == tmp_path / "else" / "d.json"
    with pytest.raises(InputError) as error:
        Catalogue(workspace, "nowhere")
    assert error.value.code == "dataset_dir_missing"


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
@pytest.mark.parametrize("name", ["lf_dataset_info.json", "cet_dataset_info.json"])
def test_the_catalogues_of_the_older_systems_are_read(workspace, name):
    shutil.copy(SHARED / name, workspace.data / "dataset_info.json")
    entries = {entry.name: entry for entry in Catalogue(workspace).entries()}
    raw = json.loads((SHARED / name).read_text(encoding="utf-8"))
    assert set(raw) <= set(entries)
    assert all((entries[key].path is None) == ("file_name" not in about) for key, about in raw.items())
