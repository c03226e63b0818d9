"""What is said of files, to be signed: in-toto statements (version 1) about subjects, each named with its digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lockgate.boundary.envelopes import IN_TOTO, Sealer, seal, unseal
from lockgate.boundary.trust import Trust, TrustedKey
from lockgate.kernel.digest import PREFIX, canonical_json, digits, short
from lockgate.kernel.errors import Corrupt, Refused

STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"  # of a package: who made it, from what
BILL = "https://cyclonedx.org/bom"  # of a package: what it is made of
RELEASE = "https://in-toto.io/attestation/release/v0.1"  # of a form: its members


class Subject(msgspec.Struct, frozen=True):
    """digest: by algorithm, as `{"sha256": 64 digits}`."""

    name: str
    digest: dict[str, str]


class Statement(msgspec.Struct, frozen=True, rename={"type": "_type", "predicate_type": "predicateType"}):
    subject: tuple[Subject, ...]
    predicate_type: str
    predicate: dict[str, Any]
    type: str = STATEMENT

    def digests(self) -> dict[str, str]:
        """Of the subjects that have one, by name, as `sha256:…`."""
        return {one.name: PREFIX + one.digest["sha256"] for one in self.subject if "sha256" in one.digest}


def say(subjects: Mapping[str, str], predicate_type: str, predicate: Mapping[str, Any], *sealers: Sealer) -> bytes:
    """The signed statement, an envelope's JSON: the same for the same words and keys. subjects: name → digest, as `sha256:…`."""
    stated = Statement(
        tuple(Subject(name, {"sha256": digits(digest)}) for name, digest in sorted(subjects.items())),
        predicate_type,
        dict(predicate),
    )
    return seal(IN_TOTO, canonical_json(msgspec.to_builtins(stated)), *sealers)


def hear(content: bytes, predicate_type: str, trust: Trust, what: str) -> tuple[Statement, TrustedKey]:
    """The statement in an envelope, and the trusted key that signed it.

    Raises:
        Corrupt: it is no statement. Refused: as envelopes.unseal; or it says something else than `predicate_type`.
    """
    payload, key = unseal(content, IN_TOTO, trust, what)
    stated = read(payload, what)
    if stated.predicate_type != predicate_type:
        raise Refused(f"{what}: a statement of {stated.predicate_type!r:.80} found, {predicate_type!r} expected")
    return stated, key


def hear_about(content: bytes, predicate_type: str, digest: str, trust: Trust, what: str) -> tuple[Statement, TrustedKey]:
    """The same, of one subject that must be among those that it speaks of.

    Raises:
        Corrupt, Refused: as `hear`; Refused too if it speaks of something else.
    """
    stated, key = hear(content, predicate_type, trust, what)
    if digest not in stated.digests().values():
        found = ", ".join(short(one) for one in stated.digests().values()) or "nothing"
        raise Refused(f"{what}: it was signed for {found:.200}, {short(digest)} expected", hint="It was swapped: fetch it anew.")
    return stated, key


def read(payload: bytes, what: str) -> Statement:
    """Raises Corrupt if it is no statement."""
    try:
        stated = msgspec.json.decode(payload, type=Statement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Corrupt(f"{what}: this is no in-toto statement: {error}") from error
    if stated.type != STATEMENT:
        raise Corrupt(f"{what}: a statement of {stated.type!r:.80} found, {STATEMENT} expected")
    return stated
