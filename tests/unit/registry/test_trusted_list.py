"""The policy's trusted types and keys reach the data plane as files, at the start and when they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary import trust
from lockgate.boundary.trust import TrustedKey
from lockgate.boundary.trusted_types import FILE, TrustedTypes, read
from lockgate.domain.policy import SignatureRule
from lockgate.entrypoints.api.trusted_list import TrustedList
from lockgate.ports.state import POLICIES
from lockgate.testing.company import policy, policy_record
from lockgate.testing.signer import KeySigner
from lockgate.testing.state import MemoryState
from lockgate.usecases.list_trusted_types import list_trusted_types


def put(state: MemoryState, *types: str, digest: str = "sha256:1") -> None:
    with state.write() as tx:
        tx.put(POLICIES, policy_record(policy=policy(trusted_types=types), digest=digest))


def test_without_a_policy_lockgates_own_list_holds(tmp_path: Path) -> None:
    TrustedList(MemoryState(), tmp_path).look()
    assert read(tmp_path) == TrustedTypes()
    assert str(read(tmp_path)) == "Lockgate's own list"


def test_a_change_of_the_policy_is_followed_and_can_be_told(tmp_path: Path) -> None:
    state = MemoryState()
    trusted = TrustedList(state, tmp_path / "plane")
    put(state, "company.models.Encoder")
    trusted.look()
    assert read(tmp_path / "plane").types == ("company.models.Encoder",) == list_trusted_types(state).types
    put(state, "company.models.Encoder", "company.models.Other", digest="sha256:2")
    trusted.look()
    assert "2 types of the policy" in str(read(tmp_path / "plane"))
    put(state, digest="sha256:3")
    trusted.look()
    assert read(tmp_path / "plane").types == ()


def test_a_list_that_may_not_be_leaves_the_former_one_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As a state of another release might hold it: `policy set` refuses it."""
    state = MemoryState()
    trusted = TrustedList(state, tmp_path)
    put(state, "company.models.Encoder")
    trusted.look()
    put(state, "os.system", digest="sha256:2")
    trusted.look()
    trusted.look()
    assert read(tmp_path).types == ("company.models.Encoder",)
    assert [record.message for record in caplog.records].count("trusted types not written; the former list holds") == 1


def test_it_follows_by_itself(tmp_path: Path) -> None:
    state = MemoryState()
    put(state, "company.models.Encoder")
    TrustedList(state, tmp_path).follow()
    assert (tmp_path / FILE).exists()


def test_keys_are_laid_down_while_the_policy_asks_for_signatures(tmp_path: Path) -> None:
    state, key = MemoryState(), KeySigner("partner").public_key
    trusted = TrustedList(state, tmp_path)
    trusted.look()
    assert not (tmp_path / trust.FILE).exists()
    own = KeySigner("home").public_key
    for revoked in ((), (f"{key} the partner",)):
        rule = SignatureRule(required=True, keys=(f"{key} the partner",), revoked=revoked)
        with state.write() as tx:
            tx.put(POLICIES, policy_record(policy=policy(signatures=rule), own_key=own))
        trusted.look()
        expected = (TrustedKey(own, "this home"), TrustedKey(key, "the partner", revoked=bool(revoked)))
        assert trust.read(tmp_path / trust.FILE).keys == expected
    put(state)
    trusted.look()
    assert not (tmp_path / trust.FILE).exists()


def test_nothing_starts_where_a_list_cannot_be_written(tmp_path: Path) -> None:
    """A list that is missing asks for nothing: a server that started all the same would load what nobody vouches for."""
    state = MemoryState()
    with state.write() as tx:
        tx.put(POLICIES, policy_record(policy=policy(signatures=SignatureRule(required=True)), own_key=KeySigner().public_key))
    (tmp_path / "plane").write_text("a file stands where the folder should be")
    with pytest.raises(OSError, match="plane"):
        TrustedList(state, tmp_path / "plane").lay_down()
