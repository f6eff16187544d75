"""Datasets of a hub and parts of datasets: subset, folder and split choose the files that are meant."""

from __future__ import annotations

import json
import zipfile

import pytest

from studio.data.catalogue import Catalogue, count_rows, sources_of
from studio.data.catalogue_parts import chosen
from studio.data.index import RowIndex
from studio.data.reading import Source
from studio.data.walk import walk
from studio.errors import InputError
from studio.workspace import Workspace
from tests.data.hub_server import hub

LAID = ("README.txt/train.jsonl", "data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet",
        "data/train_sft-00000-of-00001.parquet", "data/test-00000-of-00001.parquet", "en/train.jsonl", "zh/train.jsonl",
        "zh/validation.jsonl", "python/x.jsonl", "go/x.jsonl")


def picked(tmp_path, names=LAID, **said):
    return [one.name for one in chosen([Source(tmp_path / name, folder=tmp_path) for name in names], tmp_path, **said)]


@pytest.mark.parametrize(("said", "wanted"), [
    ({}, list(LAID)), ({"split": "train_sft"}, [LAID[3]]), ({"split": "train"}, list(LAID[1:3])),
    ({"split": "test"}, [LAID[4]]), ({"subset": "zh", "split": "train"}, ["zh/train.jsonl"]),
    ({"subset": "zh", "split": "val"}, []), ({"subset": "zh", "split": "validation"}, ["zh/validation.jsonl"]),
    ({"folder": "python"}, ["python/x.jsonl"]), ({"folder": "python", "split": "train"}, ["python/x.jsonl"]),
    ({"folder": "pyth"}, []), ({"subset": "zh", "distant": True}, ["zh/train.jsonl"]), ({"split": "nothing"}, [])])
def test_parts_are_found_by_the_names_of_folders_and_files(tmp_path, said, wanted):
    assert picked(tmp_path, **said) == wanted


def test_what_a_dataset_declares_goes_before_names(tmp_path):
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: en\n  data_files:\n  - {split: train, path: 'a*.json'}\n"
        "  - {split: test, path: [b.json]}\n- config_name: zh\n  data_files: c.json\n---\n# Card\n", encoding="utf-8")
    names = ("a1.json", "a2.json", "b.json", "c.json")
    assert picked(tmp_path, names, subset="en", distant=True) == ["a1.json", "a2.json"]
    assert picked(tmp_path, names, subset="en", split="test") == ["b.json"]
    assert picked(tmp_path, names, subset="zh", distant=True) == ["c.json"]


def made(tmp_path, **about):
    workspace = Workspace(tmp_path / "root")
    workspace.data.mkdir(parents=True, exist_ok=True)
    (workspace.data / "dataset_info.json").write_text(json.dumps(about), encoding="utf-8")
    return workspace


def test_a_split_of_an_archive_is_a_dataset_of_its_own(tmp_path):
    workspace = made(tmp_path, val={"file_name": "x.zip", "split": "val"}, dev={"file_name": "x.zip", "split": "dev"},
                     none={"file_name": "x.zip", "split": "nope"}, all={"file_name": "x.zip"})
    with zipfile.ZipFile(workspace.data / "x.zip", "w") as archive:
        archive.writestr("val/a_val.csv", "question,A,B,answer\nv,1,2,A\n")
        archive.writestr("dev/a_dev.csv", "question,A,B,answer\nd,1,2,A\nd,1,2,B\n")
    catalogue = Catalogue(workspace)
    assert [count_rows(catalogue.entry(name)) for name in ("val", "dev", "all")] == [1, 2, 3]
    assert [sample.messages[0].content[0] for _, _, sample in walk(catalogue.entry("dev"))] == ["d", "d"]
    assert [RowIndex.of(catalogue.entry(name), workspace.cache).rows for name in ("val", "dev", "all")] == [1, 2, 3]
    with pytest.raises(InputError) as error:
        sources_of(catalogue.entry("none"))
    assert error.value.code == "dataset_parts"


@pytest.mark.parametrize("key", ["hf_hub_url", "ms_hub_url"])
def test_a_distant_entry_is_brought_once_and_means_its_part(tmp_path, monkeypatch, key):
    pytest.importorskip("huggingface_hub")
    row = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
    line = json.dumps({"talk": row}).encode() + b"\n"
    files = {"en/train.jsonl": line, "zh/train.jsonl": line * 2, "zh/test.jsonl": line * 4}
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    workspace = made(tmp_path, far={key: "who/what", "subset": "zh", "formatting": "sharegpt",
                                    "columns": {"messages": "talk"}, "tags": tags})
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(InputError) as error:
        Catalogue(workspace).entry("far")
    assert error.value.code == "dataset_remote"
    with hub({}, datasets={"who/what": files}) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("MODELSCOPE_DOMAIN", address)
        heard: list[tuple[int, int]] = []
        entry = Catalogue(workspace).fetch("far", lambda done, total: heard.append((done, total)))
        before = len(asked)
        assert Catalogue(workspace).fetch("far") == entry == Catalogue(workspace).entry("far") and len(asked) == before
    assert [one.name for one in sources_of(entry)] == ["zh/train.jsonl"] and heard
    assert [sample.messages[-1].content for _, _, sample in walk(entry)] == ["a", "a"]
