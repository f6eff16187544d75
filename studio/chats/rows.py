"""Training rows from conversations: corrected answers, and conversations that went well."""

from __future__ import annotations

from collections.abc import Iterable

from studio.chats import samples
from studio.chats.shelf import Shelf
from studio.data.catalogue import Entry
from studio.workspace import Workspace


def save_corrections(workspace: Workspace, name: str, ids: Iterable[str] | None = None) -> tuple[Entry, int]:
    """(the dataset of this name, how many rows were new): every corrected answer of these conversations, or of all.

    Raises what `samples.save` raises.
    """
    shelf = Shelf(workspace)
    found = []
    for id in [head.id for head in shelf.corrected()] if ids is None else ids:
        tree = shelf.open(id).tree
        found += [samples.of_answer(tree, answer) for answer in tree.answers.values()
                  if answer.correction is not None and answer.correction.strip()]
    rows = [row for sample in found if (row := samples.row(sample, samples.OPENAI)) is not None]
    return samples.save(workspace, name, rows, samples.OPENAI)


def save_answer(workspace: Workspace, name: str, conversation: str, answer: str) -> tuple[Entry, int]:
    """Save one answer with what led to it, in its corrected words where there are some; raises as above."""
    tree = Shelf(workspace).open(conversation).tree
    row = samples.row(samples.of_answer(tree, tree.answers[answer]), samples.OPENAI) if answer in tree.answers else None
    return samples.save(workspace, name, [row] if row is not None else [], samples.OPENAI)


def save_conversations(workspace: Workspace, name: str, ids: Iterable[str], slot: str | None = None,
                       ) -> tuple[Entry, int]:
    """Save the branches in sight of these conversations: the side of one column, or of every column as a row each.

    Raises what `samples.save` raises.
    """
    shelf = Shelf(workspace)
    rows = []
    for id in ids:
        tree = shelf.open(id).tree
        columns = sorted({one for message in tree.path() for one in message.slots})
        for column in [slot] if slot else columns:
            sample = samples.side(tree, column)
            row = samples.row(sample, samples.OPENAI) if sample is not None else None
            rows += [row] if row is not None else []
    return samples.save(workspace, name, rows, samples.OPENAI)
