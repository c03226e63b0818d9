"""`lockgate package --as image` of several models: each is proven, all are known by one digest, and so is where it was pushed."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from lockgate.domain.forms import Form
from lockgate.integrations.local.outbox import LocalOutbox
from lockgate.ports.state import FORMS
from lockgate.testing.builders import ANNA
from lockgate.usecases.package_version import package_version
from lockgate.wiring.forms import open_builder, open_push
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.samples.docker import Docker
from tests.samples.packaged import keep

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

RUNTIMES = ("graph", "onnx")


def test_every_model_answers_from_one_image(
    engine: Docker, base: Path, registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in engine.environment.items():
        monkeypatch.setenv(name, value)
    home = Home(tmp_path / "home")
    world = open_world(home)
    for runtime in RUNTIMES:
        module = importlib.import_module(f"tests.contracts.runtime_models.{runtime}")
        maker = getattr(module, "MAKERS", None) or (module.make,)
        keep(world, maker[0](tmp_path / runtime), f"by-{runtime}")
    versions = [(f"by-{runtime}", 1) for runtime in RUNTIMES]
    builder = open_builder(home, world, Form.IMAGE, str(base))
    push = open_push(f"{registry}/models:1")
    packaged = package_version(world, builder, versions, LocalOutbox(tmp_path / "dist"), ANNA, push=push)
    assert [(one.model, one.version) for one in packaged.built] == versions
    assert all(one.difference <= one.tolerance for one in packaged.built)
    assert {one.digest for one in packaged.built} == {packaged.built[0].pushed.rpartition("@")[2]}
    assert packaged.built[0].environment.startswith("a container of Docker")
    with world.state.read() as tx:
        assert sorted(tx.find(FORMS), key=lambda one: one.model) == list(packaged.built)
