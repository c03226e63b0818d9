"""A channel's pointer is believed if it is signed, of this channel, and not older than what was seen."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from lockgate.boundary.envelopes import IN_TOTO, seal
from lockgate.boundary.pointers import POINTER, Pointer, channel_of, follow, parse_channel, publish
from lockgate.boundary.releases import Release
from lockgate.boundary.routes import Revision
from lockgate.boundary.trust import Trust, TrustedKey, trusting
from lockgate.kernel.errors import Corrupt, Invalid, Refused
from lockgate.testing import builders as a
from lockgate.testing.signer import KeySigner

HOME = KeySigner("home")
TRUST = trusting([HOME.public_key])
CHANNEL = channel_of(a.MODEL, "production")
revisions = st.builds(Revision, st.integers(0, 3), st.integers(0, 3))


def pointer(revision: Revision = Revision(0, 1), **fields: object) -> Pointer:  # noqa: B008 - it is frozen
    known = Pointer(CHANNEL, revision, a.route(), (Release(a.MODEL, 1, a.digest("package 1")),), 1.5)
    return structs.replace(known, **fields)


@given(revisions)
def test_what_was_published_is_followed(revision: Revision) -> None:
    found = pointer(revision)
    assert follow(publish(found, HOME), CHANNEL, TRUST) == found
    assert found.release(1).version == 1
    with pytest.raises(Corrupt, match="does not say where it is"):
        found.release(2)


@given(revisions, revisions)
def test_nobody_goes_backwards(revision: Revision, seen: Revision) -> None:
    content = publish(pointer(revision), HOME)
    if revision < seen:
        with pytest.raises(Refused, match="an old pointer was put back"):
            follow(content, CHANNEL, TRUST, seen)
    else:
        assert follow(content, CHANNEL, TRUST, seen).revision == revision


def test_another_channels_pointer_is_not_followed() -> None:
    with pytest.raises(Refused, match="staging"):
        follow(publish(pointer(channel=channel_of(a.MODEL, "staging")), HOME), CHANNEL, TRUST)


def test_a_pointer_leads_to_no_other_model() -> None:
    elsewhere = pointer(releases=(Release("other", 1, a.digest("other")),))
    with pytest.raises(Refused, match="another model, 'other'"):
        follow(publish(elsewhere, HOME), CHANNEL, TRUST)
    with pytest.raises(Refused, match="another model, 'other'"):
        follow(publish(pointer(route=a.route(model="other")), HOME), CHANNEL, TRUST)


def test_who_is_not_trusted_leads_nobody() -> None:
    content = publish(pointer(), HOME)
    with pytest.raises(Refused, match="none of the 1 trusted"):
        follow(content, CHANNEL, trusting([KeySigner("other").public_key]))
    with pytest.raises(Refused, match="revoked"):
        follow(content, CHANNEL, Trust((TrustedKey(HOME.public_key, revoked=True),)))


def test_a_pointer_that_is_signed_as_something_else_is_none() -> None:
    payload = msgspec.json.encode(pointer())
    with pytest.raises(Refused, match=r"pointer\+json' expected"):
        follow(seal(IN_TOTO, payload, HOME), CHANNEL, TRUST)
    for content in (b"{}", b"\xff", b'{"channel":' + b"[" * 100_000):
        with pytest.raises(Corrupt, match="cannot be read"):
            follow(seal(POINTER, content, HOME), CHANNEL, TRUST)


@pytest.mark.parametrize("name", ["", "late", "@production", "late@", "late@Prod", "../late@production", "late@p/x", "late@a@b"])
def test_what_is_no_channel_is_told(name: str) -> None:
    with pytest.raises(Invalid, match="MODEL@ENVIRONMENT expected"):
        parse_channel(name)
    assert parse_channel(CHANNEL) == (a.MODEL, "production")
