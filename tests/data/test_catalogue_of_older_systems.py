"""Both real registries, entry by entry: every key means what it means in the system that wrote it."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import Any

import pytest

from studio.data import recognise
from studio.data.catalogue import Catalogue, hub_of, is_as_listed
from studio.errors import InputError
from studio.workspace import Workspace
from tests.data.replay import SHARED

REGISTRIES = ("lf_dataset_info.json", "cet_dataset_info.json")
LISTED = [(registry, name, about) for registry in REGISTRIES if (SHARED / registry).is_file()
          for name, about in json.loads((SHARED / registry).read_text(encoding="utf-8")).items()]
each = pytest.mark.parametrize(("registry", "name", "about"), LISTED, ids=[f"{one[0][:3]}{one[1]}" for one in LISTED])
DECOY = "this column was not asked for"
DECOYS = ("input", "system", "history", "tools", "chosen", "rejected", "images")


@pytest.fixture
def catalogue(tmp_path, request):
    registry = request.node.callspec.params["registry"]
    workspace = Workspace(tmp_path / "root")
    workspace.data.mkdir(parents=True)
    shutil.copy(SHARED / registry, workspace.data / "dataset_info.json")
    return Catalogue(workspace)


def row_of(about: dict[str, Any], registry: str) -> dict[str, Any]:
    """A row as the entry says its rows are, with decoys in columns that it does not name."""
    columns = about.get("columns") or ({"messages": "conversations"} if about.get("formatting") == "sharegpt" else
                                       {"prompt": "instruction", "query": "input", "response": "output"})
    row: dict[str, Any] = dict.fromkeys(DECOYS, DECOY) if about.get("columns") else {}
    pair = about.get("ranking") and "chosen" not in columns
    tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt",
            "system_tag": "system", **about.get("tags", {})}

    def turn(side: str, said: str) -> dict[str, str]:
        return {tags["role_tag"]: tags[f"{side}_tag"], tags["content_tag"]: said}

    talk = about.get("formatting") == "sharegpt"
    filled = {"prompt": "Q", "query": "MORE", "response": ["good", "bad"] if pair else "A", "system": "S",
              "history": [["q1", "a1"]], "tools": '[{"name": "f", "parameters": {}}]', "kto_tag": False,
              "chosen": turn("assistant", "good") if talk else "good", "images": [], "videos": [], "audios": [],
              "rejected": turn("assistant", "bad") if talk else "bad",
              "messages": [turn("system", "S"), turn("user", "Q"),
                           *([] if about.get("ranking") else [turn("assistant", "A")])]}
    return row | {column: filled[role] for role, column in columns.items() if column}


@each
def test_a_row_is_read_as_its_entry_says(catalogue, registry, name, about):
    entry = next(entry for entry in catalogue.entries() if entry.name == name)
    row = row_of(about, registry)
    sample = recognise.reader(entry, [row])(row)
    columns = about.get("columns") or {}
    if set(columns) == {"prompt"}:
        assert sample.kind == "text" and sample.text == "Q"
        return
    assert sample.kind == ("preference" if about.get("ranking") else "rated" if "kto_tag" in columns else "chat")
    talk = about.get("formatting") == "sharegpt"
    wanted = [("system", "S")] if talk or columns.get("system") else []
    wanted += [("user", "q1"), ("assistant", "a1")] if columns.get("history") else []
    asked = "Q" if talk or columns.get("query", "" if columns else "input") == "" else "Q\nMORE"
    wanted += [("user", asked), ("assistant", "good" if about.get("ranking") else "A")]
    assert [(turn.role, turn.content) for turn in sample.messages] == wanted
    assert [turn.content for turn in sample.rejected] == (["bad"] if about.get("ranking") else [])
    assert sample.liked is (False if "kto_tag" in columns else None)
    assert [one["function"]["name"] for one in sample.tools] == (["f"] if "tools" in columns else [])


@each
def test_where_an_entry_comes_from_is_kept(catalogue, registry, name, about):
    entry = next(entry for entry in catalogue.entries() if entry.name == name)
    assert entry.hubs == {hub: about[key] for key, hub in (
        ("hf_hub_url", "huggingface"), ("ms_hub_url", "modelscope"), ("om_hub_url", "modelers")) if key in about}
    for key in ("subset", "folder", "split"):
        assert getattr(entry, key) == about.get(key, "")
    assert (entry.sha1, entry.ranking, dict(entry.about)) == (about.get("file_sha1", ""), bool(about.get("ranking")),
                                                             about)
    with pytest.raises(InputError) as error:
        catalogue.entry(name)
    assert error.value.code == ("dataset_missing" if "file_name" in about else "dataset_script"
                                if "script_url" in about else "dataset_remote")


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
@pytest.mark.parametrize("registry", ["cet_dataset_info.json"])
def test_a_list_of_two_answers_is_a_better_and_a_worse_one(catalogue, registry):
    entry = next(entry for entry in catalogue.entries() if entry.name == "oaast_rm_zh")
    row = {"instruction": "Q", "input": "MORE", "output": ["good", "bad"], "history": [["q1", "a1"]]}
    sample = recognise.reader(entry, [row])(row)
    assert [turn.content for turn in (*sample.messages, *sample.rejected)] == ["q1", "a1", "Q\nMORE", "good", "bad"]


def test_model_scope_is_asked_where_the_environment_says_so(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path)
    workspace.data.mkdir()
    (workspace.data / "dataset_info.json").write_text(json.dumps({
        "both": {"ms_hub_url": "m/x", "hf_hub_url": "h/x"}, "one": {"hf_hub_url": "h/y"}}), encoding="utf-8")
    entries = {entry.name: entry for entry in Catalogue(workspace).entries()}
    assert hub_of(entries["both"]) == ("huggingface", "h/x")
    monkeypatch.setenv("USE_MODELSCOPE_HUB", "1")
    assert hub_of(entries["both"]) == ("modelscope", "m/x") and hub_of(entries["one"]) == ("huggingface", "h/y")


def test_a_wrong_hash_is_told_and_stops_nothing(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.data.mkdir()
    (workspace.data / "x.json").write_text("[]", encoding="utf-8")
    right = hashlib.sha1(b"[]", usedforsecurity=False).hexdigest()
    listed = {name: {"file_name": "x.json", "file_sha1": hash_} for name, hash_ in (
        ("right", right.upper()), ("wrong", "0"), ("none", ""))}
    (workspace.data / "dataset_info.json").write_text(json.dumps(listed), encoding="utf-8")
    catalogue = Catalogue(workspace)
    assert [is_as_listed(catalogue.entry(name)) for name in ("right", "wrong", "none")] == [True, False, None]


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
@pytest.mark.parametrize("registry", REGISTRIES)
def test_saving_into_a_real_registry_changes_nothing_else_in_it(tmp_path, registry):
    workspace = Workspace(tmp_path)
    workspace.data.mkdir()
    path = workspace.data / "dataset_info.json"
    before = (SHARED / registry).read_bytes()
    path.write_bytes(before)
    catalogue = Catalogue(workspace)
    (workspace.data / "mine.json").write_text("[]", encoding="utf-8")
    catalogue.save("mine", {"file_name": "mine.json", "columns": {"prompt": "问"}})
    after = path.read_bytes()
    assert after.startswith(before.rstrip().removesuffix(b"}").rstrip()) and "问".encode() in after
    assert list(json.loads(after)) == [*json.loads(before), "mine"]
    catalogue.remove("mine")
    assert path.read_bytes() == before
