"""Statements speak of digests; whoever hears one about something else, or of another kind, does not believe it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary import bundles, statements
from lockgate.boundary.envelopes import IN_TOTO, seal
from lockgate.boundary.releases import Release, check_provenance
from lockgate.boundary.statements import BILL, PROVENANCE, RELEASE, hear, hear_about, say
from lockgate.boundary.trust import trusting
from lockgate.kernel.errors import Corrupt, Invalid, LockgateError, Refused
from lockgate.testing import builders as a
from lockgate.testing.signer import KeySigner

HOME = KeySigner("home")
TRUST = trusting([HOME.public_key])
DIGEST, OTHER = a.digest("one"), a.digest("other")
digests = st.binary(max_size=8).map(lambda content: a.digest(content.hex()))


@given(st.dictionaries(st.text(min_size=1, max_size=10), digests, min_size=1, max_size=5))
def test_what_was_said_is_heard(subjects: dict[str, str]) -> None:
    said = say(subjects, RELEASE, {"number": 1}, HOME)
    stated, key = hear(said, RELEASE, TRUST, "it")
    assert stated.digests() == subjects
    assert (stated.predicate, key.key) == ({"number": 1}, HOME.public_key)
    assert said == say(dict(reversed(subjects.items())), RELEASE, {"number": 1}, HOME), "the order in which it is said is nothing"


def test_it_is_a_statement_that_other_tools_read() -> None:
    from base64 import b64decode

    envelope = msgspec.json.decode(say({"model": DIGEST}, PROVENANCE, {}, HOME))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert msgspec.json.decode(b64decode(envelope["payload"])) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": DIGEST.removeprefix("sha256:")}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {},
    }


def test_a_statement_of_something_else_is_not_believed() -> None:
    said = say({"model": DIGEST}, PROVENANCE, {}, HOME)
    assert hear_about(said, PROVENANCE, DIGEST, TRUST, "it")[0].digests() == {"model": DIGEST}
    with pytest.raises(Refused, match="it was signed for"):
        hear_about(said, PROVENANCE, OTHER, TRUST, "it")
    with pytest.raises(Refused, match=f"{BILL}' expected"):
        hear(said, BILL, TRUST, "it")


def test_subjects_may_have_other_digests_too() -> None:
    payload = b'{"_type":"%b","subject":[{"name":"x","digest":{"sha512":"00"}}],"predicateType":"%b","predicate":{}}'
    said = seal(IN_TOTO, payload % (statements.STATEMENT.encode(), RELEASE.encode()), HOME)
    with pytest.raises(Refused, match="signed for nothing"):
        hear_about(said, RELEASE, DIGEST, TRUST, "it")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b'{"_type":"https://in-toto.io/Statement/v0.1","subject":[],"predicateType":"x","predicate":{}}',
        b'{"subject":[],"predicateType":"x","predicate":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001,
    ],
)
def test_what_is_rightly_signed_and_no_statement_is_told(payload: bytes) -> None:
    with pytest.raises(Corrupt):
        hear(seal(IN_TOTO, payload, HOME), "x", TRUST, "it")


def test_what_is_no_digest_is_not_signed() -> None:
    with pytest.raises(Invalid, match="no digest"):
        say({"model": "sha256:short"}, RELEASE, {}, HOME)


def test_provenance_is_of_one_package_and_must_be_there() -> None:
    release = Release("late", 1, DIGEST)
    said = say({"manifest.json": DIGEST}, PROVENANCE, {}, HOME)
    assert check_provenance(release, said, TRUST).key == HOME.public_key
    with pytest.raises(Refused, match="late 1 is not signed"):
        check_provenance(release, None, TRUST)
    with pytest.raises(Refused, match="the provenance of late 2"):
        check_provenance(Release("late", 2, OTHER), said, TRUST)
    with pytest.raises(Refused):
        check_provenance(release, say({"manifest.json": DIGEST}, BILL, {}, HOME), TRUST)


@given(st.text(max_size=20), st.integers(1, 10**6))
def test_a_release_is_read_as_it_was_written(model: str, version: int) -> None:
    release = Release(model, version, DIGEST, OTHER)
    assert bundles.decode(bundles.encode(release)) == release


@given(st.binary(max_size=60))
def test_what_is_no_release_is_told_and_never_breaks(content: bytes) -> None:
    with pytest.raises(LockgateError):
        bundles.decode(content)
