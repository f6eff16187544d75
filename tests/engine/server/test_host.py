"""What a host does with messages: turns, cancels, choices, beams, embeddings, checkpoints that come and go."""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.engine import loading, numerics
from studio.engine.server.model import without_gradients
from studio.errors import InputError, WorkError
from studio.workspace import PROJECT, Workspace
from tests.engine.server.hosting import Desk, adapter, greedy, loaded, with_peft
from tests.engine.server.test_batch import wild
from tests.engine.workbench import make_model, shared_model

LONG = [(7 * k + 5) % 1200 + 3 for k in range(120)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny Llama whose words vary."""
    folder = tmp_path_factory.mktemp("base")
    return wild(make_model(folder, "llama", num_key_value_heads=2, tie_word_embeddings=False))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model whose attention cannot be exchanged."""
    return wild(make_model(tmp_path_factory.mktemp("other"), "gpt_neo", num_layers=2, window_size=8, num_heads=4,
                           attention_types=[[["global", "local"], 1]], tie_word_embeddings=False))


@pytest.fixture(scope="module")
def low(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A low-rank checkpoint."""
    return adapter(base, tmp_path_factory.mktemp("low") / "low", seed=1)


@pytest.fixture
def desk(a_desk: Desk) -> Desk:
    """The same model for all tests, nothing said yet."""
    a_desk.said.clear()
    return a_desk


@pytest.fixture(scope="module", params=["together", "alone"])
def a_desk(request: pytest.FixtureRequest, base: str, other: str) -> Desk:
    """A model that is run in one batch, and one that is run row by row."""
    made = Desk.of(base if request.param == "together" else other)
    assert made.model.ready["one_batch"] is (request.param == "together")
    return made


# ---- turns ----

def test_the_second_turn_reads_only_what_is_new(desk: Desk) -> None:
    first = desk.answer(LONG)
    second = [*LONG, *first, 8, 9, 10, 11]
    before = desk.model.scheduler.counts.read
    answer = desk.answer(second)
    assert desk.model.scheduler.counts.read - before == 5  # the last token said was not read yet
    assert desk.said[-1]["done"]["reused_tokens"] == len(second) - 5
    assert answer == greedy(loaded(str(desk.model.config.base)), second)


def test_an_edited_turn_goes_on_from_what_has_stayed(desk: Desk) -> None:
    desk.answer([*LONG, 40, 41, 42])
    edited = [*LONG, 77, 78]
    assert desk.answer(edited) == greedy(loaded(str(desk.model.config.base)), edited)


def test_kept_texts_stay_within_their_bytes(base: str) -> None:
    desk = Desk.of(base, cache_bytes=100_000)
    for start in range(12):
        desk.answer([start + 3, *LONG[:60]], max_tokens=2)
    kept = desk.model.scheduler.kept
    assert 0 < kept.bytes <= 100_000
    assert len(kept) < 12
    assert sum(one.bytes for one in kept._kept.values()) == kept.bytes


def test_no_cache_means_no_reuse(base: str) -> None:
    desk = Desk.of(base, cache_bytes=0)
    desk.answer(LONG)
    desk.answer(LONG)
    assert desk.said[-1]["done"]["reused_tokens"] == 0


# ---- places ----

def test_a_cancelled_row_frees_its_place_before_the_next_token(desk: Desk) -> None:
    desk.ask("a", LONG[:20], max_tokens=200)
    desk.ask("b", LONG[:10], max_tokens=30)
    rows: list[int] = []
    desk.work({5: functools.partial(desk.tell, do="cancel", id="a"),
               6: lambda: rows.append(len(desk.model.scheduler.rows))})
    assert rows == [1]
    assert desk.done("a")["reason"] == "cancelled"
    assert desk.done("a")["tokens"] < 6
    assert desk.tokens("b") == greedy(loaded(str(desk.model.config.base)), LONG[:10], 30)


def test_more_than_there_are_places_for_wait_and_are_all_answered(base: str) -> None:
    desk = Desk.of(base, max_lanes=3)
    most = []
    for number in range(10):
        desk.ask(number, LONG[number:number + 9], max_tokens=3 + number % 4)
    while desk.model.scheduler.busy:
        with without_gradients():
            desk.model.scheduler.step()
        most.append(len(desk.model.scheduler.rows))
    assert max(most) == 3
    alone = loaded(base)
    for number in range(10):
        assert desk.tokens(number) == greedy(alone, LONG[number:number + 9], 3 + number % 4)


def test_the_memory_of_rows_grows_with_them_and_is_given_back(base: str) -> None:
    desk = Desk.of(base, cache_bytes=0)
    slots = desk.model.runner.slots
    a_row = 128 * slots.bytes_per_token
    sizes = []
    for number in range(9):
        desk.ask(number, LONG[:20], max_tokens=5 + number)
    while desk.model.scheduler.busy:
        with without_gradients():
            desk.model.scheduler.step()
        sizes.append(slots.bytes / a_row)
    assert max(sizes) <= 16
    assert slots.bytes == 0
    desk.answer(LONG, max_tokens=100)
    assert slots.bytes == 0


def test_what_waits_can_be_cancelled(base: str) -> None:
    desk = Desk.of(base, max_lanes=1)
    desk.ask("first", LONG[:5])
    desk.ask("second", LONG[:5], n=2)
    desk.tell(do="cancel", id="second")
    desk.work()
    assert [desk.done("second", choice)["tokens"] for choice in (0, 1)] == [0, 0]
    assert len(desk.tokens("first")) == 12


# ---- what is asked ----

def test_several_choices_share_the_reading_of_their_prompt(desk: Desk) -> None:
    before = desk.model.scheduler.counts.read
    prompt = [13, *LONG]
    desk.ask("n", prompt, n=3, sampling={"temperature": 1.5, "seed": 4})
    desk.work()
    answers = [tuple(desk.tokens("n", choice)) for choice in range(3)]
    assert desk.model.scheduler.counts.read - before == len(prompt)
    assert len(set(answers)) == 3
    desk.ask("again", prompt, n=3, sampling={"temperature": 1.5, "seed": 4})
    desk.ask("beside", LONG[:7], sampling={"temperature": 1.5, "seed": 9})
    desk.work()
    assert [tuple(desk.tokens("again", choice)) for choice in range(3)] == answers


def test_beams_are_those_of_generate(desk: Desk) -> None:
    model = loaded(str(desk.model.config.base))
    desk.ask("beside", LONG[:30])
    desk.ask("beams", LONG[:9], num_beams=3, n=2, end_ids=[2])
    desk.work()
    with torch.no_grad():
        model.generation_config.eos_token_id = 2
        row = torch.tensor([LONG[:9]])
        wanted = model.generate(row, attention_mask=torch.ones_like(row), num_beams=3, num_return_sequences=2,
                                do_sample=False, max_new_tokens=12, pad_token_id=0)[:, 9:]
    for choice in (0, 1):
        said = desk.tokens("beams", choice)
        assert said == [one for one in wanted[choice].tolist() if one not in (0, 2)][:len(said)]
    assert len(desk.tokens("beams")) >= 1
    assert desk.tokens("beside") == greedy(model, LONG[:30])


def test_chances_of_a_prompt_are_those_of_the_model(desk: Desk) -> None:
    prompt = [17, *LONG[:80]]
    desk.ask("echo", prompt, max_tokens=0, prompt_logprobs=True, logprobs=2)
    desk.work()
    said = next(one["prompt"] for one in desk.said if one.get("prompt", {}).get("id") == "echo")["logprobs"]
    with torch.no_grad():
        wanted = loaded(str(desk.model.config.base))(torch.tensor([prompt])).logits[0].log_softmax(-1)
    assert said[0] is None
    assert len(said) == len(prompt)
    for place, (token, _, chance, tops) in enumerate(said[1:], 1):
        assert token == prompt[place]
        assert chance == pytest.approx(float(wanted[place - 1, token]), abs=1e-4)
        assert len(tops) == 2
    assert desk.done("echo")["reason"] == "length"
    assert not desk.tokens("echo")


def test_an_answer_can_begin_with_given_tokens(desk: Desk) -> None:
    whole = desk.answer(LONG[:9])
    desk.ask("goes on", LONG[:9], prefix_ids=whole[:5], max_tokens=7, logprobs=1)
    desk.work()
    assert desk.tokens("goes on") == whole
    chances = [entry[4] for one in desk.said for entry in one.get("tokens", ()) if entry[0] == "goes on"]
    assert all(isinstance(one, float) for one in chances)
    assert desk.done("goes on")["tokens"] == 7


def test_an_answer_ends_at_an_end_token_and_at_a_stop_string(desk: Desk) -> None:
    whole = desk.answer(LONG[:11])
    desk.ask("ends", LONG[:11], end_ids=[whole[4]])
    desk.ask("whole", LONG[:11])
    desk.work()
    said = desk.tokens("ends")
    assert said in (whole[:4], whole[:5])  # the end token is there only when it brings half a character's rest
    assert desk.done("ends")["tokens"] == 4
    assert desk.done("ends")["reason"] == "stop"
    text = desk.text("whole")
    desk.ask("stops", LONG[:11], stop=[text[6:8]])
    desk.work()
    assert desk.text("stops") == text[:text.index(text[6:8])]
    assert desk.done("stops")["reason"] == "stop_text"


def test_embeddings_are_means_of_unit_length(desk: Desk) -> None:
    desk.tell(do="embed", id="e", rows=[LONG[:9], LONG[:40]])
    rows = desk.said[-1]["embedding"]["rows"]
    with torch.no_grad():
        model = loaded(str(desk.model.config.base))
        for row, ids in zip(rows, (LONG[:9], LONG[:40]), strict=True):
            mean = model.get_decoder()(torch.tensor([ids])).last_hidden_state[0].mean(0)
            assert torch.allclose(torch.tensor(row), mean / mean.norm(), atol=1e-4)


def test_a_grammar_holds_beside_rows_that_have_none(desk: Desk) -> None:
    desk.ask("json", LONG[:9], grammar={"type": "regex", "regex": "[0-9]{3}"}, end_ids=[2], max_tokens=20)
    desk.ask("free", LONG[:9])
    desk.work()
    assert desk.text("json").isdigit()
    assert len(desk.text("json")) == 3
    assert desk.tokens("free") == greedy(loaded(str(desk.model.config.base)), LONG[:9])


# ---- checkpoints ----

def test_a_checkpoint_comes_and_goes_while_others_answer(base: str, low: Path) -> None:
    desk = Desk.of(base)
    desk.ask("base", LONG[:30], max_tokens=40)
    desk.work({5: functools.partial(desk.load, "low", low), 6: functools.partial(desk.ask, "low", LONG[:9], "low"),
               12: functools.partial(desk.tell, do="unload", lane="low")})
    assert desk.tokens("base") == greedy(loaded(base), LONG[:30], 40)
    assert desk.done("low")["reason"] == "cancelled"
    with pytest.raises(InputError, match="lane_not_loaded"):
        desk.ask("again", LONG[:9], "low")
    assert not any(type(module).__name__ == "Many" for module in desk.model.network.modules())


def test_a_checkpoint_loaded_anew_forgets_what_the_old_one_computed(base: str, low: Path, tmp_path: Path) -> None:
    desk = Desk.of(base)
    folder = tmp_path / "changing"
    shutil.copytree(low, folder)
    first = desk.load("it", folder)
    old = desk.answer(LONG, "it")
    shutil.rmtree(folder)
    second = desk.load("it", adapter(base, folder, seed=9))
    new = desk.answer(LONG, "it")
    assert desk.said[-1]["done"]["reused_tokens"] == 0
    assert old != new
    assert first["hash"] != second["hash"]


def test_two_names_of_the_same_weights_are_said(base: str, low: Path, tmp_path: Path) -> None:
    desk = Desk.of(base)
    assert desk.load("one", low)["same_as"] is None
    shutil.copytree(low, tmp_path / "copy")
    assert desk.load("two", tmp_path / "copy")["same_as"] == "one"


def test_a_checkpoint_that_changes_nothing_is_said(base: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = adapter(base, tmp_path / "idle", seed=1)
    weights = load_file(folder / "adapter_model.safetensors")
    save_file({name: value * 0 if "lora_B" in name else value for name, value in weights.items()},
              folder / "adapter_model.safetensors")
    assert Desk.of(base).load("idle", folder)["changes_logits"] is False


def narrower(folder: Path, base: str, low: Path) -> None:
    """Of a base of another width."""
    shutil.rmtree(folder)
    adapter(make_model(folder.parent / "narrow", "llama", hidden_size=16, intermediate_size=32), folder, seed=1)


def deeper(folder: Path, base: str, low: Path) -> None:
    """Of a base with more layers."""
    shutil.rmtree(folder)
    adapter(make_model(folder.parent / "deep", "llama", num_hidden_layers=3, num_key_value_heads=2), folder, seed=1)


def cut(folder: Path, base: str, low: Path) -> None:
    """Half-written."""
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])


def said(folder: Path, **more: Any) -> None:
    """Its configuration says something else."""
    config = folder / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **more}))


@pytest.mark.parametrize(("harm", "code"), [
    (narrower, "adapter_mismatch"), (deeper, "adapter_mismatch"), (cut, "adapter_missing"),
    (lambda folder, *_: (folder / "adapter_config.json").unlink(), "adapter_missing"),
    (lambda folder, *_: said(folder, peft_type="IA3"), "adapter_kind"),
    (lambda folder, *_: said(folder, lora_bias=True), "adapter_feature"),
])
def test_a_checkpoint_that_does_not_fit_is_refused_and_nothing_changes(
        base: str, low: Path, tmp_path: Path, harm: Callable[[Path, str, Path], None], code: str) -> None:
    folder = tmp_path / "it"
    shutil.copytree(low, folder)
    desk = Desk.of(base)
    desk.load("it", folder)
    before = desk.answer(LONG[:9], "it")
    harm(folder, base, low)
    with pytest.raises(InputError, match=code):
        desk.load("it", folder)
    with pytest.raises(InputError, match=code):
        desk.load("new", folder)
    assert desk.answer(LONG[:9], "it") == before
    assert desk.answer(LONG[:9]) == greedy(loaded(base), LONG[:9])


def test_a_checkpoint_that_is_being_written_is_refused(base: str, low: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / "step-3"
    shutil.copytree(low, folder)
    desk = Desk.of(base)
    with pytest.raises(InputError, match="checkpoint_incomplete"):
        desk.load("it", folder)
    (folder / "complete").touch()
    assert desk.load("it", folder)["state"] == "loaded"


# ---- bad input, no memory ----

def test_ids_and_lengths_that_cannot_be_are_refused(base: str) -> None:
    desk = Desk.of(base, context=64)
    for ids, code in (([], "answer_ids"), ([-1], "answer_ids"), ([10**7], "answer_ids"),
                      (LONG[:64], "prompt_too_long_for_context")):
        with pytest.raises(InputError, match=code):
            desk.ask("bad", ids)
    desk.ask("short", LONG[:60], max_tokens=50)
    desk.work()
    assert len(desk.tokens("short")) == 4
    assert desk.done("short")["reason"] == "length"


def test_a_model_that_does_not_fit_is_refused_before_it_is_read(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.engine.server import checks

    monkeypatch.setattr(checks, "available_bytes", lambda: 1000)
    with pytest.raises(WorkError, match="lane_memory_short"):
        Desk.of(base)


def test_an_answer_for_which_there_is_no_memory_is_refused_and_the_rest_goes_on(
        base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.engine.server import scheduler

    desk = Desk.of(base)
    a_token = desk.model.runner.bytes_per_token
    monkeypatch.setattr(scheduler, "available_bytes", lambda: 4000 * a_token)
    desk.ask("too long", LONG[:9], max_tokens=200, n=30)
    desk.ask("short", LONG[:9])
    monkeypatch.setattr(desk.model.scheduler, "_memory", lambda request, choices: {
        "needed": choices * request.max_tokens, "free": 1000})
    desk.work()
    errors = [one["error"] for one in desk.said if "error" in one]
    assert [one["code"] for one in errors] == ["rows_memory_short"]
    assert desk.tokens("short") == greedy(loaded(base), LONG[:9])


def test_a_step_for_which_there_is_no_memory_ends_the_reader_and_not_the_speakers(
        base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk.of(base)
    run = desk.model.runner.run

    def short(pieces: Any) -> Any:
        if any(len(piece.ids) > 20 for piece in pieces):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return run(pieces)

    monkeypatch.setattr(desk.model.runner, "run", short)
    desk.ask("speaks", LONG[:9], max_tokens=30)
    desk.work({4: functools.partial(desk.ask, "reads", LONG)})
    assert [one["error"]["code"] for one in desk.said if "error" in one] == ["out_of_memory"]
    assert desk.tokens("speaks") == greedy(loaded(base), LONG[:9], 30)
    assert not desk.model.scheduler.rows


def test_after_many_requests_and_cancels_at_random_no_place_and_no_byte_is_lost(base: str, low: Path) -> None:
    desk = Desk.of(base, max_lanes=7, cache_bytes=400_000)
    desk.load("low", low)
    dice = random.Random(3)
    asked: dict[int, tuple[str, list[int], int]] = {}
    cancelled: set[int] = set()
    number = 0
    while number < 120 or desk.model.scheduler.busy:
        if number < 120 and dice.random() < 0.5:
            start, lane = dice.randrange(60), dice.choice(["", "low"])
            ids, most = LONG[start:start + dice.randrange(1, 60)], dice.randrange(1, 15)
            beams = 2 if dice.random() < 0.1 else 1
            desk.ask(number, ids, lane, max_tokens=most, n=dice.choice([1, 1, 1, 2]), num_beams=beams)
            if beams == 1:
                asked[number] = (lane, ids, most)
            number += 1
        if number and dice.random() < 0.08:
            gone = dice.randrange(number)
            cancelled.add(gone)
            desk.tell(do="cancel", id=gone)
        with without_gradients():
            desk.model.scheduler.step()
    scheduler = desk.model.scheduler
    assert not scheduler.rows
    assert not scheduler.waiting
    assert desk.model.runner.slots.bytes == 0
    assert scheduler.kept.bytes <= 400_000
    assert not [one for one in desk.said if "error" in one]
    alone = {"": loaded(base), "low": with_peft(base, low)}
    for one in dice.sample(sorted(set(asked) - cancelled), 25):
        lane, ids, most = asked[one]
        assert desk.tokens(one) == greedy(alone[lane], ids, most), one


@pytest.mark.parametrize("bits", [4, 8])
def test_a_model_in_fewer_bits_says_in_a_batch_what_it_says_alone(bits: int) -> None:
    starter = Workspace(PROJECT).starter
    desk = Desk.of(starter, quantization_bit=bits)
    assert desk.model.ready["quantization"] == bits
    assert desk.model.ready["bytes"] < 0.5 * 4 * int(desk.model.ready["parameters"])
    alone = loading.load_model(loading.Wanted(starter, "it", quantization_bit=bits), numerics.serving("fp32", 1)).eval()
    for number in range(3):
        desk.ask(number, LONG[number:number + 5 + 9 * number])
    desk.work()
    for number in range(3):
        assert desk.tokens(number) == greedy(alone, LONG[number:number + 5 + 9 * number])


# ---- real models ----

def test_the_starter_in_a_batch_says_what_it_says_alone() -> None:
    starter = str(Workspace(PROJECT).starter)
    desk, model = Desk.of(starter), loaded(starter)
    prompts = [LONG[k:k + 4 + 9 * k] for k in range(6)]
    for number, prompt in enumerate(prompts):
        desk.ask(number, prompt, max_tokens=20)
    desk.work()
    for number, prompt in enumerate(prompts):
        assert desk.tokens(number) == greedy(model, prompt, 20)


def test_a_published_small_chat_model_says_what_it_says_alone() -> None:
    base = shared_model("cardputer-chat-3M")
    desk, model = Desk.of(base), loaded(base)
    prompts = [LONG[:5], LONG[40:90], LONG[3:14]]
    for number, prompt in enumerate(prompts):
        desk.ask(number, prompt)
    desk.work()
    for number, prompt in enumerate(prompts):
        assert desk.tokens(number) == greedy(model, prompt)


# ---- the process ----

def test_the_process_speaks_lines_of_json_and_ends_with_its_stdin(base: str, low: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"base": base, "name": "it", "compute_type": "fp32", "cpu_threads": 1}))
    messages = [{"do": "load", "lane": "low", "folder": str(low), "kind": "lora"},
                {"do": "answer", "id": 1, "lane": "low", "ids": LONG[:9], "max_tokens": 3,
                 "sampling": {"temperature": 0}},
                {"do": "dance"}, {"do": "answer", "id": 2, "ids": []}, {"do": "look"}]
    environment = {**os.environ, "STUDIO_ROOT": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen([sys.executable, "-m", "studio.engine", "host", str(config)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=PROJECT) as host:
        assert host.stdin is not None
        assert host.stdout is not None
        host.stdin.write("".join(json.dumps(one) + "\n" for one in messages).encode() + b"no json\n")
        host.stdin.flush()
        said: list[dict[str, Any]] = []
        while not any("done" in one for one in said):
            said.append(json.loads(host.stdout.readline()))
        host.stdin.close()
        assert host.wait(20) == 0
    assert list(said[0]) == ["ready"]
    assert len(said[0]["ready"]["base_hash"]) == 64
    assert said[1]["lane"] == "low"
    assert said[2]["failed"]["code"] == "host_message"
    assert said[3]["error"]["code"] == "answer_ids"
    assert said[4]["stats"]["waiting"] == 1
    assert len([entry for one in said for entry in one.get("tokens", ())]) == 3
    assert (tmp_path / ".cache" / "hashes").is_dir()


def test_a_base_that_cannot_be_loaded_is_said_and_the_process_ends(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"base": str(tmp_path / "nothing"), "name": "it"}))
    done = subprocess.run([sys.executable, "-m", "studio.engine", "host", str(config)], input=b"", timeout=60,
                          capture_output=True, cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)}, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["failed"]["code"] == "model_missing"
