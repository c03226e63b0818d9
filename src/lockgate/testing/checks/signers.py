"""The contract of ports.signer.Signer."""

# ruff: noqa: S101 - these are tests, of implementations that are not ours to know

from __future__ import annotations

from collections.abc import Callable

from lockgate.kernel.errors import Invalid
from lockgate.ports.signer import Signer

Open = Callable[[str], Signer]
"""The signer of that name: for the same name the same key, also when it is opened again."""


def a_key_stays_the_same(opened: Open) -> None:
    assert opened("one").public_key == opened("one").public_key
    assert opened("one").public_key != opened("other").public_key


def a_signature_is_of_one_content_and_one_key(opened: Open) -> None:
    one, other = opened("one"), opened("other")
    signature = one.sign(b"content")
    assert opened("one").genuine(one.public_key, b"content", signature)
    assert other.genuine(one.public_key, b"content", signature), "the public key suffices to look"
    assert not one.genuine(one.public_key, b"contents", signature)
    assert not one.genuine(other.public_key, b"content", signature)


def what_is_no_signature_is_not_genuine(opened: Open) -> None:
    one = opened("one")
    for text in ("", "AAAA", "no base64!", "é", one.sign(b"content")[:-8]):
        assert not one.genuine(one.public_key, b"content", text)


def what_is_no_public_key_is_refused(opened: Open) -> None:
    for text in ("", "nothing", "rsa:AAAA"):
        try:
            opened("one").genuine(text, b"content", opened("one").sign(b"content"))
        except Invalid as error:
            assert "expected" in error.message  # noqa: PT017 - this module needs no pytest
        else:
            raise AssertionError(f"{text!r} was taken for a public key")


SIGNER_CHECKS: tuple[Callable[[Open], None], ...] = (
    a_key_stays_the_same,
    a_signature_is_of_one_content_and_one_key,
    what_is_no_signature_is_not_genuine,
    what_is_no_public_key_is_refused,
)
