"""DSSE: what is signed is the payload with its type; nothing else than what was signed is ever given out."""

from __future__ import annotations

from base64 import b64decode, b64encode, urlsafe_b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.envelopes import IN_TOTO, pre_authentication, seal, unseal
from lockgate.boundary.public_keys import key_id
from lockgate.boundary.trust import Trust, TrustedKey, trusting
from lockgate.kernel.errors import Corrupt, Refused
from lockgate.testing.signer import KeySigner

HOME, OTHER, THIRD = KeySigner("home"), KeySigner("other"), KeySigner("third")
TRUST = trusting([HOME.public_key])
KIND = "application/vnd.tests+json"
payloads = st.binary(max_size=200)


def opened(content: bytes, trust: Trust = TRUST, kind: str = KIND) -> bytes:
    return unseal(content, kind, trust, "the thing")[0]


def parts(content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(content)
    return found


def test_the_specifications_own_example_is_signed_as_it_says() -> None:
    """The pre-authentication encoding of protocol.md, version 1.0.2."""
    signed = pre_authentication("http://example.com/HelloWorld", b"hello world")
    assert signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@given(payloads)
def test_what_was_sealed_is_what_is_opened_and_by_whom(payload: bytes) -> None:
    content = seal(KIND, payload, HOME)
    assert unseal(content, KIND, TRUST, "it") == (payload, TrustedKey(HOME.public_key))
    assert seal(KIND, payload, HOME) == content, "the same bytes, at any time"
    assert parts(content)["signatures"][0]["keyid"] == key_id(HOME.public_key)


@given(payloads, st.data())
def test_no_bit_of_the_payload_or_the_signature_can_be_another(payload: bytes, data: st.DataObject) -> None:
    known = parts(seal(KIND, payload or b"x", HOME))
    holder, name = data.draw(st.sampled_from([(known, "payload"), (known["signatures"][0], "sig"), (known, "payloadType")]))
    raw = bytearray(holder[name].encode())
    place = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[place // 8] ^= 1 << place % 8
    holder[name] = raw.decode("latin-1")
    with pytest.raises((Refused, Corrupt)):
        opened(msgspec.json.encode(known))


@given(payloads, st.text(max_size=40))
def test_a_signature_of_one_type_is_none_of_another(payload: bytes, other: str) -> None:
    content = seal(KIND, payload, HOME)
    if other != KIND:
        with pytest.raises(Refused, match="expected"):
            opened(content, kind=other)
        with pytest.raises(Refused, match="wrong"):
            opened(msgspec.json.encode({**parts(content), "payloadType": other}), kind=other)


def test_where_types_and_payloads_meet_nothing_can_be_moved_over() -> None:
    """`ab` + `c` is not `a` + `bc`: both lengths are signed."""
    content = parts(seal(KIND, b" 3 abc", HOME))
    moved = {**content, "payloadType": f"{KIND} 6", "payload": b64encode(b"abc").decode()}
    with pytest.raises(Refused, match="wrong"):
        opened(msgspec.json.encode(moved), kind=f"{KIND} 6")


@given(payloads)
def test_other_tools_may_spell_base_64_for_urls(payload: bytes) -> None:
    known = parts(seal(KIND, payload, HOME))
    known["payload"] = urlsafe_b64encode(payload).decode()
    known["signatures"][0]["sig"] = urlsafe_b64encode(b64decode(known["signatures"][0]["sig"])).decode()
    assert opened(msgspec.json.encode(known)) == payload


def test_several_may_sign_and_one_who_is_trusted_suffices() -> None:
    content = seal(KIND, b"it", OTHER, HOME, THIRD)
    assert unseal(content, KIND, TRUST, "it")[1].key == HOME.public_key
    both = Trust((TrustedKey(OTHER.public_key, "laptop", revoked=True), TrustedKey(HOME.public_key)))
    assert unseal(content, KIND, both, "it")[1].key == HOME.public_key, "a revoked key beside it does no harm"
    with pytest.raises(Refused, match="none of the 1 trusted keys"):
        opened(seal(KIND, b"it", OTHER, THIRD))


def test_what_only_a_revoked_key_signed_counts_no_more() -> None:
    trust = Trust((TrustedKey(HOME.public_key, "laptop", revoked=True), TrustedKey(OTHER.public_key)))
    with pytest.raises(Refused, match="the key laptop, which was revoked"):
        opened(seal(KIND, b"it", HOME), trust)


def test_the_name_of_a_key_is_a_hint_and_no_proof() -> None:
    known = parts(seal(KIND, b"it", OTHER))
    known["signatures"][0]["keyid"] = key_id(HOME.public_key)
    with pytest.raises(Refused, match="wrong"):
        opened(msgspec.json.encode(known))
    unnamed = parts(seal(KIND, b"it", HOME))
    del unnamed["signatures"][0]["keyid"]
    assert opened(msgspec.json.encode(unnamed)) == b"it", "other tools need not name it"


def test_nobodys_signature_is_none() -> None:
    with pytest.raises(Refused, match="it is not signed"):
        opened(seal(KIND, b"it"))
    with pytest.raises(Refused):
        opened(seal(KIND, b"it", HOME), Trust())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"payload":1,"payloadType":"","signatures":[]}',
        b'{"payload":"AAAA","payloadType":"","signatures":[' + b",".join([b'{"sig":"AAAA"}'] * 17) + b"]}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_envelope_is_told(content: bytes) -> None:
    with pytest.raises(Corrupt):
        opened(content, kind="")


@pytest.mark.parametrize("payload", ["A", "AA", "AB==", "AA==\n", "Ä===", "A A="])
def test_a_payload_has_one_spelling(payload: str) -> None:
    known = parts(seal(IN_TOTO, b"\0", HOME))
    assert known["payload"] == "AA=="
    with pytest.raises(Corrupt, match="no base 64"):
        opened(msgspec.json.encode({**known, "payload": payload}), kind=IN_TOTO)
