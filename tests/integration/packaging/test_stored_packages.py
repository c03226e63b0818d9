"""Packages as they lie in the store: verified before they count, and every damage found."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lockgate.integrations.onnxruntime.runtime import OnnxRuntime
from lockgate.kernel.errors import Corrupt, Invalid, InvalidInput, NotFound, Refused
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.usecases.verify_package import verify_package
from tests.integration.packaging.examples import logistic, packaged, split, stored


def test_a_stored_package_is_verified_and_every_damage_is_found() -> None:
    made = packaged(logistic(), split())
    artifacts, digest, manifest = stored(made)
    verified = verify_package(artifacts, digest, [OnnxRuntime()])
    assert verified.manifest == manifest
    assert verified.parity.holds

    with pytest.raises(Invalid, match="runs on 'onnx', for which there is no runtime here"):
        verify_package(artifacts, digest, [])
    artifacts.damage(manifest.files[0].digest, made.files["model.onnx"][:-1])
    with pytest.raises(InvalidInput, match=r"model\.onnx: artifact sha256:"):
        verify_package(artifacts, digest, [OnnxRuntime()])
    artifacts.damage(digest, b"{}")
    with pytest.raises(Corrupt):
        verify_package(artifacts, digest, [OnnxRuntime()])
    with pytest.raises(NotFound):
        verify_package(MemoryArtifacts(), digest, [OnnxRuntime()])


def test_a_package_that_answers_otherwise_is_refused() -> None:
    made = packaged(logistic(), split())
    golden = made.golden
    other = type(golden)(golden.inputs, [score + 0.01 for score in golden.scores], golden.tolerance)
    artifacts, digest, _ = stored(made, golden=other)
    with pytest.raises(Refused, match="32 of 32 rows differ by more than 1e-05"):
        verify_package(artifacts, digest, [OnnxRuntime()])


def test_bytes_that_are_no_model_cannot_answer() -> None:
    made = packaged(logistic(), split())
    artifacts, digest, _ = stored(replace(made, files={"model.onnx": b"no model"}))
    with pytest.raises(Invalid, match="the model cannot answer"):
        verify_package(artifacts, digest, [OnnxRuntime()])
    artifacts, digest, _ = stored(replace(made, files={"readme": b"?"}))
    with pytest.raises(Invalid, match=r"0 files end in \.onnx"):
        verify_package(artifacts, digest, [OnnxRuntime()])


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    """A Python in which skl2onnx cannot be found."""
    hidden = (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'skl2onnx' else find(name, *rest)\n"
        "import lockgate.integrations.sklearn.package"
    )
    found = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 1
    assert "MissingExtra: packaging scikit-learn models needs skl2onnx, which this Python does not have" in found.stderr
