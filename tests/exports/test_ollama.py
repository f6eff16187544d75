"""Ollama: its template says what the template of training says, and a running one gets the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from studio.data.jinja import compiled
from studio.errors import InputError, StopAsked, WorkError
from studio.exports.gguf import gotemplate, ollama
from studio.exports.gguf.modelfile import Modelfile, modelfile
from studio.plugins import kinds, plugin
from studio.plugins.exporters import ollama as form
from studio.texts.errors import of_problem
from studio.workspace import PROJECT, Workspace
from tests.exports.holding import Desk, a_source
from tests.exports.ollama_server import Ollama, running

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
ROUNDS = ("chatglm", "chatglm2", "chatglm_round0")  # they count the questions, which Ollama's language cannot
NAMED = [name for name in kinds("templates") if plugin("templates", name).JINJA]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ollama]:
    with running() as found:
        monkeypatch.setenv("OLLAMA_HOST", found.where)
        yield found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A finished Ollama folder of the starter."""
    found = Desk(tmp_path_factory.mktemp("ollama"), gguf_type="q8_0", ollama_name="sums")
    form.write(found.work)
    found.finish()
    return found


def renderer(source: str):
    """A template of ours as turns become text."""
    def render(turns: Sequence[tuple[str, str]]) -> str:
        return compiled(source)(messages=[{"role": role, "content": words} for role, words in turns], tools=None,
                                documents=None, add_generation_prompt=True, **SPECIAL)
    return render


# ---- the template ----

@pytest.mark.parametrize("name", [name for name in NAMED if name not in ROUNDS])
def test_every_named_template_is_said_in_ollamas_language(name: str) -> None:
    render = renderer(plugin("templates", name).JINJA)
    text = gotemplate.made(render, "<s>")
    talk = [("user", "12+3=?"), ("assistant", "15"), ("user", "why {{so}}?")]
    assert gotemplate.rendered(text, "", talk) == render(talk).removeprefix("<s>")


@pytest.mark.parametrize("name", ROUNDS)
def test_a_template_that_counts_rounds_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        gotemplate.made(renderer(plugin("templates", name).JINJA))
    assert caught.value.code == "ollama_template"


@pytest.mark.parametrize("source", [
    "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
    "{% for m in messages %}{{ m.content | replace('3', '4') }}\n{% endfor %}",
    "{{ messages[-1].content }}",
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if 'why' in m.content | lower %}!{% endif %}{% endfor %}"])
def test_a_template_that_changes_words_is_refused(source: str) -> None:
    with pytest.raises(InputError) as caught:
        gotemplate.made(renderer(source))
    assert caught.value.code == "ollama_template"


def test_braces_of_a_template_are_written_as_text() -> None:
    source = "{% for m in messages %}{{ '{{' }}{{ m.role }}}}{{ m.content }}{% endfor %}{{ '{{assistant}}' }}"
    text = gotemplate.made(renderer(source))
    assert gotemplate.rendered(text, "", [("user", "x")]) == "{{user}}x{{assistant}}"


# ---- the Modelfile ----

def test_the_folder_has_the_file_and_a_modelfile_of_the_training(desk: Desk) -> None:
    names = sorted(path.name for path in desk.work.target.iterdir())
    assert names == ["Modelfile", "starter-Q8_0.gguf"]
    text = (desk.work.target / "Modelfile").read_text(encoding="utf-8")
    assert text.startswith("FROM ./starter-Q8_0.gguf\n")
    assert 'PARAMETER stop "<|im_end|>"' in text and "PARAMETER num_ctx 2048" in text
    assert "PARAMETER temperature 0\n" in text and "PARAMETER repeat_penalty 1.0" in text
    assert "<|im_start|>assistant\n" in text and "SYSTEM" not in text.replace(".System", "")


def test_the_default_system_message_of_the_training_is_in_the_modelfile() -> None:
    source = a_source(default_system="You add numbers.")
    told = modelfile(source, Workspace(PROJECT), 512, False)
    assert told.system == "You add numbers." and 'SYSTEM """You add numbers."""' in told.text("x.gguf")
    prompt = gotemplate.rendered(told.template, told.system, [("user", "1+1=?")])
    assert prompt == ("<|im_start|>system\nYou add numbers.<|im_end|>\n<|im_start|>user\n1+1=?<|im_end|>\n"
                      "<|im_start|>assistant\n")


def test_three_quotes_in_a_template_cannot_be_said() -> None:
    with pytest.raises(InputError) as caught:
        Modelfile('"""', None, {}).text("x.gguf")
    assert caught.value.code == "ollama_template"


def test_the_two_commands_make_and_run_it(desk: Desk) -> None:
    first, second = form.commands(desk.work)["ollama"]
    assert first.endswith("ollama create sums -f Modelfile") and str(desk.work.target) in first
    assert second == "ollama run sums"


@pytest.mark.parametrize("name", ["A B", "ü", "", "-x"])
def test_a_name_that_ollama_does_not_take_is_refused_with_one_that_it_does(name: str, tmp_path: Path) -> None:
    problems = form.refuse(a_source(), Desk(tmp_path, gguf_type="f16", ollama_name=name or None).work.spec)
    assert [problem.code for problem in problems] == (["ollama_name"] if name else [])
    assert all(name in of_problem("en", problem) for problem in problems)


# ---- a running Ollama ----

@pytest.mark.parametrize(("said", "found"), [
    ("", "http://127.0.0.1:11434"), ("0.0.0.0", "http://127.0.0.1:11434"), (":8000", "http://127.0.0.1:8000"),
    ("box:1234", "http://box:1234"), ("box", "http://box:11434"), ("https://ollama.example", "https://ollama.example:443"),
    ("http://box:1/", "http://box:1")])
def test_the_address_is_read_as_ollama_reads_it(said: str, found: str) -> None:
    assert ollama.address(said) == found


def test_a_running_ollama_gets_the_model_with_template_and_ends(desk: Desk, server: Ollama) -> None:
    form.deliver(desk.work)
    made = server.models["sums:latest"]
    assert made["parameters"]["stop"][0] == "<|im_end|>" and made["parameters"]["temperature"] == 0
    file, = made["files"].items()
    assert file[0] == "starter-Q8_0.gguf"
    assert server.blobs[file[1]] == (desk.work.target / file[0]).read_bytes()
    assert f'TEMPLATE """{made["template"]}"""' in (desk.work.target / "Modelfile").read_text(encoding="utf-8")
    assert desk.said[-1] == ("ollama_imported", {"address": server.where, "name": "sums"})


def test_a_model_of_that_name_is_not_overwritten(desk: Desk, server: Ollama) -> None:
    server.models["sums:latest"] = {"mine": True}
    form.deliver(desk.work)
    assert server.models["sums:latest"] == {"mine": True} and "sums-2:latest" in server.models


def test_a_blob_that_is_there_is_not_sent_again(desk: Desk, server: Ollama) -> None:
    form.deliver(desk.work)
    told = len(desk.told)
    form.deliver(desk.work)
    assert len(desk.told) == told and len(server.models) == 2


def test_no_ollama_is_no_failure_and_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    form.deliver(desk.work)
    assert desk.said[-1][0] == "ollama_absent"


def test_an_ollama_that_says_no_fails_with_its_words(desk: Desk, server: Ollama) -> None:
    server.refuses = "unsupported architecture"
    with pytest.raises(WorkError) as caught:
        form.deliver(desk.work)
    assert caught.value.code == "ollama_failed" and "unsupported" in json.dumps(caught.value.values)


def test_a_stop_is_heard_while_the_file_is_sent(desk: Desk, server: Ollama) -> None:
    desk.stays, desk.stop_after = 0, 3
    with pytest.raises(StopAsked):
        form.deliver(desk.work)
    desk.stop_after = -1
    assert not server.models
