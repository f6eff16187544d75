"""A user's own templates: kept in data/templates, named like the studio's, refused with the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.data import templates
from studio.data.chat import ChatTokenizer
from studio.data.jinja import compiled
from studio.errors import InputError
from studio.plugins import kinds
from studio.runs.admission import examine
from studio.sample import Message, Sample
from studio.specs.train import check
from studio.texts.errors import of_error
from studio.workspace import Workspace

GOOD = "{% for m in messages %}\n<{{ m.role }}>{{ m.content }}<|im_end|>\n{% endfor %}"
TALK = [Message("user", "13+75=?"), Message("assistant", "88")]


def refused(source: str) -> InputError:
    with pytest.raises(InputError) as caught:
        templates.preview(source, TALK)
    return caught.value


def test_a_kept_template_is_used_by_its_name_and_by_its_path(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    path = templates.save(workspace, "mine", GOOD)
    assert path == tmp_path / "data/templates/mine.jinja" and templates.own(workspace) == {"mine": path}
    assert [one.name for one in templates.listed(workspace) if one.is_own] == ["mine"]
    assert [one.name for one in templates.listed(workspace) if not one.is_own] == list(kinds("templates"))
    for name in ("mine", str(path), "data/templates/mine.jinja", "mine.jinja"):
        chat = ChatTokenizer.load(Workspace().starter, name, workspace=workspace)
        row = chat.encode(Sample(tuple(TALK)))
        assert chat.decode(row.ids[slice(*row.spans[0])], False) == "88<|im_end|>"


def test_saving_again_replaces_it_and_leaves_nothing_beside(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    templates.save(workspace, "mine", GOOD)
    path = templates.save(workspace, "mine", GOOD + "!")
    assert path.read_text(encoding="utf-8") == GOOD + "!" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("name", "code"), [("../x", "template_name"), ("", "template_name"), (".x", "template_name"),
                                            ("a/b", "template_name"), ("llama3", "template_taken"),
                                            ("intern2", "template_taken"), ("own", "template_taken")])
def test_a_name_that_cannot_be_is_refused(name: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        templates.save(Workspace(tmp_path), name, GOOD)
    assert caught.value.code == code and not list(tmp_path.rglob("*"))


@pytest.mark.parametrize(("source", "line", "reason"), [
    ("a\nb\n{% if x %}", 3, "end of template"),
    ("a\n{{ messages.nowhere.else }}", 2, "nowhere"),
    ("a\n\n{% for m in messages %}\n{{ m.content | shout }}{% endfor %}", 4, "shout"),
    ("{% for m in messages %}\n{{ raise_exception('only tools') }}\n{% endfor %}", 2, "only tools"),
    ("\n{{ ''.__class__.__mro__ }}", 2, "__class__"), ("{{ 1 / 0 }}", 1, "zero"),
    ("{{ messages[0].content.nothing.y }}", 1, "nothing"),
])
def test_what_is_wrong_is_said_with_its_line(source: str, line: int, reason: str) -> None:
    error = refused(source)
    assert (error.code, error.values["line"]) == ("template_line_broken", line)
    assert reason in error.values["reason"]
    assert of_error("en", error).startswith(f"The template does not work at line {line}: ")
    assert of_error("zh", error).startswith(f"模板在第 {line} 行无法使用：")


@pytest.mark.parametrize("source", ["{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ messages.append(1) }}",
                                    "{{ cycler.__init__.__globals__ }}", "{% set ns = namespace(__init__=1) %}",
                                    "{{ dict.__class__.__base__ }}"])
def test_it_cannot_leave_its_sandbox(source: str) -> None:
    assert refused(source).code == "template_line_broken"


def test_the_preview_shows_tools_thinking_and_the_prompt() -> None:
    source = ("{{ bos_token }}{% for t in tools or [] %}{{ t.function.name }};{% endfor %}{% for m in messages %}"
              "{{ m.reasoning_content }}{{ m.content }}{{ eos_token }}{% endfor %}"
              "{% if add_generation_prompt %}>{% endif %}")
    said = [Message("user", "q"), Message("assistant", "a", (), "hm")]
    assert templates.preview(source, said, [{"name": "look"}], add_generation_prompt=True) == "<s>look;q</s>hma</s>>"
    assert templates.preview(source, said, special={"bos_token": "B", "eos_token": "E"}) == "BqEhmaE"


def test_an_unknown_name_is_refused_beside_its_field_with_the_nearest(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    templates.save(workspace, "radiology", GOOD)
    for model in ("starter", "someone/not-here-yet"):
        for value, nearest in (("chatlm", "chatglm"), ("radiolgy", "radiology"), ("nowhere.jinja", None)):
            problems = [one for one in examine(check({"template": value, "model_name_or_path": model}), workspace)
                        if one.field == "template"]
            assert [one.code for one in problems] == ["template_unknown"]
            assert nearest in (None, problems[0].values["nearest"])
    found = examine(check({"template": "radiology"}), workspace)
    assert not [one for one in found if one.field == "template"]


def test_a_kept_template_that_was_broken_later_is_refused_with_its_line(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    templates.save(workspace, "mine", GOOD).write_text("x\n{% for %}", encoding="utf-8")
    problems = [one for one in examine(check({"template": "mine"}), workspace) if one.field == "template"]
    assert [(one.code, one.values["line"]) for one in problems] == [("template_line_broken", 2)]
    assert [one.name for one in templates.listed(workspace) if one.is_own] == ["mine"]


def test_the_sandbox_is_that_of_transformers() -> None:
    utils = pytest.importorskip("transformers.utils.chat_template_utils")
    source = ("{% for m in messages %}\n  {{ m.content | tojson }}{{ {'é': [1, none]} | tojson(indent=2) }}\n"
              "{% endfor %}")
    turns = [{"role": "user", "content": "é <b> '"}]
    assert compiled(source)(messages=turns) == utils._compile_jinja_template(source).render(messages=turns)
