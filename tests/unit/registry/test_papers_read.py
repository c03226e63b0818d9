"""What pages say of a version's papers, whoever wrote them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lockgate.boundary import statements
from lockgate.boundary.public_keys import key_id
from lockgate.boundary.trust import TrustedKey
from lockgate.domain.models import ModelVersion
from lockgate.domain.policy import SignatureRule
from lockgate.entrypoints.reading.papers import papers_of
from lockgate.entrypoints.reading.predicates import builder, libraries, sources
from lockgate.kernel.errors import Corrupt
from lockgate.testing import builders as a
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.company import policy, policy_record
from lockgate.testing.signer import KeySigner

HOME, PARTNER = KeySigner("home"), KeySigner("partner")
MADE = {
    "buildDefinition": {"resolvedDependencies": [{"name": "source", "digest": {"gitCommit": "c0ffee"}}, {"name": "data/x"}]},
    "runDetails": {"builder": {"id": "pkg:pypi/lockgate@1.0"}},
}
NEEDS = {
    "components": [
        {"type": "library", "name": "numpy", "version": "2.0", "scope": "required"},
        {"type": "library", "name": "onnx", "version": "1.0", "scope": "excluded"},
        {"type": "data", "name": "x"},
    ]
}


@pytest.fixture
def store() -> MemoryArtifacts:
    return MemoryArtifacts()


@pytest.fixture
def version(store: MemoryArtifacts) -> ModelVersion:
    found = a.version()
    said = [
        store.put(statements.say({"manifest.json": found.digest}, kind, predicate, PARTNER))
        for kind, predicate in ((statements.PROVENANCE, MADE), (statements.BILL, NEEDS))
    ]
    return replace(found, provenance=said[0], sbom=said[1])


def test_they_say_who_made_it_from_what_and_what_it_needs(store: MemoryArtifacts, version: ModelVersion) -> None:
    papers = papers_of(store, version, None)
    assert papers is not None
    assert (papers.keyid, papers.key) == (key_id(PARTNER.public_key), None)
    assert papers.builder == "pkg:pypi/lockgate@1.0"
    assert papers.sources == (("source", "c0ffee"), ("data/x", ""))
    assert papers.libraries == ("numpy 2.0",)


def test_the_policy_names_the_key_and_knows_whether_it_counts(store: MemoryArtifacts, version: ModelVersion) -> None:
    for revoked in ((), (f"{PARTNER.public_key} the partner",)):
        rule = SignatureRule(required=True, keys=(f"{PARTNER.public_key} the partner",), revoked=revoked)
        papers = papers_of(store, version, policy_record(policy=policy(signatures=rule), own_key=HOME.public_key))
        assert papers is not None
        assert papers.key == TrustedKey(PARTNER.public_key, "the partner", revoked=bool(revoked))


def test_without_papers_there_is_nothing_to_say(store: MemoryArtifacts, version: ModelVersion) -> None:
    assert papers_of(store, a.version(), None) is None
    assert papers_of(MemoryArtifacts(), version, None) is None


def test_what_is_no_paper_is_damage(store: MemoryArtifacts, version: ModelVersion) -> None:
    with pytest.raises(Corrupt):
        papers_of(store, replace(version, sbom=store.put(b"no envelope")), None)


@pytest.mark.parametrize(
    "other", [{}, {"runDetails": 1, "buildDefinition": []}, {"buildDefinition": {"resolvedDependencies": "x"}}]
)
def test_papers_of_other_shapes_are_read_as_far_as_they_go(other: dict[str, Any]) -> None:
    assert builder(other) == "unknown"
    assert list(sources(other)) == []
    assert list(libraries(other | {"components": [1, {"type": "library"}]})) == ["None None"]
