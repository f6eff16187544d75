"""Folders, links and archives: what is read there, in which order, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path

import openpyxl
import pytest

from studio.data import reading
from studio.data.reading import source as places
from studio.errors import InputError
from studio.texts.errors import of_error
from tests.data.packing import packed
from tests.data.replay import SHARED


def row(place: int) -> bytes:
    return json.dumps({"n": place}).encode() + b"\n"


def refused(path: Path) -> InputError:
    """What reading a path says no with; its sentence names the file in both languages."""
    with pytest.raises(InputError) as error:
        list(reading.rows(path))
    for lang in ("en", "zh"):
        sentence = of_error(lang, error.value)
        assert "{" not in sentence and str(error.value.values["path"]) in sentence
    return error.value


def test_a_folder_of_mixed_kinds_is_read_in_order_of_names_and_the_rest_is_named(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "deep.jsonl").write_bytes(row(3))
    (tmp_path / "a.csv").write_text("n\n1\n", encoding="utf-8")
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(row(4)))
    packed(tmp_path, "d.json", row(5), "zip")
    for name in ("README.md", "picture.png", "model.pkl", "load.py", ".hidden.json", "dataset_info.json", "state.json"):
        (tmp_path / name).write_bytes(b"{}")
    assert [one.name for one in reading.sources(tmp_path)] == ["a.csv", "b/deep.jsonl", "c.jsonl.gz",
                                                              "d.json.zip/inner/d.json"]
    assert [int(one["n"]) for one in reading.rows(tmp_path)] == [1, 3, 4, 5]
    assert reading.left_out(tmp_path) == ["README.md", "dataset_info.json", "load.py", "model.pkl", "picture.png",
                                          "state.json"]
    assert [path.name for path in reading.files(tmp_path)] == ["a.csv", "c.jsonl.gz", "d.json.zip"]


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_link_out_of_the_folder_is_refused(tmp_path, what):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.jsonl").write_bytes(row(1))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link.jsonl").symlink_to(tmp_path / "secret" / ("a.jsonl" if what == "file" else ""))
    assert refused(tmp_path / "data").code == "dataset_link_outside"


def test_a_link_within_the_folder_is_read(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(row(1))
    (tmp_path / "b.jsonl").symlink_to("a.jsonl")
    assert len(list(reading.rows(tmp_path))) == 2


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_the_members_of_a_zip_are_read_in_order_of_names_and_the_rest_is_named(tmp_path):
    book, sheet = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["n"])
    book.active.append([3])
    book.save(sheet)
    path = zipped(tmp_path / "a.zip", ("b/x.jsonl", row(2)), ("a.csv", b"n\n1\n"), ("c.xlsx", sheet.getvalue()),
                  ("d.jsonl.xz", lzma.compress(row(4))), ("run.py", b"x"), ("__MACOSX/._a.csv", b"x"), ("e.zip", b"x"))
    assert [int(one["n"]) for one in reading.rows(path)] == [1, 2, 3, 4]
    assert reading.left_out(path) == ["run.py", "__MACOSX/._a.csv", "e.zip"]
    assert reading.describe(reading.sources(path)[3]).compression == "xz"


@pytest.mark.parametrize("name", ["../a.jsonl", "/etc/a.jsonl", "x/../../a.jsonl", "C:\\a.jsonl", "..\\a.jsonl"])
def test_a_zip_with_a_path_that_escapes_is_refused(tmp_path, name):
    assert refused(zipped(tmp_path / "a.zip", ("ok.jsonl", row(1)), (name, row(2)))).code == "dataset_archive_escape"


def test_a_zip_with_a_link_or_a_password_is_refused(tmp_path):
    link = zipfile.ZipInfo("link.jsonl")
    link.external_attr = 0o120777 << 16
    assert refused(zipped(tmp_path / "a.zip", (link, b"/etc/passwd"))).code == "dataset_archive_link"
    content = bytearray(zipped(tmp_path / "b.zip", ("a.jsonl", row(1))).read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "b.zip").write_bytes(content)
    assert refused(tmp_path / "b.zip").code == "dataset_archive_locked"


@pytest.mark.parametrize("pack", ["gz", "xz", "zst", "zip"])
def test_a_bomb_is_refused_before_it_fills_anything(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(places, "FREE_BYTES", 1 << 20)
    path = tmp_path / packed(tmp_path, "a.jsonl", row(1) * 2_000_000, pack)
    assert refused(path).code == "dataset_bomb"


def test_a_workbook_that_is_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "FREE_BYTES", 1 << 20)
    path = zipped(tmp_path / "a.xlsx", ("xl/worksheets/sheet1.xml", b" " * 20_000_000))
    assert refused(path).code == "dataset_bomb"


@pytest.mark.parametrize("pack", ["gz", "xz", "zst", "zip"])
def test_an_archive_that_was_cut_is_told_after_what_stands_before(tmp_path, pack):
    lines = b"".join(json.dumps({"n": place, "text": hex(place**9)}).encode() + b"\n" for place in range(20_000))
    path = tmp_path / packed(tmp_path, "a.jsonl", lines, pack)
    path.write_bytes(path.read_bytes()[:-path.stat().st_size // 3])
    assert refused(path).code == "dataset_archive_broken"


def test_an_archive_of_another_kind_is_refused(tmp_path):
    import tarfile

    (tmp_path / "a.jsonl").write_bytes(row(1))
    with tarfile.open(tmp_path / "a.json.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.jsonl", "a.jsonl")
    assert refused(tmp_path / "a.json.gz").code == "dataset_file_type"
    (tmp_path / "b.zip").write_bytes(b"no zip")
    assert refused(tmp_path / "b.zip").code == "dataset_archive_broken"
    assert refused(tmp_path / "none.json").code == "file_unreadable"


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
@pytest.mark.parametrize(("name", "files", "rows"), [("lf_ceval.zip", 156, 13948), ("lf_cmmlu.zip", 134, 11917)])
def test_real_archives_of_questions_are_read_whole(name, files, rows):
    path = SHARED / "eval" / name
    assert (len(reading.sources(path)), sum(1 for _ in reading.rows(path))) == (files, rows)
