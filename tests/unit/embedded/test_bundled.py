"""Code in a package runs where it was installed as code, and nowhere else: a wheel's word is not the platform's."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lockgate.boundary.manifest import File
from lockgate.embedded.model import Model
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Corrupt, Invalid, Refused
from lockgate.runtimes import bundled
from lockgate.runtimes.package import read_folder
from lockgate.runtimes.registry import load_model
from lockgate.runtimes.trust import VARIABLE
from tests.unit.embedded import packaged

CODE = b"""
import numpy as np

def answer(columns):
    total = columns["whole"] + columns["flag"] + columns["number"]
    return columns["text"].reshape(-1, 1), np.column_stack([total * 0, total])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose model is its author's own Python."""
    monkeypatch.delenv(VARIABLE, raising=False)
    path = tmp_path / "model.py"
    path.write_bytes(CODE)
    files = (File("model.py", digest_bytes(CODE), len(CODE)),)
    one = packaged.contents(tmp_path, runtime="python", files=files, options={"entry": "answer"})
    return packaged.laid(tmp_path, replace(one, files={"model.py": path}))


def test_a_model_that_is_code_answers_in_a_wheel(folder: Path) -> None:
    model = Model.open(folder, bundled.load)
    assert model.check() == 0.0
    assert model.predict({"text": "a", "whole": 3, "flag": True, "number": 0.25}) == 4.25


def test_what_a_wheel_was_granted_is_granted_to_nobody_else(folder: Path) -> None:
    """The same package in the same process, by the way of servers."""
    opened = Model.open(folder, bundled.load)
    with pytest.raises(Refused, match="runs code of its author"):
        load_model(*read_folder(folder, opened.digest))


def test_nothing_of_it_stays_granted_where_loading_fails(folder: Path) -> None:
    digest = Model.open(folder, bundled.load).digest
    manifest, files = read_folder(folder, digest)
    (folder / "files" / "model.py").write_bytes(b"raise ValueError")
    with pytest.raises(Corrupt):
        Model.open(folder, bundled.load)
    with pytest.raises(Refused):
        load_model(manifest, files)


def test_a_file_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "model.onnx"
    content = packaged.network()
    one = packaged.contents(tmp_path, files=(File("../model.onnx", digest_bytes(content), len(content)),))
    folder = packaged.laid(tmp_path, replace(one, files={}))
    (folder / "files").mkdir()
    shutil.copy(outside, folder / "model.onnx")
    with pytest.raises(Invalid, match=r"'\.\./model\.onnx'"):
        Model.open(folder, bundled.load)
