"""Who is judged: the answers of an evaluation, and the user's own votes, by which a judge is judged first."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from studio.chats import votes
from studio.chats.asking import history
from studio.chats.shelf import Shelf
from studio.chats.tree import Answer
from studio.scores import judge
from studio.scores.browse import Predictions
from studio.scores.judge import FIRST, SECOND, TIE, Case, Judged
from studio.scores.kappa import Agreement, agreement
from studio.scores.predictions import Prediction
from studio.workspace import Workspace

MOST_VOTES = 40


def chosen(predictions: Predictions, models: Sequence[str], most: int, seed: int) -> list[int]:
    """The rows that are judged: those that all models answered, at most so many, drawn by the seed."""
    rows = [int(row) for row in predictions.rows if all(predictions.has(model, int(row)) for model in models)]
    return sorted(random.Random(seed).sample(rows, most)) if len(rows) > most else rows


def compared(predictions: Predictions, a: str, b: str, rows: Sequence[int]) -> list[Case]:
    """The answers of two models to these rows; where both say the same there is nothing to be judged."""
    found = []
    for row in rows:
        one, other = predictions.prediction(a, row), predictions.prediction(b, row)
        if one is not None and other is not None:
            found.append(Case(f"{a}|{b}|{row}", asked(one), one.reference, one.answer, other.answer))
    return found


def rated(predictions: Predictions, model: str, rows: Sequence[int]) -> list[Case]:
    """The answers of one model to these rows."""
    lines = [(row, predictions.prediction(model, row)) for row in rows]
    return [Case(f"{model}|{row}", asked(one), one.reference, one.answer) for row, one in lines if one is not None]


def same(cases: Sequence[Case]) -> dict[tuple[str, bool], Judged]:
    """The verdicts that need no judge: answers that are equal are a tie."""
    return {call.key: Judged(*call.key, TIE) for case in cases
            if case.other is not None and case.one.strip() == case.other.strip() for call in case.calls}


def asked(one: Prediction) -> str:
    """The whole conversation before an answer; a single question as it stands."""
    if len(one.prompt) == 1:
        return one.question
    return "\n\n".join(f"{turn.get('role')}: {turn.get('content')}" for turn in one.prompt)


def voted(workspace: Workspace, most: int = MOST_VOTES) -> tuple[list[Case], dict[str, str]]:
    """(pairs of answers that the user voted on, as the shelf lists them; what the user said of each)."""
    cases: list[Case] = []
    said: dict[str, str] = {}
    for duel in votes.duels(Shelf(workspace)):
        if len(cases) == most:
            break
        one, other = sorted((duel.one, duel.other), key=lambda answer: answer.id)
        if duel.is_bad or one.content.strip() == other.content.strip():
            continue
        message = duel.tree.messages[one.message]
        question = "\n\n".join(str(turn["content"]) for turn in history(duel.tree, message, one.slot))
        key = f"vote|{one.id}|{other.id}"
        cases.append(Case(key, question, "", one.content, other.content))
        said[key] = _of_user(duel.winner, one)
    return cases, said


def _of_user(winner: Answer | None, one: Answer) -> str:
    return TIE if winner is None else FIRST if winner.id == one.id else SECOND


def trust(cases: Sequence[Case], said: Mapping[str, str], judged: Mapping[tuple[str, bool], Judged]) -> Agreement:
    """How far the judge agrees with the user; a missing verdict leaves its vote out."""
    verdicts = judge.together(cases, judged)
    return agreement([said[case.key] for case in cases], [verdicts[case.key] for case in cases],
                     (FIRST, TIE, SECOND))
