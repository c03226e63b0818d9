"""What every runtime keeps: its model's answers are the library's own, and whatever goes wrong is one failure that says why.

The models are in `runtime_models`, a module for each runtime.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from lockgate.boundary.manifest import Signature, Tensor
from lockgate.embedded.scores import Scorer
from lockgate.kernel.errors import Corrupt, Invalid, LockgateError
from lockgate.runtimes import trust
from lockgate.runtimes.frames import DTYPES
from lockgate.runtimes.model import Model, RuntimeFailure
from lockgate.runtimes.package import read
from lockgate.runtimes.registry import RUNTIMES, load_model
from lockgate.runtimes.trust import VARIABLE
from tests.contracts.runtime_models.fixture import Fixture

HERE = Path(__file__).parent / "runtime_models"
THERE = sorted(name for name in RUNTIMES if (HERE / f"{name}.py").is_file())
Maker = Callable[[Path], Fixture]


def module_of(runtime: str) -> ModuleType:
    """Where its library is not installed: skipped on a user's machine; in CI all of them must be there."""
    try:
        return importlib.import_module(f"tests.contracts.runtime_models.{runtime}")
    except ImportError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"runtime {runtime}: {error}")


def makers(runtime: str) -> list[Maker]:
    module = module_of(runtime)
    return list(getattr(module, "MAKERS", None) or (module.make,))


@pytest.fixture(autouse=True)
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of the models are code of their authors; refusals of it are tested elsewhere."""
    monkeypatch.setenv(VARIABLE, "1")


@pytest.fixture(autouse=True)
def _trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some runtimes run the code of packages; whether the platform trusts it is another test's subject."""
    monkeypatch.setenv(trust.VARIABLE, "1")


_made: dict[tuple[str, int], Fixture] = {}


@pytest.fixture(params=THERE)
def fixture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    """The first model of each runtime."""
    return made(request.param, 0, tmp_path_factory)


def made(runtime: str, index: int, folders: pytest.TempPathFactory) -> Fixture:
    """Trained once."""
    if (runtime, index) not in _made:
        _made[runtime, index] = makers(runtime)[index](folders.mktemp(f"{runtime}-{index}"))
    return _made[runtime, index]


def load(fixture: Fixture) -> Model:
    return load_model(*read(fixture.artifacts, fixture.digest))


def check_answers(fixture: Fixture, model: Model, rows: int) -> None:
    feeds = fixture.feeds(fixture.first(rows))
    before = {name: feed.copy() for name, feed in feeds.items()}
    answers = model.run(feeds)
    outputs = fixture.manifest.signature.outputs
    for tensor, answer, expected in zip(outputs, answers, fixture.expected, strict=True):
        wanted = expected[:rows].reshape(rows, *(size for size in expected.shape[1:]))
        assert answer.dtype == np.dtype(DTYPES[tensor.datatype]), tensor.name
        assert len(answer.shape) == len(tensor.shape), tensor.name
        if tensor.datatype in ("BYTES", "INT64") or fixture.tolerance == 0:
            np.testing.assert_array_equal(answer, wanted, err_msg=tensor.name)
        else:
            np.testing.assert_allclose(answer, wanted, atol=fixture.tolerance, err_msg=tensor.name)
    assert len(Scorer(fixture.manifest.signature).scores(answers, rows)) == rows
    for name, feed in feeds.items():
        np.testing.assert_array_equal(feed, before[name], err_msg=f"the model wrote into {name}")


def test_every_runtime_has_models_here() -> None:
    assert sorted(RUNTIMES) == THERE


@pytest.mark.parametrize("runtime", THERE)
def test_the_answers_are_the_librarys_own(runtime: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    for index in range(len(makers(runtime))):
        fixture = made(runtime, index, tmp_path_factory)
        model = load(fixture)
        check_answers(fixture, model, fixture.size)
        check_answers(fixture, model, 1)


def test_another_thread_gets_the_same_answers(fixture: Fixture) -> None:
    model = load(fixture)
    with ThreadPoolExecutor(1) as other:
        other.submit(check_answers, fixture, model, fixture.size).result()


def test_the_golden_rows_are_answered_as_the_original_did(fixture: Fixture) -> None:
    golden = fixture.manifest.golden
    scores = Scorer(fixture.manifest.signature).scores(load(fixture).run(fixture.feeds(golden.inputs)), len(golden.scores))
    assert scores == pytest.approx(golden.scores, abs=max(golden.tolerance, fixture.tolerance))


# What goes wrong


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Makes a library one that is not installed; only for the module of its runtime, which is imported anew."""

    def hide(library: str, runtime_module: str) -> None:
        monkeypatch.setitem(sys.modules, library, None)
        for name in [name for name in sys.modules if name.startswith(("lockgate.runtimes.", "lockgate.embedded."))]:
            if name == runtime_module or library in vars(sys.modules[name]):
                monkeypatch.delitem(sys.modules, name)

    return hide


def test_a_missing_library_is_named_with_what_installs_it(fixture: Fixture, without: Callable[[str, str], None]) -> None:
    runtime = RUNTIMES[fixture.manifest.runtime]
    library = module_of(fixture.manifest.runtime).LIBRARY
    if library is None:
        pytest.skip("it needs no library that could be missing")
    without(library, runtime.module)
    with pytest.raises(RuntimeFailure) as caught:
        load(fixture)
    assert library in caught.value.message
    assert f"lockgate[{runtime.extra or fixture.manifest.runtime}]" in str(caught.value.hint)


@pytest.mark.parametrize("damage", ["garbage", "half", "empty"])
def test_a_file_that_is_no_model_is_refused(fixture: Fixture, damage: str) -> None:
    content = fixture.content()
    other = {"garbage": b"no model at all", "half": content[: len(content) // 2], "empty": b""}[damage]
    with pytest.raises(RuntimeFailure):
        load(fixture.with_file(other))


def test_a_file_that_was_altered_is_not_even_tried(fixture: Fixture, tmp_path: Path) -> None:
    altered = Fixture(**{**vars(fixture), "artifacts": tmp_path})
    for path in fixture.artifacts.glob("*/*"):
        content = path.read_bytes()
        target = tmp_path / path.relative_to(fixture.artifacts)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if content == fixture.content() else content)
    with pytest.raises(Corrupt):
        load(altered)


def test_a_package_without_the_file_that_the_runtime_looks_for_is_refused(fixture: Fixture) -> None:
    with pytest.raises(LockgateError):
        load(fixture.with_file(fixture.content(), name="readme"))


def test_a_signature_with_other_names_than_the_models_is_refused(fixture: Fixture) -> None:
    if not fixture.knows_names:
        pytest.skip("this model does not know its inputs by name")
    first, *others = fixture.manifest.signature.inputs
    renamed = (Tensor(f"{first.name}_x", first.datatype, first.shape), *others)
    signature = fixture.manifest.signature
    with pytest.raises(Invalid, match=f"{first.name}_x"):
        load(fixture.changed(signature=Signature(renamed, signature.outputs, signature.score, signature.score_column)))


def test_an_option_that_the_runtime_does_not_know_is_refused(fixture: Fixture) -> None:
    if not fixture.knows_options:
        pytest.skip("this runtime reads no options")
    with pytest.raises(Invalid, match="nonsense"):
        load(fixture.changed(options={**fixture.manifest.options, "nonsense": 1}))


def test_an_input_that_is_missing_is_a_failure_and_the_model_goes_on(fixture: Fixture) -> None:
    model = load(fixture)
    with pytest.raises(RuntimeFailure) as caught:
        model.run({})
    assert caught.value.message
    check_answers(fixture, model, 1)


def test_a_model_that_raises_is_a_failure_and_goes_on(fixture: Fixture) -> None:
    if fixture.raising is None:
        pytest.skip("no rows are known that this model raises on")
    model = load(fixture)
    with pytest.raises(RuntimeFailure) as caught:
        model.run(fixture.feeds(fixture.raising))
    assert caught.value.kind == "error"
    check_answers(fixture, model, 1)
