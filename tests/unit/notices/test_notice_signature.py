"""A receiver can verify a notice by the published specification, without anything of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.errors import Invalid
from lockgate.stages.watch.notices.signature import check_key, headers, new_key

# The example of the specification's own test suites.
KEY, NOTICE, AT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
BODY, SIGNATURE = b'{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def verifies(key: str, sent: dict[str, str], body: bytes) -> bool:
    """As a receiver would write it."""
    secret = base64.b64decode(key.split("_", 1)[1])
    content = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(expected, one) for one in sent["webhook-signature"].split(" "))


def test_the_published_example() -> None:
    assert headers([KEY], NOTICE, AT, BODY) == {
        "webhook-id": NOTICE,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


@given(st.binary(), st.integers(0, 2**33))
def test_a_receiver_with_either_key_verifies_it_and_no_other(body: bytes, at: int) -> None:
    now, before, strange = new_key(), new_key(), new_key()
    sent = headers([now, before], "webhook-1-7", at, body)
    assert verifies(now, sent, body)
    assert verifies(before, sent, body)
    assert not verifies(strange, sent, body)
    assert not verifies(now, sent, body + b" ")
    assert not verifies(now, {**sent, "webhook-timestamp": str(at + 1)}, body)
    assert not verifies(now, {**sent, "webhook-id": "webhook-1-8"}, body)


def test_a_new_key_is_a_good_one_and_never_the_same() -> None:
    made = {new_key() for _ in range(100)}
    assert len(made) == 100
    for key in (*made, KEY):
        check_key(key)


@pytest.mark.parametrize(
    "text", ["", "secret", KEY.removeprefix("whsec_"), "whsec_", "whsec_AAAA", "whsec_%%%%", "whsec_" + "A" * 88]
)
def test_what_is_no_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Invalid, match="24 to 64 bytes") as caught:
        check_key(text)
    assert not text or text == "whsec_" or text not in str(caught.value)
