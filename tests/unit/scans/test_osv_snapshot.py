"""A snapshot on the disk: what is found in it, how old it is, and what a damaged one comes to."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lockgate.domain.distributions import Distribution
from lockgate.domain.vulnerabilities import Found, Severity
from lockgate.integrations.osv.snapshot import OsvSnapshot
from lockgate.kernel.errors import Unavailable
from lockgate.testing.clock import START, VirtualClock

NUMPY = Distribution("numpy", "1.21.0")
PACKAGES = [NUMPY, Distribution("click", "8.1.0")]


def record(identifier: str = "GHSA-1", name: str = "numpy", **fields: Any) -> dict[str, Any]:
    affected = {"package": {"name": name, "ecosystem": "PyPI"}, "versions": ["1.21.0"]}
    told = {"id": identifier, "modified": START.isoformat(), "affected": [affected], "database_specific": {"severity": "HIGH"}}
    return {**told, **fields}


def zipped(path: Path, *records: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in records:
            archive.writestr(f"{one['id']}.json", json.dumps(one))
    return path


def found(path: Path) -> Found:
    return OsvSnapshot(path, VirtualClock()).scan(PACKAGES)


def test_what_it_knows_is_found_and_its_age_is_that_of_its_newest_record(tmp_path: Path) -> None:
    older = record("PYSEC-1", aliases=["GHSA-1"], modified="2020-01-01T00:00:00Z", database_specific=None)
    told = found(zipped(tmp_path / "all.zip", record(), older, record("GHSA-2", "scipy")))
    (one,) = told.vulnerabilities
    assert (one.id, one.aliases, one.package, one.severity) == ("GHSA-1", ("PYSEC-1",), "numpy", Severity.HIGH)
    assert (told.tool, told.as_of) == ("osv", START)
    assert told.database == "a snapshot of OSV with 3 records, the newest of 2026-01-05 09:00 UTC"
    report = json.loads(told.report)
    assert report["packages"] == ["pkg:pypi/numpy@1.21.0", "pkg:pypi/click@8.1.0"]
    assert [entry["id"] for entry in report["vulnerabilities"]] == ["GHSA-1"]


def test_a_folder_of_records_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "osv" / "PyPI").mkdir(parents=True)
    (tmp_path / "osv" / "PyPI" / "GHSA-1.json").write_text(json.dumps(record()))
    told = found(tmp_path / "osv")
    assert [one.id for one in told.vulnerabilities] == ["GHSA-1"]
    assert told.as_of == START


def test_the_index_is_kept_beside_it_and_belongs_to_that_snapshot_only(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", record())
    found(path)
    assert [one.name for one in tmp_path.iterdir() if one != path] == ["all.zip.index"]
    assert [one.id for one in found(path).vulnerabilities] == ["GHSA-1"]
    zipped(
        path,
        record(),
        record("GHSA-3", "click", affected=[{"package": {"name": "Click", "ecosystem": "PyPI"}, "versions": ["8.1.0"]}]),
    )
    assert [one.id for one in found(path).vulnerabilities] == ["GHSA-3", "GHSA-1"], "a newer one, by another index"
    (tmp_path / "all.zip.index").write_bytes(b"nothing of ours")
    assert len(found(path).vulnerabilities) == 2


def test_a_record_from_the_future_does_not_make_it_fresh(tmp_path: Path) -> None:
    told = found(zipped(tmp_path / "all.zip", record(), record("GHSA-9", "scipy", modified="2099-01-01T00:00:00Z")))
    assert told.as_of == START
    near = START + timedelta(hours=2)
    assert found(zipped(tmp_path / "near.zip", record(modified=near.isoformat()))).as_of == near


def test_a_time_without_a_zone_is_utc(tmp_path: Path) -> None:
    told = found(zipped(tmp_path / "all.zip", record(modified="2025-12-01T00:00:00")))
    assert told.as_of == datetime(2025, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all" * 100])
def test_what_is_no_archive_could_not_tell(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "all.zip").write_bytes(content)
    with pytest.raises(Unavailable, match="no whole archive") as error:
        found(tmp_path / "all.zip")
    assert "Fetch the PyPI export of OSV again" in (error.value.hint or "")


def test_what_is_not_there_could_not_tell(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        found(tmp_path / "all.zip")


@pytest.mark.parametrize("name", ["all.zip", "folder"])
def test_a_snapshot_without_records_could_not_tell(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / name) if name == "all.zip" else tmp_path / name
    path.mkdir() if name == "folder" else None
    with pytest.raises(Unavailable, match="has no OSV records"):
        found(path)


def test_one_record_that_is_none_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", record())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("broken.json", "{")
    with pytest.raises(Unavailable, match=r"broken\.json is no OSV record"):
        found(path)


def test_one_byte_that_is_another_is_noticed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", record(summary="x" * 500))
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(Unavailable):
        found(path)


def test_a_version_that_nobody_can_order_could_not_be_told(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", record())
    with pytest.raises(Unavailable, match="whether numpy one-point-two is meant by GHSA-1 cannot be told"):
        OsvSnapshot(path, VirtualClock()).scan([Distribution("numpy", "one-point-two")])
