"""The server beside its peers: `chat.py [adapters] [stream] [turns] [crowd] [page] [--rounds N]`.

adapters  three adapters of one base answer at once: CPU and memory beside three LLaMA-Factory servers (60 million)
stream    one greedy answer over HTTP beside transformers' `generate` in a process of its own, float32 (60 million)
turns     the first token of a conversation's second turn beside that of its first, of 1,000 tokens (60 million)
crowd     32 requests at once beside the same one after another (the starter)
page      what the Chat tab's process uses while four lanes stream into a browser, beside the engine (60 million)

Contestants run in turn in every round, one OpenMP thread each; a ratio is of one round, and the median counts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from materials import adapter, model
from measure import PROJECT, PYTHON, Skipped, environment
from serving import Server, ask_in, at_once, browsed, cores, llamafactory, studio, user

SIZE, TOKENS, LANES, CROWD, STREAMED = "small", 65, 3, 32, 256
QUESTION = "Explain to a friend who has never seen one how a tide pool works, and why the animals do not dry out. " * 4
WORDS = "the sea gives and takes what it gave while the tide comes in over the stones and goes again "
TOKENS_OF_WORDS, LONG = 38, 1000


@dataclass
class Figure:
    """One ratio with what is wanted of it: at least (`>=`) or at most (`<=`) so much."""

    name: str
    sign: str
    wanted: float
    rounds: list[float] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    def add(self, ratio: float, parts: str) -> None:
        self.rounds.append(ratio)
        self.parts.append(parts)

    def line(self) -> str:
        median = statistics.median(self.rounds)
        kept = median >= self.wanted if self.sign == ">=" else median <= self.wanted
        said = " / ".join(f"{one:.2f}" for one in self.rounds)
        verdict = f"{self.sign} {self.wanted:g}: {'kept' if kept else 'missed'}"
        return f"| {self.name} | {median:.2f} | {verdict} | {said} | {'; '.join(self.parts)} |"


FIGURES = {
    "three": Figure("three adapters at once, tokens per CPU-second beside three LLaMA-Factory servers", ">=", 2),
    "memory": Figure("memory beside that of one LLaMA-Factory server", "<=", 1.25),
    "single": Figure("one stream, tokens per CPU-second beside `generate`", ">=", 1),
    "wall": Figure("one stream, tokens per second beside `generate`", ">=", 1),
    "first": Figure("time to the first token beside `generate`", "<=", 1),
    "second": Figure("first token of the second turn beside the first's, 1,000 tokens", "<=", 0.2),
    "crowd": Figure("32 at once beside one after another, tokens per second", ">=", 4),
    "crowd_cpu": Figure("the same in tokens per CPU-second", ">=", 4),
    "page": Figure("CPU of the page beside the engine's, four lanes streaming", "<=", 0.3),
}


def adapters(scratch: Path) -> None:
    """Three lanes at once: CPU per token and memory."""
    folders = [adapter(SIZE, number) for number in range(LANES)]
    asked = {"model_name_or_path": str(model(SIZE)), "adapter_name_or_path": [str(folder) for folder in folders]}
    recipe = scratch / "serve.yaml"
    recipe.write_text(json.dumps(asked))
    with studio(scratch, recipe) as server:
        names = [name for name in server.models() if name != "base"]
        own, own_memory, _ = _three([(server, name) for name in names])
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(llamafactory(model(SIZE), folder, number))
                   for number, folder in enumerate(folders)]
        peer, _, one_memory = _three([(server, server.models()[0]) for server in servers])
    FIGURES["three"].add(own / peer, f"{1000 / own:.1f} and {1000 / peer:.1f} CPU-ms/token")
    FIGURES["memory"].add(own_memory / one_memory, f"{own_memory:.0f} and {one_memory:.0f} MB")


def _three(lanes: list[tuple[Server, str]]) -> tuple[float, float, float]:
    """(tokens per CPU-second, memory of all servers, memory of one)."""
    servers = list({server.port: server for server, _ in lanes}.values())
    for server, name in lanes:
        server.ask(name, user("warm"), 4)
    before = sum(server.cpu_seconds() for server in servers)
    replies = at_once([lambda server=server, name=name: server.ask(name, user(QUESTION), TOKENS)
                       for server, name in lanes])
    spent = sum(server.cpu_seconds() for server in servers) - before
    sizes = [server.megabytes() for server in servers]
    return sum(reply.tokens for reply in replies) / spent, sum(sizes), sizes[0]


def stream(scratch: Path) -> None:
    """One answer at a time: after the first token, and to it."""
    with studio(scratch, model(SIZE), "compute_type=fp32") as server:
        own = _alone(lambda text, count: server.ask("base", user(text), count).tokens, server.cpu_seconds)
    done = subprocess.run([PYTHON, __file__, "--generate", str(model(SIZE))], env=environment(), capture_output=True,
                          text=True)
    if done.returncode:
        raise Skipped(done.stderr.strip()[-250:])
    peer = json.loads(done.stdout.splitlines()[-1])
    FIGURES["single"].add(peer["cpu"] / own["cpu"], f"{own['cpu']:.1f} and {peer['cpu']:.1f} CPU-ms/token")
    FIGURES["wall"].add(peer["wall"] / own["wall"], f"{own['wall']:.1f} and {peer['wall']:.1f} ms/token")
    FIGURES["first"].add(own["first"] / peer["first"], f"{own['first']:.0f} and {peer['first']:.0f} ms")


def _alone(answer: Callable[[str, int], int], cpu_seconds: Callable[[], float], times: int = 5) -> dict[str, float]:
    """Milliseconds a token (wall, CPU) and to the first token; each question begins otherwise, so nothing is reused."""
    answer(f"warm {QUESTION}", 4)
    firsts, walls, costs = [], [], []
    for number in range(times):
        began, spent = time.perf_counter(), cpu_seconds()
        answer(f"{number} {QUESTION}", 1)
        firsts.append((time.perf_counter() - began, cpu_seconds() - spent))
        began, spent = time.perf_counter(), cpu_seconds()
        count = answer(f"{number + 50} {QUESTION}", TOKENS)
        walls.append((time.perf_counter() - began - firsts[-1][0]) / (count - 1))
        costs.append((cpu_seconds() - spent - firsts[-1][1]) / (count - 1))
    return {"first": 1000 * statistics.median(one for one, _ in firsts), "wall": 1000 * statistics.median(walls),
            "cpu": 1000 * statistics.median(costs)}


def generate(folder: str) -> None:
    """transformers' own generate on the same prompts; prints the figures."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def answer(text: str, count: int) -> int:
        prompt = tokenizer.apply_chat_template(user(text), add_generation_prompt=True, tokenize=False)
        batch = tokenizer(prompt, return_tensors="pt")
        with torch.inference_mode():
            said = loaded.generate(**batch, max_new_tokens=count, do_sample=False)
        return int(said.shape[1] - batch["input_ids"].shape[1])

    print(json.dumps(_alone(answer, time.process_time)))


def turns(scratch: Path) -> None:
    """A conversation whose first turn has 1,000 tokens, and its second."""
    with studio(scratch, model(SIZE)) as server:
        server.ask("base", user("warm"), 4)
        text = WORDS * (LONG // TOKENS_OF_WORDS)
        first, second, reused = [], [], 0
        for number in range(3):
            talk = user(f"{number} {text}")
            first.append(server.ask("base", talk, 1).seconds)
            said = server.ask("base", talk, 16)
            talk += [{"role": "assistant", "content": said.text}, {"role": "user", "content": "and then what?"}]
            reply = server.ask("base", talk, 1)
            second.append(reply.seconds)
            reused = reply.reused
    one, two = statistics.median(first), statistics.median(second)
    FIGURES["second"].add(two / one, f"{1000 * two:.0f} and {1000 * one:.0f} ms, {reused} tokens reused")


def crowd(scratch: Path) -> None:
    """Many short questions to the starter, each answered with as many tokens."""
    end = json.loads((PROJECT / "data" / "starter" / "config.json").read_text())["eos_token_id"]
    ends = {str(one): -100 for one in (end if isinstance(end, list) else [end])}
    with studio(scratch, "starter") as server:
        def ask(number: int) -> int:
            return server.ask("base", user(f"{number + 10} + {number + 20} = ?"), TOKENS, logit_bias=ends).tokens

        ask(0)
        rates = []
        for every in (lambda: [ask(number) for number in range(CROWD)],
                      lambda: at_once([lambda number=number: ask(number + CROWD) for number in range(CROWD)])):
            began, spent = time.perf_counter(), server.cpu_seconds()
            count = sum(every())
            rates.append((count / (time.perf_counter() - began), count / (server.cpu_seconds() - spent)))
    (alone, alone_cpu), (together, together_cpu) = rates
    FIGURES["crowd"].add(together / alone, f"{together:.0f} and {alone:.0f} tokens/s")
    FIGURES["crowd_cpu"].add(together_cpu / alone_cpu, f"{together_cpu:.0f} and {alone_cpu:.0f} tokens/CPU-s")


def page(scratch: Path) -> None:
    """Four lanes stream into the Chat tab; the browser's own work is not counted."""
    from studio.chats.shelf import Shelf
    from studio.workspace import Workspace

    lanes = [str(model(SIZE)), *(str(adapter(SIZE, number)) for number in range(LANES))]
    conversation = Shelf(Workspace(scratch)).create(lanes=lanes)
    conversation.settle(sampling={"max_tokens": STREAMED, "temperature": 0.0})
    with browsed(scratch, f"?tab=chat&chat={conversation.id}") as (server, tab):
        ask_in(tab, "warm")
        own, engine = server.cpu_parts()
        count = ask_in(tab, QUESTION)
        own, engine = (after - before for after, before in zip(server.cpu_parts(), (own, engine), strict=True))
    FIGURES["page"].add(own / engine, f"{own:.1f} and {engine:.1f} CPU-s, {count} answers of {STREAMED} tokens")


MEASURES = {"adapters": adapters, "stream": stream, "turns": turns, "crowd": crowd, "page": page}


def main(arguments: list[str]) -> None:
    """Run the measures in turn, round after round, and print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("measures", nargs="*", choices=[*MEASURES, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    skipped: dict[str, str] = {}
    for number in range(options.rounds):
        for name in options.measures or MEASURES:
            if name not in skipped:
                with tempfile.TemporaryDirectory() as scratch:
                    try:
                        MEASURES[name](Path(scratch))
                    except Skipped as why:
                        skipped[name] = str(why)
            print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
    print("\n| what | ratio | wanted | rounds | of |\n| --- | ---: | --- | --- | --- |")
    for figure in FIGURES.values():
        if figure.rounds:
            print(figure.line())
    for name, why in skipped.items():
        print(f"| {name} | skipped: {why} | | | |")
    print(f"\n{cores()}; CPU-seconds: user + system of the server's whole tree.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--generate"]:
        generate(sys.argv[2])
    else:
        main(sys.argv[1:])
