"""Instruction, input and output, as Stanford Alpaca and ChatGLM-Efficient-Tuning write them, with optional history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.plugins.formats import Unusable, words
from studio.plugins.formats._cells import (
    ANSWERS,
    HISTORY,
    INSTRUCTIONS,
    MORE,
    QUESTIONS,
    SYSTEM,
    TOOLS,
    Row,
    first,
    history_of,
    is_text,
    kept,
    pictures,
    plain,
    tools_of,
)
from studio.sample import Message, Sample

ORDER = 40
KIND = "chat"
COLUMNS = ("prompt", "query", "response", "history", "system", "tools")
WITHOUT: Mapping[str, str] = {}


def recognises(row: Row) -> bool:
    """Whether the row has an instruction's and an answer's column, both with words."""
    asked, answer = first(INSTRUCTIONS, row), first(ANSWERS, row)
    return asked is not None and answer is not None and is_text(row[asked]) and is_text(row[answer])


def columns_of(row: Row) -> dict[str, str]:
    """The roles of this row's columns."""
    prompt = first((*INSTRUCTIONS, *QUESTIONS), row)
    more = first(MORE, row)
    return kept({"prompt": prompt, "query": more if more != prompt else None, "response": first(ANSWERS, row),
                 "history": first([HISTORY], row), "system": first([SYSTEM], row), "tools": first([TOOLS], row)})


def reader(columns: Mapping[str, str], tags: Mapping[str, str] = WITHOUT) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name prompt, query, response, history, system and tools."""
    ask = asker(columns)
    answer_column = columns.get("response") or ("" if columns else "output")

    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        messages, tools = ask(row)
        column: str | None = answer_column
        if column not in row and not columns:
            column = first(ANSWERS, row)
        answer = words(row.get(column)) if column else ""
        if not answer.strip():
            raise Unusable("empty_answer")
        messages.append(Message("assistant", answer))
        return Sample(tuple(messages), tools=tools)

    return read


def asker(columns: Mapping[str, str]) -> Callable[[Row], tuple[list[Message], tuple[Mapping[str, Any], ...]]]:
    """The function that reads all of a row but the answer: (system, history and question as turns, tools)."""
    said = bool(columns)
    prompt, more, system, history, tools = (
        columns.get(role) or ("" if said else name) for role, name in (
            ("prompt", "instruction"), ("query", "input"), ("system", SYSTEM), ("history", HISTORY),
            ("tools", TOOLS)))
    has_pictures = pictures(columns)

    def ask(row: Row) -> tuple[list[Message], tuple[Mapping[str, Any], ...]]:
        column: str | None = prompt
        if prompt not in row and not said:
            column = first((*INSTRUCTIONS, *QUESTIONS), row)
        question = words(row.get(column)) if column else ""
        added = words(row.get(more)) if more and more != column else ""
        if added and not added.isspace():
            question = f"{question}\n{added}" if question.strip() else added
        if not question.strip():
            raise Unusable("no_question")
        if has_pictures(row):
            raise Unusable("not_text")
        messages = []
        if system in row and (rules := words(row[system])).strip():
            messages.append(Message("system", rules))
        if history in row and (before := row[history]):
            messages += history_of(before)
        messages.append(Message("user", question))
        return messages, tools_of(row[tools]) if tools in row else ()

    return ask


def write(sample: Sample) -> dict[str, Any]:
    """The row of a conversation without tools or thinking."""
    plain(sample)
    turns = [turn.content for turn in sample.messages if turn.role != "system"]
    row: dict[str, Any] = {"instruction": turns[-2], "input": "", "output": turns[-1]}
    if sample.messages[0].role == "system":
        row["system"] = sample.messages[0].content
    if len(turns) > 2:  # a question and its answer
        row["history"] = [turns[place:place + 2] for place in range(0, len(turns) - 2, 2)]
    return row
