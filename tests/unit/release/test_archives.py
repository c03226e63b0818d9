"""An archive's bytes follow from its members alone, and one that is anything else is refused."""

from __future__ import annotations

import struct
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.boundary import archives
from lockgate.kernel.errors import Corrupt, Invalid, NotFound

parts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=8)
names = parts.filter(lambda name: name not in (".", ".."))
members = st.dictionaries(names, st.binary(max_size=300), max_size=6)
quickly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def made(path: Path, content: dict[str, bytes]) -> Path:
    with path.open("wb") as file:
        archives.write(file, content)
    return path


def checked(path: Path) -> dict[str, bytes]:
    with archives.reading(path) as archive:
        archives.check_canonical(path, archive)
        return {name: archive.read(name) for name in archive.namelist()}


@quickly
@given(content=members)
def test_members_come_out_as_they_went_in(content: dict[str, bytes], tmp_path: Path) -> None:
    path = made(tmp_path / "one", content)
    assert checked(path) == content
    assert made(tmp_path / "two", dict(reversed(content.items()))).read_bytes() == path.read_bytes()
    for name, one in content.items():
        (tmp_path / "content").write_bytes(one)
        from_file: dict[str, archives.Content] = {**content, name: tmp_path / "content"}
        with (tmp_path / "three").open("wb") as file:
            archives.write(file, from_file)
        assert (tmp_path / "three").read_bytes() == path.read_bytes()


@quickly
@given(content=members, data=st.data())
def test_whatever_is_altered_is_told_and_nothing_breaks(content: dict[str, bytes], data: st.DataObject, tmp_path: Path) -> None:
    raw = made(tmp_path / "one", {"first": b"content", **content}).read_bytes()
    places = data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=5))
    altered = bytearray(raw)
    for place in places:
        altered[place] = data.draw(st.integers(0, 255))
    start, end = data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    changed = bytes(altered)[start : len(raw) - end]
    (tmp_path / "altered").write_bytes(changed)
    if changed == raw:
        return
    with pytest.raises((Corrupt, Invalid)):
        checked(tmp_path / "altered")


@pytest.mark.parametrize("name", ["../up", "/root", "a//b", "a/../b", "", "a\\b", "a\0b"])
def test_names_that_lead_out_are_neither_written_nor_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="plain path"):
        made(tmp_path / "one", {name: b""})
    if name and "\0" not in name:
        with zipfile.ZipFile(tmp_path / "two", "w") as archive:
            archive.writestr(zipfile.ZipInfo(name), b"")
        with pytest.raises(Corrupt, match="plain path"):
            checked(tmp_path / "two")


def test_other_peoples_archives_are_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "packed"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("name", b"0" * 10_000)
    with pytest.raises(Corrupt):
        checked(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("name", b"with the time of today")
    with pytest.raises(Corrupt, match="not what its members make it"):
        checked(path)
    with pytest.raises(NotFound):
        checked(tmp_path / "none")


def test_members_that_lie_over_each_other_are_not_read_on_and_on(tmp_path: Path) -> None:
    """A small file whose table names one large member ten thousand times."""
    path = made(tmp_path / "one", {"m00000": b"x" * 200_000})
    raw = path.read_bytes()
    at = struct.unpack("<I", raw[-6:-2])[0]
    entry, count = raw[at:-22], 10_000
    table = b"".join(entry.replace(b"m00000", b"m%05d" % number) for number in range(count))
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(table), at, 0)
    path.write_bytes(raw[:at] + table + end)
    began = time.monotonic()
    with pytest.raises(Corrupt, match="larger than the file"):
        checked(path)
    assert time.monotonic() - began < 2
