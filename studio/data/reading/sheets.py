"""Rows out of the sheets of an Excel workbook (xlsx), one sheet after the other, each with its own line of names."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from studio.data.reading.source import check_bomb, unreadable
from studio.data.reading.tables import distinct
from studio.data.reading.told import Told
from studio.errors import StudioError


def rows(file: IO[bytes], told: Told) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every row with its number in its sheet; formulas give the values that were last computed."""
    _check(file, told)
    try:
        yield from _in_book(file, told)
    except StudioError:
        raise
    except Exception as error:  # what a damaged workbook makes its reader raise is of every kind
        raise unreadable(told.stream.source.path, error) from error


def _check(file: IO[bytes], told: Told) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise unreadable(told.stream.source.path, error) from error
    check_bomb(told.name, sum(one.compress_size for one in members), sum(one.file_size for one in members))
    file.seek(0)


def _in_book(file: IO[bytes], told: Told) -> Iterator[tuple[int, dict[str, Any]]]:
    import openpyxl

    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    try:
        for place, sheet in enumerate(book.worksheets):
            claimed = sheet.max_row or 0
            sheet.reset_dimensions()  # what a workbook says of its own size is often wrong
            yield from _in_sheet(sheet, told, place / len(book.worksheets), claimed * len(book.worksheets))
    finally:
        book.close()


def _in_sheet(sheet: Any, told: Told, behind: float, claimed: int) -> Iterator[tuple[int, dict[str, Any]]]:
    names: list[str] = []
    for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        if not number & 255 and claimed:
            told.so_far(behind + number / claimed)
        if all(cell is None for cell in cells):
            continue
        if not names:
            last = max(place for place, cell in enumerate(cells, 1) if cell is not None)
            names = distinct(["" if cell is None else str(cell) for cell in cells[:last]])
            continue
        if any(cell is not None for cell in cells[len(names):]):
            told.skip(number, "surplus_cells", str(len(cells)))
            continue
        row = dict.fromkeys(names)
        row.update(zip(names, (_spelled(cell) for cell in cells)))
        yield number, row


def _spelled(cell: Any) -> Any:
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell) if isinstance(cell, datetime.timedelta) else cell
