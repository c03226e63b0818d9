"""A package in a real server of its own: what it costs is measured, and nothing of it stays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lockgate.boundary.manifest import File, Golden, Lineage, Manifest
from lockgate.integrations.local.family import descendants
from lockgate.integrations.local.package_server import LocalPackageServer
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Invalid
from tests.integration.serving.data_plane import CARRIER, DISTANCE, answer_of, linear_model, root_model, signature

ROWS: dict[str, list[Any]] = {DISTANCE: [1.0, 4.0], CARRIER: ["AA", "UA"]}


def package(content: bytes) -> tuple[Manifest, dict[str, bytes]]:
    golden = Golden(ROWS, [answer_of(0.0, 1.0, "AA"), answer_of(0.0, 4.0, "UA")], 1e-4)
    lineage = Lineage("run-1", None, False, "tester", {}, {})  # noqa: FBT003 - the fields of a manifest, in their order
    file = File("model.onnx", digest_bytes(content), len(content))
    return Manifest("delays", "onnx", (file,), signature(), golden, lineage), {"model.onnx": content}


def test_what_a_package_costs_is_measured_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    content, before = linear_model(0.0), set(descendants(os.getpid()))  # other tests' servers may run meanwhile
    found = LocalPackageServer().cost(*package(content), ROWS, 100)
    assert len(found.latencies) == 100
    assert 0 < min(found.latencies) < found.cold_start < 120
    assert found.size == len(content)
    assert found.memory is None or 30e6 < found.memory < 1e9
    assert list(tmp_path.iterdir()) == []
    assert set(descendants(os.getpid())) <= before


def test_a_package_that_does_not_answer_as_it_should_is_never_served(tmp_path: Path) -> None:
    wrong = package(root_model())
    with pytest.raises(Invalid, match="no answer within 4 seconds"):
        LocalPackageServer(patience=4).cost(*wrong, ROWS, 1)


def test_rows_that_the_package_refuses_are_told(tmp_path: Path) -> None:
    manifest, files = package(linear_model(0.0))
    with pytest.raises(Invalid, match="no answer within 4 seconds"):
        LocalPackageServer(patience=4).cost(manifest, files, {DISTANCE: ["far"], CARRIER: ["AA"]}, 1)
