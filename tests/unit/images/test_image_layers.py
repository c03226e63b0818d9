"""Layers are what their files are, and nothing of the machine or the hour."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.integrations.oci.layers import Member, file_of, write
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Invalid

_PART = st.text("abcdefghij-_.é", min_size=1, max_size=60).filter(lambda name: name not in (".", "..") and name[:4] != ".wh.")
_NAMES = st.lists(st.lists(_PART, min_size=1, max_size=5).map("/".join), unique=True, max_size=8)


def written(members: dict[str, Member]) -> bytes:
    file = io.BytesIO()
    assert write(file, members) == digest_bytes(file.getvalue())
    return file.getvalue()


@given(_NAMES, st.randoms())
def test_the_order_of_files_does_not_matter_and_all_come_back(names: list[str], chance: object) -> None:
    names = [name for name in names if not any(other.startswith(f"{name}/") for other in names)]
    members = {name: Member(name.encode() * 3) for name in names}
    turned = dict(reversed(members.items()))
    assert written(members) == written(turned)
    with tarfile.open(fileobj=io.BytesIO(written(members))) as archive:
        found = {one.name: archive.extractfile(one) for one in archive if one.isfile()}
        assert {name: file.read() for name, file in found.items() if file} == {name: name.encode() * 3 for name in names}


def test_nothing_of_the_machine_goes_into_it(tmp_path: Path) -> None:
    made = []
    for mask, time in ((0o022, 1_000_000_000), (0o077, 2_000_000_000)):
        before = os.umask(mask)
        try:
            path = tmp_path / str(mask) / "run.sh"
            path.parent.mkdir()
            path.write_bytes(b"#!/bin/sh\n")
            path.chmod(0o777 & ~mask)
        finally:
            os.umask(before)
        os.utime(path, (time, time))
        made.append(written({"opt/bin/run.sh": file_of(path), "opt/data": Member(b"1")}))
    assert made[0] == made[1]
    with tarfile.open(fileobj=io.BytesIO(made[0])) as archive:
        found = {one.name: one for one in archive}
    assert list(found) == sorted(found) == ["opt", "opt/bin", "opt/bin/run.sh", "opt/data"]
    assert {(one.mtime, one.uid, one.gid, one.uname, one.gname) for one in found.values()} == {(0, 0, 0, "", "")}
    assert [one.mode for one in found.values()] == [0o755, 0o755, 0o755, 0o644]
    assert not any(one.pax_headers for one in found.values())


def test_a_byte_makes_another_digest() -> None:
    assert written({"a": Member(b"1")}) != written({"a": Member(b"2")})


@pytest.mark.parametrize("name", ["../a", "/a", "a//b", "opt/.wh.a", ".wh..wh..opq", "a/.wh.b/c"])
def test_no_name_leads_elsewhere_or_removes_files_below(name: str) -> None:
    with pytest.raises(Invalid):
        write(io.BytesIO(), {name: Member(b"")})
