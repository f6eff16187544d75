"""Datasets fetched by their name from a hub, which here is a server of our own on this machine."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from studio.data import fetching, jobs, reading
from studio.errors import InputError, StopAsked, StudioError, WorkError
from studio.plugins.hubs import _download, modelscope
from studio.texts.errors import of_error
from studio.workspace import Workspace
from tests.data.hub_server import Faults, hub

pytest.importorskip("huggingface_hub")
HUBS = ("huggingface", "modelscope")
ROWS = "".join(json.dumps({"instruction": f"q {n}", "output": "a" * 50}) + "\n" for n in range(20_000)).encode()
CARD = b"---\nconfigs:\n- config_name: default\n  data_files:\n  - {split: train, path: data/train.jsonl}\n---\n# A\n"
FILES = {"data/train.jsonl": ROWS, "data/test.jsonl": b'{"instruction": "q", "output": "a"}\n', "README.md": CARD,
         "more/deep/x y[1].csv": b"instruction,output\na,b\n", "load.py": b"evil", "weights.pkl": b"evil",
         "picture.png": b"x", ".gitattributes": b"x", "dataset_infos.json": b"{}"}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(_download, "WAIT_SECONDS", 0.01)
    return Workspace(tmp_path / "root")


@pytest.fixture
def served(monkeypatch):
    """Start a hub that both plug-ins ask."""

    def start(**values):
        running = hub({}, **values)
        address, asked = running.__enter__()
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("MODELSCOPE_DOMAIN", address)
        started.append(running)
        return asked

    started: list = []
    yield start
    for running in started:
        running.__exit__(None, None, None)


def refused(kind: type[StudioError], code: str, *said: str, **values: str) -> None:
    with pytest.raises(kind) as error:
        fetching.fetch_dataset(*said, **values)
    assert error.value.code == code
    for lang in ("en", "zh"):
        assert said[0] in of_error(lang, error.value) and "{" not in of_error(lang, error.value)


@pytest.mark.parametrize("name", HUBS)
def test_a_dataset_arrives_whole_without_code_and_pickles(workspace, served, name):
    asked, heard = served(datasets={"org/set": FILES}), []
    assert fetching.local("org/set", name, workspace) is None
    path = fetching.fetch_dataset("org/set", name, workspace, lambda done, total: heard.append((done, total)))
    assert path == workspace.data / "hub" / name / "org--set" == fetching.local("org/set", name, workspace)
    found = {one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file()}
    assert found == {"data/train.jsonl", "data/test.jsonl", "more/deep/x y[1].csv", "README.md", fetching.RECORD}
    assert all((path / one).read_bytes() == FILES[one] for one in found - {fetching.RECORD})
    assert not any(word in one for one in asked for word in (".py", ".pkl", ".png"))
    assert len(list(reading.rows(path))) == 20_002
    assert heard[-1][0] == heard[-1][1] >= len(ROWS) and heard == sorted(heard)
    before = len(asked)
    assert fetching.fetch_dataset("org/set", name, workspace) == path and len(asked) == before
    assert [one.name for one in path.parent.iterdir()] == ["org--set"]


@pytest.mark.parametrize("name", HUBS)
def test_a_part_is_fetched_alone_and_another_is_added(workspace, served, name):
    asked = served(datasets={"org/set": FILES})
    path = fetching.fetch_dataset("org/set", name, workspace, split="train")
    assert [one.name for one in reading.sources(path)] == ["data/train.jsonl"]
    assert fetching.local("org/set", name, workspace, split="train") == path
    assert fetching.local("org/set", name, workspace) is None
    asked.clear()
    fetching.fetch_dataset("org/set", name, workspace)
    assert len(reading.sources(path)) == 3 and fetching.local("org/set", name, workspace, split="other")
    assert not any(("resolve" in one and "train" in one) or "FilePath=data%2Ftrain" in one for one in asked)


@pytest.mark.parametrize("name", HUBS)
def test_a_download_that_breaks_off_goes_on_where_it_stopped(workspace, served, name):
    faults = Faults(cut=300_000)
    served(datasets={"org/set": FILES}, faults=faults)
    path = fetching.fetch_dataset("org/set", name, workspace)
    assert (path / "data/train.jsonl").read_bytes() == ROWS
    assert any(one.startswith("data/train.jsonl ") and int(one.split()[1]) > 0 for one in faults.ranges)


@pytest.mark.parametrize("name", HUBS)
def test_a_stop_is_heeded_and_what_came_is_kept(workspace, served, name):
    faults, heard = Faults(seconds=0.02), []
    served(datasets={"org/set": FILES}, faults=faults)
    with pytest.raises(StopAsked):
        fetching.fetch_dataset("org/set", name, workspace, lambda done, total: heard.append(done),
                               lambda: bool(heard) and heard[-1] > 200_000)
    assert fetching.local("org/set", name, workspace) is None and heard[-1] < len(ROWS)
    faults.seconds = 0.0
    assert len(list(reading.rows(fetching.fetch_dataset("org/set", name, workspace)))) == 20_002
    assert any(int(one.split()[1]) > 0 for one in faults.ranges)


@pytest.mark.parametrize("name", HUBS)
def test_a_damaged_file_is_thrown_away(workspace, served, name):
    faults = Faults(wrong=("data/train.jsonl",))
    served(datasets={"org/set": FILES}, faults=faults)
    refused(WorkError, "hub_damaged", "org/set", name, workspace)
    assert fetching.local("org/set", name, workspace) is None
    faults.wrong = ()
    assert len(list(reading.rows(fetching.fetch_dataset("org/set", name, workspace)))) == 20_002


@pytest.mark.parametrize("name", HUBS)
@pytest.mark.parametrize(("files", "code"), [
    ({"load.py": b"evil", "README.md": b"#"}, "hub_dataset_script"), ({"a.png": b"x"}, "hub_dataset_empty"),
    ({"a.jsonl": b"{}", "a\\..\\evil.jsonl": b"{}"}, "hub_path")])
def test_what_must_not_or_cannot_be_fetched_says_so(workspace, served, name, files, code):
    asked = served(datasets={"org/set": files})
    refused(InputError, code, "org/set", name, workspace)
    assert not any("evil" in one and "resolve" in one for one in asked)
    assert not list(workspace.root.rglob("*.jsonl"))


def test_a_name_that_climbs_out_is_refused(workspace, served):
    asked = served(datasets={"org/set": {"a.jsonl": b"{}", "../../evil.jsonl": b"{}"}})
    refused(InputError, "hub_path", "org/set", "huggingface", workspace)
    assert not any("resolve" in one for one in asked)


def test_a_dataset_that_is_code_comes_as_the_hub_converted_it(workspace, served):
    served(datasets={"org/set": {"load.py": b"evil", "converted/train/0.jsonl": b'{"a": 1}\n'} | {
        "README.md": b"#"}})
    path = fetching.fetch_dataset("org/set", "huggingface", workspace)
    assert list(reading.rows(path)) == [{"a": 1}] and not list(path.rglob("*.py"))


@pytest.mark.parametrize("name", HUBS)
def test_unknown_gated_and_unreachable_say_so(workspace, served, name, monkeypatch):
    served(datasets={"org/set": FILES}, gated=("org/closed",))
    refused(InputError, "hub_dataset_unknown", "org/none", name, workspace)
    refused(InputError, "hub_dataset_gated", "org/closed", name, workspace)
    refused(InputError, "hub_name", "../etc", name, workspace)
    refused(InputError, "dataset_parts", "org/set", name, workspace, split="nowhere")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("MODELSCOPE_DOMAIN", "http://127.0.0.1:9")
    refused(WorkError, "hub_dataset_unreachable", "org/set", name, workspace)
    with pytest.raises(InputError) as error:
        fetching.fetch_dataset("org/set", "attic", workspace)
    assert error.value.code == "hub_kind" and "modelscope" in of_error("en", error.value)


def test_offline_means_that_nothing_is_asked(workspace, served, monkeypatch):
    asked = served(datasets={"org/set": FILES})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refused(WorkError, "hub_dataset_offline", "org/set", "huggingface", workspace)
    assert not asked


def test_folders_of_more_than_a_page_are_listed_whole(workspace, served, monkeypatch):
    monkeypatch.setattr(modelscope, "PAGE", 3)
    served(datasets={"org/set": {f"part/{place}.jsonl": b"{}\n" for place in range(9)}})
    assert len(reading.sources(fetching.fetch_dataset("org/set", "modelscope", workspace))) == 9


def test_two_who_fetch_the_same_do_not_disturb_each_other(workspace, served):
    served(datasets={"org/set": FILES}, faults=Faults(seconds=0.02))
    done: list[Path] = []
    first = threading.Thread(target=lambda: done.append(fetching.fetch_dataset("org/set", "modelscope", workspace)))
    first.start()
    part = workspace.data / "hub/modelscope/org--set.part"
    while not list(part.glob("**/*.part")):
        first.join(0.01)
    refused(WorkError, "hub_busy", "org/set", "modelscope", workspace)
    first.join()
    assert len(list(reading.rows(done[0]))) == 20_002


@pytest.mark.parametrize(("said", "meant"), [
    ("org/set", ("", "org/set")), (" gsm8k ", ("", "gsm8k")), ("../x", None), ("/data/x", None), ("a b", None),
    ("https://huggingface.co/datasets/org/set/tree/main", ("huggingface", "org/set")),
    ("https://hf-mirror.com/datasets/org/set", ("huggingface", "org/set")),
    ("https://modelscope.cn/datasets/org/set/files", ("modelscope", "org/set"))])
def test_a_pasted_name_or_page_is_understood(said, meant):
    assert fetching.named(said) == meant


def test_a_job_fetches_in_a_process_of_its_own(workspace, served):
    served(datasets={"org/set": FILES})
    workspace.root.mkdir()
    job = jobs.start(workspace, "fetch", {"name": "org/set", "hub": "modelscope"})
    while (look := job.look()).state == "running":
        threading.Event().wait(0.05)
    assert look.state == "finished" and look.result["files"] == 3 and Path(look.result["path"]).is_dir()
