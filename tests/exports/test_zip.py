"""The archive of an export: whole, checked, and never half of one."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from studio.errors import StopAsked, WorkError
from studio.plugins.exporters import zip as form
from tests.exports.holding import FILES, Desk, a_form, a_source


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(form, "exporter", lambda name: a_form())
    return Desk(tmp_path, a_source(name="numbers/step-20", run="numbers", step=20), zip_form="merged")


@pytest.mark.parametrize("compressed", [False, True])
def test_every_file_is_in_the_archive_byte_for_byte_below_one_folder(desk: Desk, compressed: bool) -> None:
    object.__setattr__(desk.work, "spec", type(desk.work.spec)(**{**vars(desk.work.spec), "zip_compress": compressed}))
    form.write(desk.work)
    form.pack(desk.work)
    archive = desk.work.into / "numbers-step-20-merged.zip"
    with zipfile.ZipFile(archive) as packed:
        assert {one: packed.read(one) for one in packed.namelist()} == {
            f"numbers-step-20-merged/{name}": content for name, content in FILES.items()}
    assert (archive.stat().st_size < len(FILES["model.safetensors"])) == compressed


def test_card_and_verdict_stay_readable_beside_the_archive_and_nothing_else_does(desk: Desk) -> None:
    form.write(desk.work)
    form.pack(desk.work)
    left = {path.relative_to(desk.work.into).as_posix() for path in desk.work.into.rglob("*")}
    assert left == {"numbers-step-20-merged.zip", *form.BESIDE}


def test_progress_counts_every_byte_twice_written_and_read_back(desk: Desk) -> None:
    form.write(desk.work)
    form.pack(desk.work)
    total = 2 * sum(map(len, FILES.values()))
    assert desk.told[-1][:2] == (total, total)
    assert [done for done, _, _ in desk.told] == sorted(done for done, _, _ in desk.told)


def test_a_stop_while_packing_leaves_the_files_and_no_archive(desk: Desk) -> None:
    form.write(desk.work)
    desk.stop_after = desk.stays + 3
    with pytest.raises(StopAsked):
        form.pack(desk.work)
    assert not list(desk.work.into.glob("*.zip"))
    assert (desk.work.into / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    desk.stop_after = -1
    form.pack(desk.work)  # what was broken off is no part of the new archive
    with zipfile.ZipFile(desk.work.into / "numbers-step-20-merged.zip") as packed:
        assert len(packed.namelist()) == len(FILES)


def test_an_archive_that_does_not_read_back_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    form.write(desk.work)
    check = form._check

    def bitten(part: Path, *more: object) -> None:
        """The disk loses a byte between writing and reading."""
        content = bytearray(part.read_bytes())
        content[content.index(b"weightsweights") + 5] ^= 1
        part.write_bytes(content)
        check(part, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(form, "_check", bitten)
    with pytest.raises(WorkError) as caught:
        form.pack(desk.work)
    assert caught.value.code == "zip_damaged"
    assert (desk.work.into / "model.safetensors").exists()


def test_files_beyond_four_gigabytes_get_the_long_headers(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 20_000)  # as if 20 kB were the 4 GB
    form.write(desk.work)
    form.pack(desk.work)
    with zipfile.ZipFile(desk.work.into / "numbers-step-20-merged.zip") as packed:
        about = packed.getinfo("numbers-step-20-merged/model.safetensors")
        assert about.extract_version >= zipfile.ZIP64_VERSION
        assert packed.testzip() is None


def test_room_for_files_and_archive_is_asked_for_before_anything_is_written(
        desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "exporter", lambda name: Huge())
    with pytest.raises(WorkError) as caught:
        form.write(desk.work)
    assert caught.value.code == "disk_short"
    assert not list(desk.work.into.iterdir())


class Huge:
    """A form larger than any disk."""

    @staticmethod
    def size(source: object, spec: object) -> int:
        return 1 << 60

    @staticmethod
    def write(work: object) -> None:
        raise AssertionError("written without room")
