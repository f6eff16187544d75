"""A template learned by heart writes, for any contents, what rendering it would write, or says that it cannot tell."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from studio.data.chat import ChatTokenizer
from studio.data.jinja import REFUSALS, compiled
from studio.data.spelling import Spelling
from studio.plugins import kinds, plugin
from studio.sample import Message, Sample
from studio.workspace import Workspace
from tests.data.test_mask_on_trl_templates import TEMPLATES as TRL

SPECIAL = {"bos_token": "<BOS>", "eos_token": "<EOS>", "tools": None, "documents": None, "add_generation_prompt": False}
SOURCES = {name: plugin("templates", name).JINJA for name in kinds("templates") if name != "own"}
SOURCES |= {f"trl {path.stem}": path.read_text(encoding="utf-8") for path in TRL}
ROLES = (("user", "assistant"), ("system", "user", "assistant", "user", "assistant"), ("assistant", "user"))
CONTENTS = st.lists(st.sampled_from(["", " ", "\n", "a", "Hello", "中", "</think>", "<think>", "<tool_response>",
                                     "</tool_response>", "[INST]", "{{ x }}", "<|im_end|>", "\u00a0", "\\"]),
                    max_size=5).map("".join)


def learned(source: str, roles: tuple[str, ...]) -> Spelling | None:
    return Spelling.learned(source, roles, [""] * roles.count("assistant"), **SPECIAL)


@pytest.mark.parametrize("name", SOURCES)
def test_joining_writes_what_rendering_writes(name: str) -> None:
    spellings = [(roles, found) for roles in ROLES if (found := learned(SOURCES[name], roles))]

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(CONTENTS, min_size=5, max_size=5))
    def holds(contents: list[str]) -> None:
        for roles, spelling in spellings:
            said = contents[:len(roles)]
            joined = spelling.spelled(said)
            if joined is None:
                continue
            turns = [{"role": role, "content": content} for role, content in zip(roles, said, strict=True)]
            assert joined[0] == compiled(SOURCES[name])(messages=turns, **SPECIAL)
            answers = [content for role, content in zip(roles, said, strict=True) if role == "assistant"]
            assert [joined[0][start:end].strip() for start, end in joined[1]] == [one.strip() for one in answers]

    holds()


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith("trl ")])
def test_every_named_template_is_learned(name: str) -> None:
    assert learned(SOURCES[name], ROLES[0])
    assert learned(SOURCES[name], ROLES[1]) or not plugin("templates", name).SYSTEM


LOOKING = {
    "upper": "{{ m.content | upper }}", "length": "{{ m.content | length }}", "slice": "{{ m.content[:3] }}",
    "split": "{{ m.content.split(' ')[0] }}", "json": "{{ m.content | tojson }}", "join": "{{ [m.content] | join }}",
    "compare": "{% if m.content > 'b' %}x{% endif %}{{ m.content }}", "percent": "{{ '%s!' % m.content }}",
    "loop": "{% for c in m.content %}{{ c }}{% endfor %}", "format": "{{ '%s' | format(m.content) }}",
    "replace": "{{ m.content | replace('a', 'b') }}",
    "sum looked at": "{% if 'a' in ('x' + m.content) %}y{% endif %}{{ m.content }}", "times": "{{ m.content * 2 }}",
    "joined looked at": "{% if 'a' in ('x' ~ m.content) %}y{% endif %}{{ m.content }}",
    "block looked at": "{% set t %}{{ m.content }}{% endset %}{% if 'a' in t %}y{% endif %}{{ m.content }}",
    "macro": "{% macro f(t) %}{{ t }}{% endmacro %}{{ f(m.content) }}", "int": "{{ m.content | int }}",
    "method": "{{ 'x{}'.format(m.content) }}", "key": "{{ {m.content: 1} | length }}{{ m.content }}",
    "twice": "{{ m.content }}{{ m.content }}", "never": "{{ m.role }}",
}


@pytest.mark.parametrize("kind", LOOKING)
def test_a_template_that_looks_closely_is_not_learned(kind: str) -> None:
    assert learned("{% for m in messages %}" + LOOKING[kind] + "{% endfor %}", ROLES[0]) is None


def test_what_a_template_asks_is_a_condition() -> None:
    source = ("{% for m in messages %}{% if '</think>' in m.content %}{{ m.content.split('</think>')[-1] }}"
              "{% elif m.content %}{{ m.content | trim }}{% else %}-{% endif %}|{% endfor %}")
    spelling = learned(source, ROLES[0])
    assert spelling and spelling.spelled([" a ", "b\n"]) == ("a|b|", [(2, 3)])
    assert spelling.spelled(["a", "<think>x</think>b"]) is None and spelling.spelled(["", "b"]) is None


def test_a_template_that_deceives_is_found_out_and_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = ChatTokenizer.load(Workspace().starter)
    sample = Sample((Message("user", "13+75=?"), Message("assistant", "88")))
    expected = chat.encode(sample)
    lying = learned(SOURCES["alpaca"], ROLES[0])
    monkeypatch.setattr(chat, "_spellings", {ROLES[0]: lying})
    assert chat.encode(sample) == expected and chat._spellings[ROLES[0]] is None


@pytest.mark.parametrize("name", ["own", "qwen3", "llama2", "mistral", "chatglm2"])
def test_tokens_are_the_same_learned_or_rendered(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chat, slow = (ChatTokenizer.load(Workspace().starter, name) for _ in range(2))
    monkeypatch.setattr(slow, "_learned", lambda roles: None)
    usual = Sample(tuple(Message(role, "a") for role in ("user", "assistant") * 2))
    chat.encode_batch([usual] * 12)  # the first ones are compared with their rendering

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.tuples(CONTENTS, CONTENTS.filter(str.strip), CONTENTS, CONTENTS.filter(str.strip)))
    @example(("", "a", "", "\n a"))
    def holds(contents: tuple[str, ...]) -> None:
        roles = ("user", "assistant") * 2
        sample = Sample(tuple(Message(*turn) for turn in zip(roles, contents, strict=True)))
        assert chat.encode(sample) == slow.encode(sample)

    holds()


def test_a_refusal_is_learned_as_none() -> None:
    assert learned("{{ raise_exception('no') }}", ROLES[0]) is None
    with pytest.raises(REFUSALS):
        compiled("{{ raise_exception('no') }}")(messages=[])
