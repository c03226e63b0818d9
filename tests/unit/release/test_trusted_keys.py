"""Keys as text, and the list of those that count: what people keep, mail and read."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary import trust
from lockgate.boundary.public_keys import as_pem, genuine, key_id, understood
from lockgate.boundary.trust import Trust, TrustedKey, parse, spelled, together, trusting
from lockgate.kernel.errors import Invalid, InvalidInput
from lockgate.testing.signer import KeySigner

KEYS = [KeySigner(str(number)).public_key for number in range(5)]
names = st.text(st.characters(categories=["L", "N", "P"], exclude_characters="#"), max_size=20)
keys = st.lists(
    st.builds(TrustedKey, st.sampled_from(KEYS), names, st.booleans()), unique_by=lambda one: one.key, max_size=len(KEYS)
).map(lambda found: Trust(tuple(found)))


@given(keys)
def test_a_list_is_read_as_it_was_written(found: Trust) -> None:
    assert parse(spelled(found)) == found
    assert set(found.by_id()) == {key_id(one.key) for one in found.keys}


def test_people_may_say_more() -> None:
    text = f"# who may sign\n\n  {KEYS[0]}   the platform  # since May\nrevoked {KEYS[1]} laptop of 2025\n{KEYS[2]}\n"
    assert parse(text).keys == (
        TrustedKey(KEYS[0], "the platform"),
        TrustedKey(KEYS[1], "laptop of 2025", revoked=True),
        TrustedKey(KEYS[2]),
    )


def test_all_faults_are_told_with_their_lines() -> None:
    with pytest.raises(InvalidInput) as told:
        parse(f"{KEYS[0]}\nrevoked\nrsa:AAAA\n{KEYS[0]} again\n")
    assert [(fault.line, "expected" in fault.message or "twice" in fault.message) for fault in told.value.faults] == [
        (2, True),
        (3, True),
        (4, True),
    ]


def test_to_revoke_a_key_is_to_add_a_line() -> None:
    first, second = f"{KEYS[0]} the laptop\n{KEYS[1]}\n", f"revoked {KEYS[0]}\n"
    revoked = TrustedKey(KEYS[0], "the laptop", revoked=True)
    assert parse(first + second).keys == (revoked, TrustedKey(KEYS[1]))
    assert parse(second + first).keys == (revoked, TrustedKey(KEYS[1]))
    with pytest.raises(InvalidInput, match="found twice"):
        parse(first + second + second)


@given(keys, keys)
def test_of_two_lists_the_one_that_revokes_is_believed(one: Trust, other: Trust) -> None:
    both = together((*one.keys, *other.keys))
    assert both.by_id().keys() == one.by_id().keys() | other.by_id().keys()
    gone = {key.key for key in (*one.keys, *other.keys) if key.revoked}
    assert {key.key for key in both.keys if key.revoked} == gone


def test_there_is_an_end_to_it() -> None:
    text = "\n".join(KeySigner(f"many {number}").public_key for number in range(trust.MOST + 1))
    with pytest.raises(InvalidInput, match="at most 200"):
        parse(text)


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="No such file"):
        trust.read(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="it is no text"):
        trust.read(tmp_path / "binary")
    (tmp_path / "keys").write_text(KEYS[0])
    assert trust.read(tmp_path / "keys") == trusting([KEYS[0]])


@given(st.binary(min_size=32, max_size=32))
def test_a_key_has_one_spelling(raw: bytes) -> None:
    text = "ed25519:" + b64encode(raw).decode()
    assert understood(text + "\n") == text
    urls = "ed25519:" + urlsafe_b64encode(raw).decode()
    if urls != text:
        with pytest.raises(Invalid):
            key_id(urls)


@given(st.one_of(st.text(max_size=60), st.binary(max_size=40).map(lambda raw: "ed25519:" + b64encode(raw).decode())))
def test_what_is_no_key_is_told_and_never_breaks(text: str) -> None:
    with suppress(Invalid):
        assert len(key_id(text)) == 64


def test_other_tools_keys_are_understood() -> None:
    assert understood(as_pem(KEYS[0])) == KEYS[0]
    wrong = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(Invalid, match="another kind"):
        understood(wrong.decode())
    with pytest.raises(Invalid, match="cannot be read"):
        understood("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")


@given(st.text(max_size=100))
def test_what_is_no_signature_is_not_genuine(text: str) -> None:
    assert not genuine(KEYS[0], b"content", text)
