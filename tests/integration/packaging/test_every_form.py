"""One version, every form: a model of each runtime answers from its wheel and from its file as the original did.

What the wheels of the heavy libraries require is here already, so they are asked beside it, without Lockgate. The wheel of the
flights is asked where nothing else is; so is its image, in tests of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lockgate.boundary import bundles
from lockgate.boundary.archives import reading
from lockgate.domain.forms import Asked, Contents, Form
from lockgate.integrations.local.data_form import DataFormBuilder
from lockgate.integrations.local.outbox import LocalOutbox
from lockgate.integrations.wheel.builder import WheelBuilder
from lockgate.integrations.wheel.names import names_of
from lockgate.kernel.errors import Invalid
from lockgate.ports.forms import FormBuilder
from lockgate.ports.state import FORMS
from lockgate.runtimes.registry import RUNTIMES
from lockgate.runtimes.trust import VARIABLE
from lockgate.testing.builders import ANNA, MODEL
from lockgate.usecases.package_version import package_version
from lockgate.usecases.world import World
from lockgate.wiring.forms import open_builder
from lockgate.wiring.home import Home
from lockgate.wiring.signer import open_release_signer
from lockgate.wiring.world import open_world
from tests.contracts.runtime_models.fixture import Fixture
from tests.samples.packaged import keep

pytestmark = pytest.mark.integration

_MAKERS = {"mlflow": 1}  # the first is a pickle of a class of the tests, which are nowhere else
_QUESTION = """
import importlib, json, sys, time
sys.modules["lockgate"] = None  # a wheel carries what it needs of it
sys.path.insert(0, sys.argv[1])
scores = importlib.import_module(sys.argv[2]).model().golden().tolist()
print(json.dumps(scores))
"""


class BesideTheLibraries:
    """A WheelBuilder that asks in this Python's environment, for which nothing has to be installed."""

    form = Form.WHEEL

    def __init__(self, builder: WheelBuilder, folder: Path) -> None:
        self._builder = builder
        self._folder = folder

    def build(self, contents: Sequence[Contents], folder: Path) -> Path:
        return self._builder.build(contents, folder)

    def digest(self, file: Path) -> str:
        return self._builder.digest(file)

    def ask(self, file: Path, contents: Contents) -> Asked:
        with reading(file) as archive:
            archive.extractall(self._folder)
        began = time.monotonic()
        words = [sys.executable, "-I", "-c", _QUESTION, str(self._folder), names_of(contents.release).package]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=100, cwd=self._folder)
        if done.returncode:
            raise Invalid(done.stderr)
        return Asked(tuple(json.loads(done.stdout.splitlines()[-1])), time.monotonic() - began, "this Python")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return open_world(Home(tmp_path / "home"))


def made(runtime: str, folder: Path) -> Fixture:
    """Where its library is not installed: skipped on a user's machine; in CI all of them must be there."""
    try:
        module = importlib.import_module(f"tests.contracts.runtime_models.{runtime}")
    except ImportError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"runtime {runtime}: {error}")
    maker = getattr(module, "MAKERS", None) or (module.make,)
    found: Fixture = maker[_MAKERS.get(runtime, 0)](folder)
    return found


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
def test_a_model_of_each_runtime(runtime: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")  # some of them are their authors' code
    keep(world, made(runtime, tmp_path / "made"))
    signer = open_release_signer(Home(tmp_path / "home"))
    wheels = BesideTheLibraries(WheelBuilder(signer, tmp_path / "rooms"), tmp_path / "installed")
    for builder in (DataFormBuilder(signer), wheels):
        check(world, builder, tmp_path / "dist")


def test_the_flights_where_nothing_else_is(world: World, tmp_path: Path) -> None:
    keep(world, made("onnx", tmp_path / "made"))
    for form in (Form.WHEEL, Form.DATA):
        check(world, open_builder(Home(tmp_path / "home"), world, form), tmp_path / "dist")
    with world.state.read() as tx:
        wheel = tx.get(FORMS, MODEL, 1, Form.WHEEL.value)
    assert wheel is not None
    assert wheel.environment.startswith("an empty virtual environment: Python 3.")
    assert "lockgate" not in wheel.environment


def check(world: World, builder: FormBuilder, out: Path) -> None:
    """It is proven, placed and known; and it holds what the release says."""
    packaged = package_version(world, builder, [(MODEL, 1)], LocalOutbox(out), ANNA)
    (built,) = packaged.built
    assert built.difference <= built.tolerance
    assert built.cold_start > 0
    with reading(packaged.path) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(bundles.RELEASE)]
        assert bundles.decode(archive.read(name)).model == MODEL
    with world.state.read() as tx:
        assert tx.get(FORMS, MODEL, 1, builder.form.value) == built
