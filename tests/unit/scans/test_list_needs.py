"""What a package needs to run: its own pins, or what is installed beside the data plane."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from msgspec.structs import replace

import lockgate
from lockgate.boundary.manifest import File, Golden, Lineage, Manifest, Signature, encode
from lockgate.domain.distributions import Distribution
from lockgate.integrations.local.distributions import LocalDistributions
from lockgate.kernel.errors import Invalid, MissingExtra
from lockgate.runtimes.registry import RUNTIMES as SERVED
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.usecases.list_needs import RUNTIMES, SERVING, list_needs, needs_of

OPTIONAL = {"google", "grpc", "opentelemetry", "pyarrow"}  # extras that a platform may add, no model needs
# What runtimes import that comes with what they are listed with.
BROUGHT = {"joblib", "threadpoolctl", "yaml"}


class Installed:
    """A ports.distributions.Distributions that remembers what it was asked."""

    asked: tuple[str, ...] = ()

    def needed_by(self, modules: Iterable[str]) -> tuple[Distribution, ...]:
        self.asked = tuple(modules)
        return (Distribution("numpy", "2.2.0"),)


def manifest(runtime: str = "onnx", *requirements: str) -> Manifest:
    lineage = Lineage("run-1", None, False, "anna", {}, {})  # noqa: FBT003 - as the format has it
    return Manifest("m", runtime, (), Signature((), (), "score"), Golden({}, [], 0), lineage, requirements=requirements)


def test_requirements_of_its_own_are_the_list() -> None:
    told = list_needs(Installed(), manifest("python", "Flask_Login==0.6.3", "uvicorn[standard]==0.30.0", "torch==2.8.0+cpu"))
    assert list(map(str, told)) == ["flask-login 0.6.3", "torch 2.8.0+cpu", "uvicorn 0.30.0"]
    assert told[1].purl == "pkg:pypi/torch@2.8.0%2Bcpu"


def test_a_requirement_that_is_not_pinned_is_refused() -> None:
    with pytest.raises(Invalid, match="'numpy>=2' is not pinned"):
        list_needs(Installed(), manifest("python", "numpy>=2"))


def test_without_them_it_is_what_serves_and_what_its_runtime_loads() -> None:
    installed = Installed()
    list_needs(installed, manifest("sklearn"))
    assert set(SERVING) < set(installed.asked)
    assert {"sklearn", "skops"} <= set(installed.asked)


def test_a_graph_needs_what_its_nodes_need_however_deep() -> None:
    store, installed = MemoryArtifacts(), Installed()
    names = {
        "nodes/a/1/manifest.json": store.put(encode(manifest("xgboost"))),
        "nodes/a/1/files/nodes/b/2/manifest.json": store.put(encode(manifest("python", "torch==2.8.0"))),
        "nodes/a/1/files/model.ubj": "sha256:of a file that is no manifest",
    }
    graph = replace(manifest("graph"), files=tuple(File(name, digest, 1) for name, digest in names.items()))
    assert Distribution("torch", "2.8.0") in needs_of(store, installed, graph)
    assert "xgboost" in installed.asked


def test_every_runtime_that_is_served_has_its_needs() -> None:
    assert set(SERVED) <= set(RUNTIMES)


def test_every_library_that_the_data_plane_imports_is_among_them() -> None:
    source = Path(lockgate.__file__).parent
    known = {*SERVING, *(module for needed in RUNTIMES.values() for module in needed), *OPTIONAL, *BROUGHT}
    for tower in ("serving", "runtimes", "embedded", "boundary", "kernel"):
        for path in (source / tower).rglob("*.py"):
            assert set(imported(path)) - set(sys.stdlib_module_names) - {"lockgate"} <= known, path


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_what_is_installed_is_listed_with_all_that_it_needs_in_turn() -> None:
    told = {one.name: one.version for one in LocalDistributions().needed_by(["onnxruntime", "pydantic"])}
    assert told["onnxruntime"] == version("onnxruntime")
    assert told["pydantic-core"] == version("pydantic_core"), "through pydantic, and under its one spelling"
    assert "pytest" not in told
    assert "email-validator" not in told, "an extra that nobody asked for"


def test_what_is_not_installed_is_named() -> None:
    with pytest.raises(MissingExtra, match="not installed here: no_such_module"):
        LocalDistributions().needed_by(["numpy", "no_such_module"])
