"""Signed payloads: DSSE, the Dead Simple Signing Envelope of secure-systems-lab (protocol and envelope of version 1.0.2).

What is signed is the payload together with what it is (its type), so that no signature of one thing can be shown for another.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Protocol

import msgspec

from lockgate.boundary.public_keys import genuine, key_id, unspelled
from lockgate.boundary.trust import Trust, TrustedKey
from lockgate.kernel.errors import Corrupt, Refused

IN_TOTO = "application/vnd.in-toto+json"
_MOST = 16  # signatures


class Sealer(Protocol):
    """Whoever holds a private key: see ports.signer.Signer."""

    @property
    def public_key(self) -> str: ...

    def sign(self, content: bytes) -> str: ...


class Signature(msgspec.Struct, frozen=True):
    """sig: base 64, as the payload. keyid: the key's fingerprint, see `public_keys.key_id`: a hint that nobody believes."""

    sig: str
    keyid: str = ""


class Envelope(msgspec.Struct, frozen=True, rename={"payload_type": "payloadType"}):
    """payload: base 64, standard as we write it, or URL-safe as other tools may."""

    payload: str
    payload_type: str
    signatures: tuple[Signature, ...]


def seal(payload_type: str, payload: bytes, *sealers: Sealer) -> bytes:
    """The envelope's JSON; the same for the same keys, since Ed25519 signs without chance."""
    content = pre_authentication(payload_type, payload)
    signed = tuple(Signature(one.sign(content), key_id(one.public_key)) for one in sealers)
    return msgspec.json.encode(Envelope(b64encode(payload).decode(), payload_type, signed), order="deterministic")


def unseal(content: bytes, payload_type: str, trust: Trust, what: str) -> tuple[bytes, TrustedKey]:
    """The payload, and the trusted key that signed it. what: for people, as `the pointer of flight-delay@production`.

    Raises:
        Corrupt: it is no envelope. Refused: it holds something else, or no signature by a key that is trusted and not revoked.
    """
    envelope = decode(content, what)
    if envelope.payload_type != payload_type:
        raise Refused(f"{what}: an envelope of {envelope.payload_type!r:.80} found, {payload_type!r} expected")
    payload = payload_of(envelope, what)
    signed = pre_authentication(payload_type, payload)
    revoked: list[TrustedKey] = []
    for key in _named(envelope, trust):
        if any(genuine(key.key, signed, one.sig) for one in envelope.signatures):
            if not key.revoked:
                return payload, key
            revoked.append(key)
    raise Refused(f"{what}: {_why(envelope, trust, revoked)}", hint="See who signed it, and which keys are trusted.")


def decode(content: bytes, what: str) -> Envelope:
    """Nothing is verified.

    Raises:
        Corrupt: it is no envelope.
    """
    try:
        envelope = msgspec.json.decode(content, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Corrupt(f"{what}: this is no signed envelope: {error}") from error
    if len(envelope.signatures) > _MOST:
        raise Corrupt(f"{what}: {len(envelope.signatures)} signatures found, at most {_MOST} expected")
    return envelope


def payload_of(envelope: Envelope, what: str) -> bytes:
    """Raises Corrupt if it is no base 64."""
    try:
        return unspelled(envelope.payload)
    except ValueError as error:
        raise Corrupt(f"{what}: its payload is no base 64: {error}") from error


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _named(envelope: Envelope, trust: Trust) -> list[TrustedKey]:
    """The trusted keys that the signatures name; all, where one names none."""
    known = trust.by_id()
    if not all(one.keyid for one in envelope.signatures):
        return list(known.values())
    return [known[one.keyid] for one in envelope.signatures if one.keyid in known]


def _why(envelope: Envelope, trust: Trust, revoked: list[TrustedKey]) -> str:
    if not envelope.signatures:
        return "it is not signed"
    if revoked:
        return f"it is signed by the key {revoked[0].name or revoked[0].key}, which was revoked"
    if _named(envelope, trust):
        return "its signature is wrong: it was altered, or is of something else"
    signers = ", ".join(one.keyid[:12] or "unknown" for one in envelope.signatures)
    return f"it is signed by {signers}, none of the {len(trust.keys)} trusted keys"
