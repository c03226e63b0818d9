"""Packages asked through a process of the data plane: answers come back, and whatever the model does stays in that process."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lockgate.boundary.manifest import Golden, Manifest, Signature, Tensor
from lockgate.boundary.trusted_types import TrustedTypes
from lockgate.domain.packages import Packaged
from lockgate.integrations.local.asked import AskedRuntime
from lockgate.kernel.errors import Invalid
from lockgate.runtimes.registry import RUNTIMES
from lockgate.usecases.verify_package import verify_package
from lockgate.wiring.pipelines import ASKED
from tests.integration.packaging.environments import pretend_environment
from tests.integration.packaging.examples import FRAME, NUMBERS, packaged, split, stored

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_TRUST_CODE", "1")


def python_package(code: str, requirements: tuple[str, ...] = ()) -> tuple[Manifest, dict[str, bytes]]:
    """A model that is a Python module: it can do what no other can."""
    signature = Signature((Tensor("value", "FP64", (-1, 1)),), (Tensor("score", "FP64", (-1, 1)),), "score")
    golden = Golden({"value": [1.0]}, [2.0], 1e-9)
    files = {"model.py": f"import os, time\ndef predict(columns):\n    value = columns['value']\n    {code}\n".encode()}
    made = Packaged("python", files, signature, golden, {}, b"", b"", options={"entry": "predict"}, requirements=requirements)
    return replace_requirements(stored(made)[2], requirements), files


def replace_requirements(manifest: Manifest, requirements: tuple[str, ...]) -> Manifest:
    fields = {name: getattr(manifest, name) for name in manifest.__struct_fields__}
    return Manifest(**{**fields, "requirements": requirements})


def ask(folder: Path, code: str, values: list[float | None], seconds: float = 120.0) -> list[float]:
    return list(AskedRuntime("python", folder, seconds).scores(*python_package(code), {"value": values}))


def refusal(folder: Path, code: str, seconds: float = 120.0) -> str:
    with pytest.raises(Invalid) as caught:
        ask(folder, code, [1.0], seconds)
    assert caught.value.hint
    return caught.value.message


def test_every_runtime_of_the_data_plane_can_be_asked() -> None:
    assert {"onnx", *ASKED} == set(RUNTIMES)


def test_a_stored_package_is_verified_by_its_own_runtime(tmp_path: Path) -> None:
    made = packaged(make_pipeline(StandardScaler(), LogisticRegression()), split(FRAME[NUMBERS]), "native")
    artifacts, digest, manifest = stored(made)
    verified = verify_package(artifacts, digest, [AskedRuntime("sklearn", tmp_path)])
    assert verified.manifest == manifest
    np.testing.assert_allclose(verified.parity.answered, made.golden.scores, atol=1e-6)

    other, digest, _ = stored(replace(made, files={"model.skops": b"no model"}))
    with pytest.raises(Invalid, match="the model cannot answer: this is no skops file that can be read"):
        verify_package(other, digest, [AskedRuntime("sklearn", tmp_path)])


def test_missing_numbers_are_asked_as_they_are(tmp_path: Path) -> None:
    """A champion is asked about rows that a candidate was evaluated on; these may have gaps."""
    assert ask(tmp_path, "return [7.0 if one != one else one for one in value]", [None, float("nan"), 2.0]) == [7.0, 7.0, 2.0]


def test_what_a_model_prints_does_not_reach_the_answer(tmp_path: Path) -> None:
    assert ask(tmp_path, "os.write(1, b'{}'); print('hello'); return value * 2", [1.0, 2.0]) == [2.0, 4.0]


def test_a_model_that_raises_says_why(tmp_path: Path) -> None:
    assert refusal(tmp_path, "raise ValueError('no such value')") == "the model cannot answer: no such value"


def test_a_model_that_ends_its_process_is_a_failure(tmp_path: Path) -> None:
    assert refusal(tmp_path, "os._exit(3)") == "the model cannot answer: its process ended with exit code 3"
    assert refusal(tmp_path, "os.kill(os.getpid(), 11)") == "the model cannot answer: its process was killed by SIGSEGV"


def test_a_model_that_hangs_is_ended(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert refusal(tmp_path, "time.sleep(60)", seconds=0.5) == "the model cannot answer: it took longer than 0.5s"
    assert time.monotonic() - begun < 20


def test_what_a_model_started_ends_with_it(tmp_path: Path) -> None:
    start = "import subprocess; child = subprocess.Popen(['sleep', '60'])"
    child = int(ask(tmp_path, f"{start}; return value + child.pid", [0.0])[0])
    for _ in range(100):
        if not is_running(child):
            return
        time.sleep(0.02)
    pytest.fail("it still runs")


def is_running(pid: int) -> bool:
    """A process that ended and that nobody has waited for yet is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_model_does_not_learn_where_the_state_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_DATABASE", "postgresql://secret")
    assert ask(tmp_path, "return value + ('LOCKGATE_DATABASE' in os.environ)", [1.0]) == [1.0]


def test_a_model_that_is_asked_has_no_network_no_secrets_and_no_files_but_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (tmp_path / "token").write_text("secret")
    assert ask(tmp_path, "return value + ('AWS_SECRET_ACCESS_KEY' in os.environ)", [1.0]) == [1.0]
    assert "Operation not permitted" in refusal(tmp_path, "import socket; socket.socket()")
    assert "Permission denied" in refusal(tmp_path, f"open({str(tmp_path / 'token')!r})")
    assert "Permission denied" in refusal(tmp_path, f"open({str(tmp_path / 'new')!r}, 'w')")
    assert "Permission denied" in refusal(tmp_path, "open(f'/proc/{os.getppid()}/environ').read()")
    assert ask(tmp_path, "open('own', 'w').write('mine'); return value", [1.0]) == [1.0]


def test_what_the_policy_trusts_is_told_to_who_asks(tmp_path: Path) -> None:
    """Each time anew: the policy may have changed."""
    lists = iter([TrustedTypes(), TrustedTypes("sha256:1", ("company.models.Encoder",))])
    asked = AskedRuntime("python", tmp_path, trusted=lambda: next(lists))
    package = python_package("return value + ('company.models.Encoder' in os.environ['LOCKGATE_TRUSTED_TYPES'])")
    assert [asked.scores(*package, {"value": [1.0]}) for _ in range(2)] == [[1.0], [2.0]]


def test_a_package_with_requirements_is_asked_in_its_own_environment(tmp_path: Path) -> None:
    manifest, files = python_package("return value + len(os.environ.get('OWN', ''))", ("something==1.0",))
    pretend_environment(tmp_path, manifest.requirements)
    assert AskedRuntime("python", tmp_path).scores(manifest, files, {"value": [1.0]}) == [4.0]


def test_an_environment_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    manifest, files = python_package("return value", ("something",))
    with pytest.raises(Invalid, match="the model cannot answer: requirement 'something' is not pinned"):
        AskedRuntime("python", tmp_path).scores(manifest, files, {"value": [1.0]})
