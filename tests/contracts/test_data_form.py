"""The data form keeps the contract of forms, and answers its golden rows from the file and a public key alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from lockgate.boundary import archives, bundles, statements
from lockgate.boundary.trust import trusting
from lockgate.domain.forms import Contents
from lockgate.integrations.local.data_form import DataFormBuilder
from lockgate.kernel.errors import Invalid
from lockgate.ports.forms import FormBuilder
from lockgate.testing.checks.forms import BUILD_CHECKS
from lockgate.testing.signer import KeySigner
from tests.contracts.runtime_models import onnx, sklearn
from tests.contracts.runtime_models.fixture import Fixture
from tests.samples.contents import contents_of, files_in

HOME = KeySigner("home")


def contents(fixture: Fixture) -> Contents:
    return contents_of(fixture.manifest, files_in(fixture.artifacts, fixture.manifest), HOME)


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    return contents(onnx.make(tmp_path_factory.mktemp("data-form")))


@pytest.mark.parametrize("check", BUILD_CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[FormBuilder, Contents, Path], None], flights: Contents, tmp_path: Path) -> None:
    check(DataFormBuilder(HOME), flights, tmp_path)


def test_it_holds_what_was_given_and_a_signature_of_all_of_it(flights: Contents, tmp_path: Path) -> None:
    path = DataFormBuilder(HOME).build([flights], tmp_path)
    assert path.name == "tested-1.lockgate"
    with archives.reading(path) as archive:
        archives.check_canonical(path, archive)
        names = set(archive.namelist())
        content = archive.read(bundles.SIGNATURE)
        assert archive.read(bundles.MANIFEST) == flights.manifest_bytes
        assert archive.read(bundles.PROVENANCE) == flights.papers[flights.release.provenance]
    stated, key = statements.hear(content, statements.RELEASE, trusting([HOME.public_key]), "it")
    assert key.key == HOME.public_key
    assert set(stated.digests()) == names - {bundles.SIGNATURE}
    assert stated.predicate == {"name": "tested", "releaseId": "1", "purl": "pkg:generic/tested@1"}


def test_two_versions_are_two_files(flights: Contents, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="2 versions found"):
        DataFormBuilder(HOME).build([flights, flights], tmp_path)


def test_a_form_of_onnx_answers_as_the_original(flights: Contents, tmp_path: Path) -> None:
    check_answers(flights, tmp_path)


@pytest.mark.integration
def test_a_form_that_needs_a_library_answers_as_the_original(tmp_path: Path) -> None:
    check_answers(contents(sklearn.make(tmp_path / "artifacts")), tmp_path)


def check_answers(given: Contents, folder: Path) -> None:
    builder = DataFormBuilder(HOME)
    asked = builder.ask(builder.build([given], folder), given)
    golden = given.manifest.golden
    assert asked.scores == pytest.approx(golden.scores, abs=golden.tolerance)
    assert 0 < asked.cold_start < 60


def test_what_another_key_signed_does_not_answer(flights: Contents, tmp_path: Path) -> None:
    path = DataFormBuilder(HOME).build([flights], tmp_path)
    with pytest.raises(Invalid, match="none of the 1 trusted keys"):
        DataFormBuilder(KeySigner("other")).ask(path, flights)


def test_a_model_that_hangs_is_ended(flights: Contents, tmp_path: Path) -> None:
    builder = DataFormBuilder(HOME, seconds=0.001)
    with pytest.raises(Invalid, match="took longer than"):
        builder.ask(builder.build([flights], tmp_path), flights)


def test_a_manifest_whose_file_is_not_the_one_it_names_does_not_answer(flights: Contents, tmp_path: Path) -> None:
    files = tuple(structs.replace(one, size=one.size + 1) for one in flights.manifest.files)
    wrong = contents_of(structs.replace(flights.manifest, files=files), flights.files, HOME)
    builder = DataFormBuilder(HOME)
    with pytest.raises(Invalid, match="expected"):
        builder.ask(builder.build([wrong], tmp_path), flights)
