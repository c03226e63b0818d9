"""A wheel as its users have it: installed by pip into an environment with nothing in it, imported, asked, and type-checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lockgate.boundary.archives import write
from lockgate.integrations.wheel.builder import WheelBuilder
from lockgate.kernel.errors import Invalid, Unavailable
from lockgate.testing.signer import KeySigner
from tests.unit.embedded import packaged

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ASKED = """
import json, sys
from sum_model import MODEL, InvalidInput, __version__, model, outputs, predict, report_to
row = {"text": "a", "whole": 3, "flag": True, "number": 0.25}
sent = []
from sum_model._lockgate.embedded.sending import Sent
reported = report_to("https://lockgate.example", "token", send=lambda body, patience: sent.append(body) or Sent.TAKEN)
scores = [predict(row), predict([row, row]).tolist(), outputs(row)["sums"].tolist()]
reported.reporter.flush()
told = json.loads(sent[0])["records"]
try:
    predict({**row, "number": "x"})
except InvalidInput as error:
    refused = str(error)
imported = sorted(name for name in sys.modules if name.split(".")[0] in ("lockgate", "msgspec", "cryptography", "pandas"))
print(json.dumps([MODEL, __version__, model().check(), scores, refused, imported, len(told)]))
"""
USED = """from sum_model import predict

row = {"text": "a", "whole": 3, "flag": True, "number": 0.25}
score: float = predict({"text": "a", "whole": 3, "flag": True, "number": 0.25})
rows: int = predict([row, row]).size
plain: float = predict(row)
"""
WRONG = """from sum_model import predict

score: str = predict({"text": "a", "whole": 3, "flag": True, "number": 0.25})
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    return WheelBuilder(KeySigner(), folder / "cache").build([packaged.contents(folder)], folder)


@pytest.fixture(scope="module")
def python(folder: Path, wheel: Path) -> Path:
    """The interpreter of an environment into which pip installed the wheel, with whatever it requires."""
    room = folder / "user"
    run(sys.executable, "-m", "venv", "--without-pip", str(room))
    pip(room / "bin" / "python", "install", "--quiet", str(wheel))
    return room / "bin" / "python"


def run(*words: str, code: int = 0, cwd: Path | None = None) -> str:
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stdout
    return done.stdout


def environments(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]


def pip(python: Path, *words: str) -> str:
    return run(sys.executable, "-m", "pip", "--python", str(python), *words)


def test_an_environment_with_nothing_in_it_needs_no_more_than_pip_install(python: Path, folder: Path) -> None:
    name, version, difference, scores, refused, imported, told = json.loads(
        run(str(python), "-I", "-c", ASKED, cwd=folder).splitlines()[-1]
    )
    assert (name, version, difference) == ("sum-model", "3", 0.0)
    assert scores == [4.25, [4.25, 4.25], [[0.0, 4.25]]]
    assert "number: row 0: expected float, got str" in refused
    assert imported == []
    assert told == 2  # of two calls that `predict` answered


def test_pip_finds_nothing_amiss_and_takes_it_out_again_whole(python: Path) -> None:
    assert "No broken requirements found" in pip(python, "check")
    installed = {line.partition("==")[0] for line in pip(python, "freeze").splitlines() if "==" in line or "@" in line}
    assert {"numpy", "onnxruntime"} <= installed
    assert not installed & {"msgspec", "cryptography", "lockgate"}
    shown = pip(python, "show", "--files", "sum-model")
    assert "Version: 3" in shown
    assert "sum_model/py.typed" in shown


def test_a_users_program_is_type_checked(python: Path, folder: Path) -> None:
    """By mypy, strictly; what is wrong is found."""
    check = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--python-executable", str(python)]
    for text, code in ((USED, 0), (WRONG, 1)):
        (folder / "used.py").write_text(text)
        told = run(*check, "--cache-dir", str(folder / "mypy"), "used.py", code=code, cwd=folder)
        assert ("Incompatible types in assignment" in told) == bool(code)


def test_it_answers_where_nothing_but_itself_and_its_requirements_is(wheel: Path, folder: Path) -> None:
    builder = WheelBuilder(KeySigner(), folder / "cache")
    content = packaged.contents(folder)
    (folder / "cache" / "0123456789abcdef.draft").mkdir(parents=True)  # as a process that was killed leaves it
    for _ in range(2):
        asked = builder.ask(wheel, content)
        assert list(asked.scores) == content.manifest.golden.scores
        assert 0.0 < asked.cold_start < 30.0
        assert asked.environment.startswith("an empty virtual environment: Python 3.")
        assert "onnxruntime" in asked.environment
    assert len(environments(folder / "cache")) == 1  # what it requires was installed once


def test_a_wheel_that_cannot_answer_is_told_with_its_reason(folder: Path, wheel: Path, tmp_path: Path) -> None:
    """Altered on its way: it refuses itself."""
    with zipfile.ZipFile(wheel) as archive:
        members: dict[str, bytes | Path] = {name: archive.read(name) for name in archive.namelist()}
    members["sum_model/_model/files/model.onnx"] = b"something else"
    altered = tmp_path / wheel.name
    with altered.open("wb") as file:
        write(file, members)
    with pytest.raises(Invalid, match=r"does not answer: .*model\.onnx: expected sha256:"):
        WheelBuilder(KeySigner(), folder / "cache").ask(altered, packaged.contents(tmp_path))


def test_where_the_requirements_cannot_be_had_it_says_so(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Unavailable, match="cannot be installed: ERROR: No matching distribution found for numpy"):
        WheelBuilder(KeySigner(), tmp_path / "cache").ask(wheel, packaged.contents(tmp_path))
    assert environments(tmp_path / "cache") == []
