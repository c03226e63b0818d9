"""onnxruntime sends nothing about its use: it is told so before it is imported, in every process."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

import lockgate
from lockgate.integrations.local.environment import asked_environment, keyless_environment, own_environment
from lockgate.integrations.oci.documents import environment as image_environment
from lockgate.integrations.wheel.clean import _environment as wheel_environment
from lockgate.serving.isolation.children import environment as host_environment

VARIABLE = "ORT_DISABLE_TELEMETRY"
THE_ONE_PLACE = "lockgate/embedded/onnx_library.py"
HEARD = """
import os, sys
def hear(event, details):
    if event == "import" and details[0] == "onnxruntime":
        print(os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.addaudithook(hear)
import {module}
"""


def when_imported(module: str, environment: Mapping[str, str]) -> str:
    words = [sys.executable, "-c", HEARD.format(module=module)]
    return subprocess.run(words, env=dict(environment), capture_output=True, text=True, check=True).stdout.split()[0]


@pytest.fixture
def undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.usefixtures("undecided")
def test_it_is_told_before_it_is_imported() -> None:
    assert when_imported("lockgate.embedded.onnx", os.environ) == "1"


def test_whoever_runs_us_may_let_it_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    assert when_imported("lockgate.embedded.onnx", os.environ) == "0"
    assert environments()["a host of the data plane"][VARIABLE] == "0"


@pytest.mark.usefixtures("undecided")
def test_every_process_that_runs_what_others_wrote_has_it_in_its_environment() -> None:
    assert {kind: one.get(VARIABLE) for kind, one in environments().items()} == dict.fromkeys(environments(), "1")


def environments() -> dict[str, Mapping[str, str]]:
    """Their code may import the library before ours does."""
    return {
        "a step of a pipeline, the package server": own_environment(),
        "a child of the supervisor": keyless_environment(),
        "a package that is asked": asked_environment(installing=False),
        "a host of the data plane": host_environment(1),
        "a wheel in a clean environment": wheel_environment(installing=False),
        "an image": image_environment(),
    }


def test_nobody_imports_it_from_elsewhere() -> None:
    source = Path(lockgate.__file__).parent
    importing = {str(path.relative_to(source.parent)) for path in source.rglob("*.py") if "onnxruntime" in set(imported(path))}
    assert importing == {THE_ONE_PLACE}


def test_the_installed_library_knows_the_name() -> None:
    found = find_spec("onnxruntime")
    assert found is not None
    assert found.origin is not None
    libraries = [one.read_bytes() for one in (Path(found.origin).parent / "capi").glob("*.so*")]
    assert libraries
    assert all(VARIABLE.encode() in one for one in libraries if b"OneCollector" in one), "it tells, and goes by another name"


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
