"""Prompt sets: read from text, files and datasets; answered by all lanes; stopped, resumed, written as tables."""

from __future__ import annotations

import csv
import io
import json
import time

import pytest

from studio.chats import prompt_files, prompts
from studio.chats.prompts import Prompt
from studio.errors import InputError
from studio.workspace import Workspace
from tests.chats.a_server import AServer
from tests.chats.conftest import Road, until


def asked(*words: str) -> list[Prompt]:
    return prompt_files.of_text("\n".join(words))


def test_all_lanes_answer_all_prompts_in_a_table(workspace: Workspace, server: AServer) -> None:
    server.bodies.clear()
    found = prompts.begin(workspace, "mine", asked("one", "", "二"), ["echo", "refuses"], {"seed": 7}, "S")
    found.start(Road(server))
    assert found.wait(20) and (found.done, found.total) == (2, 4)
    rows = found.rows()
    assert [row.cells["A"].content for row in rows] == ["echo heard one 7", "echo heard 二 7"]
    assert rows[0].cells["B"].state == "failed" and rows[0].cells["B"].values["reason"] == "no such luck"
    assert server.asked("echo")[0]["messages"][0] == {"role": "system", "content": "S"}
    assert "logprobs" not in server.asked("echo")[0]


def test_a_stopped_set_goes_on_where_it_was(workspace: Workspace, server: AServer) -> None:
    server.bodies.clear()
    found = prompts.begin(workspace, "mine", asked(*map(str, range(150))), ["echo"])
    found.start(Road(server))
    with pytest.raises(InputError):
        found.start(Road(server))
    until(lambda: found.done > 10)
    found.stop()
    assert found.wait(10) and found.done < 150
    time.sleep(1)  # questions that were on their way when it stopped still arrive
    done, before = found.done, len(server.bodies)
    again = prompts.PromptSet(found.path)
    assert again.done == done
    again.start(Road(server))
    assert again.wait(60) and again.done == 150
    assert len(server.bodies) - before == 150 - done, "nothing is asked twice"
    assert len(found.rows()) == 150 and found.done == 150, "another reader hears of it"


def test_tables_are_written_for_spreadsheets_programs_and_readers(workspace: Workspace, server: AServer) -> None:
    found = prompts.begin(workspace, "mine", asked("=cmd|x", "a | b"), ["echo", "echo"], {"seed": 7})
    found.start(Road(server))
    found.wait(20)
    table = list(csv.reader(io.StringIO(prompt_files.exported(found, "csv", "zh").removeprefix("\ufeff"))))
    assert table[0] == ["序号", "提示词", "echo", "echo"]
    assert table[1][1] == "'=cmd|x" and table[2][2] == "echo heard a | b 7"
    lines = [json.loads(line) for line in prompt_files.exported(found, "jsonl").splitlines()]
    assert lines[1]["answers"]["B: echo"]["content"] == "echo heard a | b 7"
    assert "echo heard a \\| b 7" in prompt_files.exported(found, "md").splitlines()[3]
    with pytest.raises(InputError):
        prompt_files.exported(found, "xls")


def test_prompts_come_from_files_and_datasets(workspace: Workspace) -> None:
    workspace.data.mkdir(exist_ok=True)
    (workspace.data / "p.txt").write_text("\ufeffone\r\n\r\n二\r\n", encoding="utf-8")
    (workspace.data / "p.jsonl").write_text('{"prompt": "x"}\n\n{"prompt": "y"}\n', encoding="utf-8")
    (workspace.data / "m.jsonl").write_text(json.dumps({"messages": [
        {"role": "system", "content": "S"}, {"role": "user", "content": "q"}]}) + "\n", encoding="utf-8")
    (workspace.data / "rows.jsonl").write_text('{"instruction": "2+2", "input": "", "output": "4"}\n')
    read = prompt_files.read
    assert [one.words for one in read("p.txt", workspace)] == ["one", "二"]
    assert [one.words for one in read("p.jsonl", workspace)] == ["x", "y"]
    assert read("m.jsonl", workspace)[0].turns[0]["content"] == "S"
    (row,) = read("rows", workspace)
    assert (row.words, row.reference) == ("2+2", "4")
    shipped = read("arithmetic", workspace, 5)
    assert len(shipped) == 5 and all(one.reference for one in shipped)
    (workspace.data / "empty.txt").write_text("\n \n")
    for name, code in (("empty.txt", "prompts_none"), ("no.txt", "file_missing"), ("/etc/hostname", "path_outside")):
        with pytest.raises(InputError) as refused:
            read(name, workspace)
        assert refused.value.code == code


def test_sets_are_listed_and_confined(workspace: Workspace) -> None:
    assert prompts.sets(workspace) == []
    found = prompts.begin(workspace, "mine", asked("x"), ["echo"])
    assert prompts.sets(workspace) == [found.id] and prompts.open_set(workspace, found.id) is found
    for id in ("../x", "", "20260101-000000-abcdef"):
        with pytest.raises(InputError):
            prompts.open_set(workspace, id)
    with pytest.raises(InputError):
        prompts.begin(workspace, "none", [], ["echo"])
    prompts.remove(workspace, found.id)
    assert prompts.sets(workspace) == []
