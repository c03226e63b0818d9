"""Models of every runtime as wheels: each answers its golden rows where Lockgate is not installed, by what it carries itself.

They run with the libraries of this environment; that what a wheel requires is enough is tested where it is installed from it.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lockgate.boundary.releases import Release
from lockgate.domain.forms import Contents
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.integrations.wheel.builder import WheelBuilder
from lockgate.runtimes.registry import RUNTIMES
from lockgate.testing.signer import KeySigner
from tests.contracts.runtime_models.fixture import Fixture

# mlflow's first model is a class that it imports again from these tests, which import lockgate; the second is a file of data.
MODELS = [*((runtime, 1 if runtime == "mlflow" else 0) for runtime in RUNTIMES), ("graph", 6)]
ASKED = """
import json, sys
sys.path.insert(0, sys.argv[1])
sys.modules["lockgate"] = None
import tested
model = tested.model()
print(json.dumps([model.golden().tolist(), tested.predict(model.example), model.check()]))
"""


def contents(fixture: Fixture) -> Contents:
    store, manifest = LocalArtifacts(fixture.artifacts), fixture.manifest
    files = {file.name: fixture.artifacts / file.digest[7:9] / file.digest[9:] for file in manifest.files}
    return Contents(Release(manifest.model, 1, fixture.digest), manifest, store.get(fixture.digest), files, {})


def made(runtime: str, index: int, folder: Path) -> Fixture:
    """Where its library is not installed: skipped on a user's machine; in CI all of them must be there."""
    try:
        module = importlib.import_module(f"tests.contracts.runtime_models.{runtime}")
    except ImportError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"runtime {runtime}: {error}")
    fixture: Fixture = (getattr(module, "MAKERS", None) or (module.make,))[index](folder)
    return fixture


@pytest.mark.parametrize(("runtime", "index"), MODELS, ids=[f"{runtime}-{index}" for runtime, index in MODELS])
def test_its_wheel_answers_the_golden_rows_without_lockgate(runtime: str, index: int, tmp_path: Path) -> None:
    """A module that is code of its author runs, whatever LOCKGATE_TRUST_CODE says: an isolated process is told nothing."""
    fixture = made(runtime, index, tmp_path / "made")
    builder = WheelBuilder(KeySigner(), tmp_path / "cache")
    with zipfile.ZipFile(builder.build([contents(fixture)], tmp_path)) as wheel:
        wheel.extractall(tmp_path / "site")
    words = [sys.executable, "-I", "-c", ASKED, str(tmp_path / "site")]
    environment = {name: value for name, value in os.environ.items() if name != "LOCKGATE_TRUST_CODE"}
    asked = subprocess.run(words, capture_output=True, env=environment, cwd=tmp_path, check=False)
    assert asked.returncode == 0, asked.stderr.decode()[-2000:]
    scores, first, difference = json.loads(asked.stdout.splitlines()[-1])
    golden = fixture.manifest.golden
    assert scores == pytest.approx(golden.scores, abs=golden.tolerance)
    assert first == pytest.approx(golden.scores[0], abs=golden.tolerance)
    assert difference <= golden.tolerance
