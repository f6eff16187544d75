"""A judge in an evaluation: what it will cost is said first, then it judges the user's votes and the answers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from studio.chats.client import Address
from studio.engine.job import Job
from studio.errors import StopAsked, StudioError
from studio.scores import judge, judging, jury
from studio.scores.browse import Predictions
from studio.scores.judge import COMPARE, Call, Case, Verdicts
from studio.scores.judging import Bench
from studio.scores.predictions import NAME

KEYS = ("JUDGE_API_KEY", "OPENAI_API_KEY")


def ask(job: Job, names: Sequence[str]) -> None:
    """Have the judge look at what was answered and write judge.json; what goes wrong is said, raises only StopAsked."""
    try:
        _ask(job, names)
    except StopAsked:
        raise
    except StudioError as error:  # the scores do not depend on a judge
        job.recorder.say("judge_failed", code=error.code, reason=str(error.values.get("reason") or "–"))


def bench_of(spec: Any, lang: str) -> Bench:
    """Where the judge of a spec sits; its key comes from the environment alone."""
    url, _, model = spec.judge.partition("#")
    key = next(filter(None, (os.environ.get(name) for name in KEYS)), "")
    return Bench(Address(url, key), model, spec.judge_rubric or "", lang, seed=spec.seed)


def _ask(job: Job, names: Sequence[str]) -> None:
    spec, recorder = job.spec, job.recorder
    bench = bench_of(spec, recorder.lang)
    predictions = Predictions(job.folder.results / NAME)
    rows = jury.chosen(predictions, names, spec.judge_rows, spec.seed)
    compares = spec.judge_mode == COMPARE and len(names) > 1
    votes, said = jury.voted(job.workspace) if compares else ([], {})
    parts = {other: jury.compared(predictions, names[0], other, rows) for other in names[1:]} if compares \
        else {name: jury.rated(predictions, name, rows) for name in names}
    cases: list[Case] = [*votes, *(case for part in parts.values() for case in part)]
    equal = jury.same(cases)
    calls: list[Call] = [call for case in cases for call in case.calls if call.key not in equal]
    cost = judge.expected(calls, bench.rubric, bench.lang, spec.judge_price)
    recorder.say("judge_cost", calls=cost.calls, read=cost.tokens_in, written=cost.tokens_out,
                 money="–" if cost.money is None else f"{cost.money:.2f}")
    recorder.phase("judging", eta_seconds=None)
    judged = judging.ask(bench, calls, job.folder.results / judge.CALLS, job.stop.asked,
                         lambda done, of: recorder.progress(done=done, of=of))
    found = judged | equal
    verdicts = Verdicts(spec.judge, COMPARE if compares else judge.RATE, bench.rubric or judge.own_rubric(bench.lang),
                        len(rows), judge.spent(judged.values(), spec.judge_price))
    if compares:
        verdicts.bouts = tuple(judge.bout(names[0], other, part, found) for other, part in parts.items())
        verdicts.agreement = jury.trust(votes, said, found) if votes else None
    else:
        ratings = {name: judge.rating(part, found) for name, part in parts.items()}
        verdicts.ratings = {name: one for name, (one, _) in ratings.items()}
        verdicts.missing = {name: missing for name, (_, missing) in ratings.items()}
    judge.write(job.folder.results, verdicts)
