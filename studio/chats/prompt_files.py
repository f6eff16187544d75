"""Prompts out of a text (one a line), a file of rows or a dataset of the catalogue; the table of answers as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from studio.chats.prompts import MOST, Cell, Prompt, PromptSet
from studio.data import reading
from studio.data.catalogue import Catalogue, Entry
from studio.data.incoming import within
from studio.data.walk import walk
from studio.errors import InputError
from studio.sample import Sample
from studio.texts import say
from studio.workspace import Workspace

FORMS = ("csv", "jsonl", "md")
_WORDS = ("prompt", "question", "instruction", "input", "text")
_TEXTS = (".txt", ".md")
_MARK = "\ufeff"
# What a spreadsheet would take for a formula is kept a text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def of_text(text: str) -> list[Prompt]:
    """One prompt a line; empty lines are none."""
    return [_asked(line) for line in text.removeprefix(_MARK).splitlines() if line.strip()]


def read(said: str, workspace: Workspace, most: int = MOST) -> list[Prompt]:
    """The prompts of a file below the data folder (.txt: one a line; else rows), or of a dataset's name.

    Raises InputError prompts_none, and what the catalogue, `incoming.within` and reading raise.
    """
    known = {entry.name for entry in Catalogue(workspace).entries()}
    is_text = said.lower().endswith(_TEXTS)
    if not is_text and (said in known or said.rpartition("@")[0] in known):
        found = list(_of_entry(Catalogue(workspace).entry(said), most))
    else:
        found = _of_file(within(workspace, said), most)
    if not found:
        raise InputError("prompts_none", name=said)
    return found


def _of_file(path: Path, most: int) -> list[Prompt]:
    if path.suffix.lower() in _TEXTS:
        try:
            return of_text(path.read_text(encoding="utf-8-sig"))[:most]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError("file_unreadable", path=str(path), reason=str(error)) from error
    rows = (row for source in reading.sources(path) for _, row in reading.numbered(source, None, _passed_over))
    found = [_of_row(row) for row in rows]
    if found and all(found):
        return [prompt for prompt in found if prompt][:most]
    return list(_of_entry(Entry(path.stem, path), most))


def _passed_over(line: int, code: str, detail: str) -> None:
    """A line that is no row asks nothing."""


def _of_row(row: Any) -> Prompt | None:
    """The prompt of a row that holds little more than one: {"prompt": …}, or OpenAI's messages up to a question."""
    if isinstance(row, str):
        return _asked(row) if row.strip() else None
    if not isinstance(row, dict):
        return None
    turns = row.get("messages")
    if isinstance(turns, list) and turns and all(isinstance(one, dict) and isinstance(one.get("content"), str)
                                                 and one.get("role") in ("system", "user", "assistant")
                                                 for one in turns):
        plain = [{"role": one["role"], "content": one["content"]} for one in turns]
        return Prompt(tuple(plain)) if plain[-1]["role"] == "user" else None
    words = [row[name] for name in _WORDS if isinstance(row.get(name), str) and row[name].strip()]
    return _asked(words[0]) if len(row) == 1 and words else None


def _of_entry(entry: Entry, most: int) -> Iterator[Prompt]:
    """Each row's turns before its last answer, which is the reference."""
    count = 0
    for _, _, sample in walk(entry):
        if isinstance(sample, Sample) and sample.messages and count < most:
            *before, last = sample.messages
            if last.role == "assistant" and before and before[-1].role == "user" and not any(
                    turn.role == "tool" or turn.tool_calls for turn in before):
                count += 1
                yield Prompt(tuple({"role": turn.role, "content": turn.content} for turn in before), last.content)


def _asked(words: str) -> Prompt:
    return Prompt(({"role": "user", "content": words.strip()},))


def exported(found: PromptSet, form: str, lang: str = "en") -> str:
    """The table as csv, jsonl or md; raises InputError export_form."""
    if form not in _WRITERS:
        raise InputError("export_form", value=form, known=FORMS)
    return _WRITERS[form](found, lang)


def _csv(found: PromptSet, lang: str) -> str:
    file = io.StringIO()
    file.write(_MARK)  # else spreadsheets take Chinese for another encoding
    table = csv.writer(file)
    for line in _lines(found, lang):
        table.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in line])
    return file.getvalue()


def _jsonl(found: PromptSet, lang: str) -> str:
    lines = []
    for row in found.rows():
        answers = {found.slots[slot]: _told(cell) for slot, cell in row.cells.items()}
        if len(set(found.slots.values())) < len(found.slots):  # one lane in two columns
            answers = {f"{slot}: {found.slots[slot]}": _told(cell) for slot, cell in row.cells.items()}
        lines.append(json.dumps({"number": row.number, "messages": list(row.prompt.turns),
                                 "reference": row.prompt.reference, "answers": answers}, ensure_ascii=False) + "\n")
    return "".join(lines)


def _told(cell: Cell) -> dict[str, Any]:
    return {"content": cell.content, "thinking": cell.thinking, "state": cell.state, "code": cell.code,
            "tokens": cell.tokens, "seconds": cell.seconds}


def _md(found: PromptSet, lang: str) -> str:
    head, *rows = _lines(found, lang)
    return "".join(_md_line(line) for line in [head, ["---"] * len(head), *rows])


def _md_line(cells: Iterable[str]) -> str:
    plain = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\r", "").replace("\n", "<br>") for cell in cells)
    return "| " + " | ".join(plain) + " |\n"


def _lines(found: PromptSet, lang: str) -> Iterator[list[str]]:
    rows = found.rows()
    has_reference = any(row.prompt.reference for row in rows)
    extra = [say(lang, "chats.table.reference")] if has_reference else []
    yield [say(lang, "chats.table.number"), say(lang, "chats.table.prompt"), *extra, *found.slots.values()]
    for row in rows:
        reference = [row.prompt.reference] if has_reference else []
        yield [str(row.number), row.prompt.words, *reference,
               *(cell.content if (cell := row.cells.get(slot)) else "" for slot in found.slots)]


_WRITERS: dict[str, Callable[[PromptSet, str], str]] = {"csv": _csv, "jsonl": _jsonl, "md": _md}
