"""GGUF files: every family and type reads back as the model it was, and speaks in llama.cpp as in transformers."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from studio.errors import InputError, StopAsked
from studio.exports import weights
from studio.exports.gguf import kinds, making, quantizer, splits, writer
from studio.exports.gguf.kinds import KINDS
from studio.exports.gguf.vocabulary import Vocabulary
from studio.exports.source import Source
from studio.plugins.exporters import gguf as form
from studio.sample import Message
from studio.workspace import PROJECT, Workspace
from tests.exports.families import FAMILIES, SHARED, TOKENIZERS, make
from tests.exports.holding import Desk

needs_shared = pytest.mark.skipif(not TOKENIZERS.is_dir(), reason="the tokenizers of shared/data are not here")
needs_llama = pytest.mark.skipif(importlib.util.find_spec("llama_cpp") is None,
                                 reason="llama-cpp-python is not installed")
TEXTS = ("Hello, World! I'm 42.", "今天天气很好，12+345=357。", "  two  spaces\n\n\ttab 3.14e-10",
         "def f(x):\n    return x+1\n")
OWN = [name for name, kind in KINDS.items() if kind.own]
K_TYPES = [name for name, kind in KINDS.items() if not kind.own]
# how far a number may be from what it was, as a share of the largest beside it
ERROR = {"f32": 0.0, "f16": 5e-4, "bf16": 4e-3, "q8_0": 4.5e-3, "q5_1": 0.035, "q5_0": 0.07, "q4_1": 0.07, "q4_0": 0.13}


def source(folder: Path | str) -> Source:
    """A folder as a plain model."""
    folder = Path(folder)
    return Source(folder.name, folder, folder.name)


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory):
    """The folder of a tiny model of a kind, made once."""
    root, made = tmp_path_factory.mktemp("families"), {}

    def find(kind: str) -> Path:
        if kind not in made:
            made[kind] = make(kind, root / kind)
        return made[kind]

    return find


@pytest.fixture(scope="session")
def whole(family, tmp_path_factory: pytest.TempPathFactory):
    """The file of a tiny model with every bit, written once."""
    made: dict[str, Path] = {}

    def find(kind: str) -> Path:
        if kind not in made:
            made[kind] = written(family(kind), "f32", tmp_path_factory.mktemp(kind))
        return made[kind]

    return find


def written(folder: Path, kind: str, room: Path) -> Path:
    """The GGUF file of a model by the form itself."""
    desk = Desk(room, source(folder), gguf_type=kind)
    form.write(desk.work)
    return form.opened(desk.work.into)


def tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file by name, as numbers."""
    import gguf

    return {one.name: gguf.quants.dequantize(one.data, one.tensor_type).reshape(tuple(map(int, one.shape))[::-1])
            for one in gguf.GGUFReader(path).tensors}


def field(path: Path, name: str):
    """A key of a file; None when it is not there."""
    import gguf

    found = gguf.GGUFReader(path).get_field(name)
    return None if found is None else found.contents()


# ---- numbers ----

@pytest.mark.parametrize("kind", OWN)
def test_every_plain_type_reads_back_within_its_error(kind: str, tmp_path: Path) -> None:
    model = Workspace(PROJECT).starter
    found = tensors(written(model, kind, tmp_path))
    stream, layout = making.plan(source(model))
    for item in layout.items:
        wanted = item.change([stream.read(one) for one in item.of]) if item.change else stream.read(item.of[0])
        near = np.abs(found[item.name] - wanted).max() / np.abs(wanted).max()
        assert near <= (0 if kinds.kept(item) else ERROR[kind]), item.name


def test_the_expected_size_is_that_of_the_file(tmp_path: Path) -> None:
    model = Workspace(PROJECT).starter
    expected = making.sizes(source(model))
    assert list(expected) == list(form.TYPES) == list(KINDS)
    for kind in ("f32", "q8_0", "q4_0"):
        made = written(model, kind, tmp_path / kind).stat().st_size
        assert abs(expected[kind] - made) < 0.15 * made


def test_every_type_is_smaller_than_the_one_before_it_in_bits() -> None:
    expected = making.sizes(source(Workspace(PROJECT).starter))
    for more, less in (("f32", "f16"), ("f16", "q8_0"), ("q8_0", "q5_k_m"), ("q5_k_m", "q4_k_m"), ("q4_k_m", "q2_k")):
        assert expected[more] > expected[less]


def test_rows_that_are_no_whole_blocks_stay_half_numbers() -> None:
    layout = making.plan(source(Workspace(PROJECT).starter))[1]
    odd = layout.items[0].__class__("blk.0.ffn_down.weight", (64, 172), ())
    assert kinds.own_type(KINDS["q8_0"], odd, layout) == "F16"


@needs_shared
@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_has_a_place_for_every_tensor(kind: str, family, whole) -> None:
    stream, layout = making.plan(source(family(kind)))
    assert {one for item in layout.items for one in item.of} == set(stream.planned)
    if FAMILIES[kind][2] == "minimind":  # the package's reader takes long for a hundred thousand tokens
        found = tensors(whole(kind))
        assert set(found) == {item.name for item in layout.items}
        assert all(np.isfinite(one).all() for one in found.values())


@needs_shared
def test_rows_of_queries_are_laid_in_pairs_for_llama(family, whole) -> None:
    found = tensors(whole("llama"))["blk.0.attn_q.weight"]
    old = weights.stream(source(family("llama")), "fp32").read("model.layers.0.self_attn.q_proj.weight")
    width = len(old) // 4
    for head in range(4):
        for place in range(width // 2):
            for half in range(2):
                row = head * width + 2 * place + half
                assert np.array_equal(found[row], old[head * width + half * width // 2 + place])


# ---- words ----

def test_the_tokens_ends_and_template_of_training_are_in_the_file(tmp_path: Path) -> None:
    path = written(Workspace(PROJECT).starter, "f16", tmp_path)
    assert field(path, "tokenizer.ggml.model") == "gpt2"
    assert field(path, "tokenizer.ggml.pre") == "smollm"
    assert field(path, "tokenizer.ggml.eos_token_id") == 2
    assert field(path, "tokenizer.ggml.eot_token_id") == 2
    assert field(path, "tokenizer.ggml.add_bos_token") is False
    assert "<|im_start|>assistant" in field(path, "tokenizer.chat_template")
    assert field(path, "tokenizer.ggml.tokens")[:3] == ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    assert field(path, "tokenizer.ggml.token_type")[:4] == [3, 3, 3, 1]


@needs_shared
@pytest.mark.parametrize(("tokenizer", "expected"), [("qwen2.5", "qwen2"), ("gpt2", "gpt-2"), ("minimind", "gpt-2")])
def test_how_a_tokenizer_cuts_is_recognised(tokenizer: str, expected: str) -> None:
    from studio.data.tokenizer_files import TokenizerFiles

    found = TokenizerFiles.of(TOKENIZERS / tokenizer).tokenizer()
    assert splits.cuts_like(found, json.loads(found.to_str()), splits.probes(), "llama") == expected


def test_a_tokenizer_that_llama_cpp_would_cut_otherwise_is_refused() -> None:
    from tokenizers import Regex, Tokenizer, pre_tokenizers

    tokenizer = Tokenizer.from_file(str(Workspace(PROJECT).starter / "tokenizer.json"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex("[aeiou]"), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    with pytest.raises(InputError) as caught:
        making.vocabulary(tokenizer, making.Spoken({}, (2,), None, False), 1280, "llama")
    assert caught.value.code == "gguf_split"


def test_more_tokens_than_rows_are_refused() -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Workspace(PROJECT).starter / "tokenizer.json"))
    with pytest.raises(InputError) as caught:
        making.vocabulary(tokenizer, making.Spoken({}, (2,), None, False), 1000, "llama")
    assert caught.value.code == "gguf_vocabulary"


# ---- what is refused, and stopped ----

def test_a_family_that_the_format_lacks_is_refused_with_what_works_instead(tmp_path: Path) -> None:
    from studio.texts.errors import of_problem

    model = tmp_path / "model"
    model.mkdir()
    for path in Workspace(PROJECT).starter.iterdir():
        os.link(path, model / path.name)
    config = json.loads((model / "config.json").read_text()) | {"model_type": "phimoe"}
    (model / "config.json").unlink()
    (model / "config.json").write_text(json.dumps(config))
    problem, = form.refuse(source(model), Desk(tmp_path, gguf_type="f16").work.spec)
    assert problem.code == "gguf_family"
    assert "phimoe" in of_problem("en", problem) and "merged" in of_problem("en", problem)


def test_a_k_type_without_llama_cpp_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(making, "can_quantize", lambda: False)
    problem, = form.refuse(source(Workspace(PROJECT).starter), Desk(tmp_path, gguf_type="q4_k_m").work.spec)
    assert (problem.code, problem.field) == ("gguf_needs_llama", "gguf_type")


def test_a_stop_is_heard_between_blocks(tmp_path: Path) -> None:
    desk = Desk(tmp_path, source(Workspace(PROJECT).starter), gguf_type="q8_0")
    desk.stop_after = 7
    with pytest.raises(StopAsked):
        form.write(desk.work)


# ---- by llama.cpp ----

def heard(path: Path, texts: tuple[str, ...], rows: list[list[int]], room: Path) -> dict[str, np.ndarray]:
    """The ids and logits of llama.cpp for a file."""
    task, out = room / "task.json", room / "out.npz"
    task.write_text(json.dumps({"file": str(path), "context": 128, "texts": texts, "rows": rows}))
    done = subprocess.run([sys.executable, "-m", "tests.exports.llama_child", str(task), str(out)], cwd=PROJECT,
                          env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr[-800:]
    return dict(np.load(out))


def computed(folder: Path, rows: list[list[int]]) -> list[np.ndarray]:
    """The logits of transformers in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return [model(torch.tensor([row]), use_cache=False).logits[0].numpy() for row in rows]


def same(folder: Path, path: Path, room: Path, tolerance: float) -> None:
    """A model and its file in llama.cpp: ids of prompts and texts equal, all ends known, logits near."""
    tokenizer, told = making.spoken(source(folder), Workspace(PROJECT))
    prompts = told.prompts or TEXTS
    rows = [tokenizer.encode(text, add_special_tokens=False).ids[:60] for text in prompts]
    texts = (*prompts, *TEXTS, *splits.probes())
    found = heard(path, texts, rows, room)
    for number, text in enumerate(texts):
        assert found[f"ids{number}"].tolist() == tokenizer.encode(text, add_special_tokens=False).ids, text
    assert set(told.end_ids[:3]) <= set(found["ends"].tolist())
    far = max(float(np.abs(found[f"logits{number}"] - wanted).max() / np.abs(wanted).max())
              for number, wanted in enumerate(computed(folder, rows)))
    assert far <= tolerance


@needs_llama
@needs_shared
@pytest.mark.parametrize("kind", FAMILIES)
def test_llama_cpp_gives_the_ids_and_logits_of_transformers(kind: str, family, whole, tmp_path: Path) -> None:
    same(family(kind), whole(kind), tmp_path, 2e-3)


@needs_llama
@pytest.mark.parametrize("kind", ["f32", "f16"])
def test_the_starter_is_the_same_model_in_llama_cpp(kind: str, tmp_path: Path) -> None:
    model = Workspace(PROJECT).starter
    same(model, written(model, kind, tmp_path), tmp_path, 1e-2 if kind == "f16" else 1e-4)


@needs_llama
@needs_shared
@pytest.mark.parametrize("name", ["stories3M", "cardputer-chat-3M", "stories260K"])
def test_real_models_are_the_same_in_llama_cpp(name: str, tmp_path: Path) -> None:
    same(SHARED / "models" / name, written(SHARED / "models" / name, "f32", tmp_path), tmp_path, 2e-3)


@needs_llama
@needs_shared
def test_a_tokenizer_of_single_characters_is_kept_for_the_characters_that_it_knows(tmp_path: Path) -> None:
    model = SHARED / "models" / "zh-poem-750K"
    tokenizer, _ = making.spoken(source(model), Workspace(PROJECT))
    text = "春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。"
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    found = heard(written(model, "f32", tmp_path), (text,), [ids], tmp_path)
    assert found["ids0"].tolist() == ids
    assert np.abs(found["logits0"] - computed(model, [ids])[0]).max() < 1e-3


@needs_llama
@needs_shared
def test_chatglm2_gives_the_logits_of_its_own_code(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    stream, layout = making.plan(source(SHARED / "chatglm" / "tiny-v2"))
    tokens = [f"t{place}" for place in range(layout.vocabulary)]
    words = Vocabulary("gpt2", "gpt-2", tokens, [1] * len(tokens), None, ["t 0"], {"eos": 2}, False, False, None)
    path = tmp_path / "chatglm.gguf"
    writer.write(stream, layout, words, KINDS["f32"], path, {}, lambda *told: None, lambda: None)
    known = load_file(SHARED / "chatglm" / "v2.safetensors")
    found = heard(path, (), [known["full.input_ids"][0].tolist()], tmp_path)["logits0"]
    assert np.abs(found - known["full.logits"][0]).max() < 1e-4


@needs_shared
def test_the_first_chatglm_is_not_in_the_format() -> None:
    with pytest.raises(InputError) as caught:
        making.plan(source(SHARED / "chatglm" / "tiny-v1"))
    assert caught.value.code == "gguf_unlike"


@needs_llama
def test_a_sabotaged_file_is_not_taken_for_the_same(tmp_path: Path) -> None:
    path = written(Workspace(PROJECT).starter, "f32", tmp_path)
    import gguf

    one = next(one for one in gguf.GGUFReader(path, "r+").tensors if one.name == "blk.1.attn_output.weight")
    one.data[:] = one.data.T.copy()
    tokenizer, told = making.spoken(source(Workspace(PROJECT).starter), Workspace(PROJECT))
    rows = [tokenizer.encode(told.prompts[1], add_special_tokens=False).ids]
    found = heard(path, TEXTS, rows, tmp_path)["logits0"]
    assert np.abs(found - computed(Workspace(PROJECT).starter, rows)[0]).max() > 0.5


@needs_llama
@pytest.mark.parametrize("kind", K_TYPES)
def test_llama_cpp_makes_every_k_type(kind: str, tmp_path: Path) -> None:
    path = written(Workspace(PROJECT).starter, kind, tmp_path)
    assert sorted(one.name for one in path.parent.iterdir()) == [path.name]
    assert abs(making.sizes(source(Workspace(PROJECT).starter))[kind] - path.stat().st_size) < 0.2 * path.stat().st_size
    assert field(path, "general.file_type") == KINDS[kind].ftype


@needs_llama
def test_a_stop_ends_llama_cpp_and_leaves_nothing(tmp_path: Path) -> None:
    model = written(Workspace(PROJECT).starter, "f32", tmp_path)
    calls = []

    def stay() -> None:
        calls.append(1)
        raise StopAsked("exporting")

    with pytest.raises(StopAsked):
        quantizer.quantize(model, tmp_path / "out.gguf", KINDS["q4_k_m"], 1, tmp_path, lambda *told: None, stay)
    assert calls and not (tmp_path / "quantizer.log").exists()


@needs_llama
@pytest.mark.skipif(os.name != "posix", reason="named pipes are POSIX's")
def test_llama_cpp_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    never = tmp_path / "never.gguf"
    os.mkfifo(never)  # opening it waits for ever
    child = subprocess.Popen([sys.executable, "-m", "studio.exports.gguf.quantizer", str(never), str(tmp_path / "x"),
                              "15", "1"], cwd=PROJECT, stdin=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(3)
    child.stdin.close()
    assert child.wait(30) == 1


def test_the_talks_that_are_compared_end_with_a_question() -> None:
    assert all(len(talk) % 2 for talk in splits.talks())
    assert Message("user", splits.talks()[0][0]).role == "user"


def test_a_template_is_written_without_the_tag_that_others_do_not_know(tmp_path: Path) -> None:
    from studio.data.jinja import compiled

    root = Workspace(tmp_path)
    source_text = ("{%- for m in messages %}\n<|im_start|>{{ m.role }}\n{%- generation %}\n{{ m.content }}<|im_end|>\n"
                   "{%- endgeneration %}\n{%- endfor %}")
    folder = root.data / "templates"
    folder.mkdir(parents=True)
    (folder / "mine.jinja").write_text(source_text)
    desk = Desk(tmp_path, Source("starter", Workspace(PROJECT).starter, "starter", template="mine"), gguf_type="f16")
    form.write(desk.work)
    found = field(form.opened(desk.work.into), "tokenizer.chat_template")
    assert "generation" not in found
    talk = [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]
    assert compiled(found)(messages=talk) == compiled(source_text)(messages=talk)


@pytest.mark.parametrize("page", ["gguf.md", "gguf_zh.md"])
def test_the_table_names_every_family_and_type(page: str) -> None:
    from studio.exports.gguf.layout import FAMILIES as KNOWN

    text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
    header = next(line for line in text.splitlines() if line.startswith("| | F32"))
    assert [one.strip() for one in header.strip("|").split("|")][1:] == [name.upper() for name in KINDS]
    rows = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")}
    assert set(KNOWN) - {"chatglm"} <= rows and "ChatGLM2" in text
    assert all(f"`{name}`" in text for name in KINDS)


@needs_llama
def test_what_llama_cpp_cannot_make_is_told_with_its_words(tmp_path: Path) -> None:
    from studio.errors import WorkError
    from studio.texts.errors import of_error

    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(WorkError) as caught:
        quantizer.quantize(broken, tmp_path / "x.gguf", KINDS["q4_k_m"], 1, tmp_path, lambda *told: None, lambda: None)
    assert "q4_k_m" in of_error("en", caught.value) and len(of_error("zh", caught.value)) > 20
