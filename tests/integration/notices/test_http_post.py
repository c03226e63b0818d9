"""Requests to receivers on this machine: what arrives, what is never asked, what takes too long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lockgate.integrations.http import connect
from lockgate.integrations.http.post import LONGEST, HttpPost
from lockgate.kernel.errors import Refused, Unavailable
from lockgate.ports.post import Answer
from lockgate.testing.clock import START, VirtualClock
from tests.samples.certificates import Authority
from tests.samples.receivers import HttpReceiver, closed_port, http_receiver

pytestmark = pytest.mark.integration

HERE = ("127.0.0.1",)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as here:
        yield here


def post(receiver: HttpReceiver, **options: float) -> Answer:
    return HttpPost(VirtualClock(), **options).send(receiver.url, {"webhook-id": "webhook-1-7"}, b"{}", HERE)  # type: ignore[arg-type]


def test_what_is_sent_arrives_and_the_answer_comes_back(receiver: HttpReceiver) -> None:
    receiver.status, receiver.headers = 201, {"retry-after": "120"}
    assert post(receiver) == Answer(201, b"thank you", 120.0)
    [request] = receiver.got
    assert (request.path, request.body) == ("/hook?token=very-secret", b"{}")
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["webhook-id"] == "webhook-1-7"
    assert request.headers["content-length"] == "2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0.0), ("Mon, 05 Jan 2026 09:10:00 GMT", 600.0), ("Mon, 05 Jan 2026 08:00:00 GMT", 0.0), ("soon", None), ("-5", None)],
)
def test_a_pause_is_asked_for_in_seconds_or_by_a_date(receiver: HttpReceiver, text: str, expected: float | None) -> None:
    assert datetime(2026, 1, 5, 9, tzinfo=UTC) == START
    receiver.status, receiver.headers = 503, {"retry-after": text}
    assert post(receiver).retry_after == expected


def test_a_redirect_is_followed_by_nobody(receiver: HttpReceiver) -> None:
    with http_receiver() as inside:
        receiver.status, receiver.headers = 307, {"location": inside.url}
        assert post(receiver).status == 307
        assert inside.got == []


def test_no_proxy_is_taken_from_the_environment(receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("no_proxy", "")
    assert post(receiver).status == 200


def test_of_a_long_answer_only_so_much_is_read(receiver: HttpReceiver) -> None:
    receiver.body = b"x" * (4 * LONGEST)
    assert len(post(receiver).body) == LONGEST


@pytest.mark.parametrize("slowness", [{"delay": 30.0}, {"trickle": 0.05, "body": b"x" * 1000}])
def test_a_slow_receiver_costs_a_bounded_time(receiver: HttpReceiver, slowness: dict[str, float]) -> None:
    """Also one that always sends something: each byte alone would come in time."""
    for name, value in slowness.items():
        setattr(receiver, name, value)
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=r"no answer within 0.5 s"):
        post(receiver, seconds=0.5)
    assert time.monotonic() - begun < 2
    assert len(receiver.got) == 1


def test_where_nobody_listens_nobody_answers() -> None:
    with pytest.raises(Unavailable, match="ConnectionRefused"):
        HttpPost().send(f"http://127.0.0.1:{closed_port()}/x?token=very-secret", {}, b"", HERE)


def test_no_message_spells_the_path() -> None:
    with pytest.raises(Unavailable) as caught:
        HttpPost().send(f"http://127.0.0.1:{closed_port()}/x?token=very-secret", {}, b"", HERE)
    assert "secret" not in str(caught.value)


INSIDE = ["127.0.0.1", "::1", "169.254.169.254", "fd00:ec2::254", "10.0.0.1", "fe80::1%eth0", "100.64.0.1"]


@pytest.mark.parametrize("addresses", [*([one] for one in INSIDE), ["1.1.1.1", "10.0.0.1"]])
def test_a_name_that_leads_inside_is_never_asked(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.create_connection", lambda *_args, **_more: pytest.fail("a connection"))
    guarded = HttpPost(resolver=lambda _host, _port: addresses)
    with pytest.raises(Refused, match="leads to an address that is not public"):
        guarded.send("https://rebind.example.org/", {}, b"", ())


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://[::ffff:127.0.0.1]/"])
def test_this_machine_is_not_asked_unless_the_policy_names_it(url: str) -> None:
    with pytest.raises(Refused, match="not public"):
        HttpPost().send(url, {}, b"", ())


def test_the_name_is_asked_once_and_what_was_checked_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: a name that is public when it is checked, and this machine when it is asked again."""
    answers = [["1.1.1.1"], ["127.0.0.1"]]
    called: list[str] = []

    def connection(address: tuple[str, int], timeout: float) -> None:
        del timeout
        called.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.create_connection", connection)
    with pytest.raises(Unavailable):
        HttpPost(resolver=lambda _host, _port: answers.pop(0)).send("https://rebind.example.org/", {}, b"", ())
    assert (called, len(answers)) == (["1.1.1.1"], 1)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this machine trusts."""
    authority = Authority(tmp_path, datetime.now(UTC))  # noqa: TID251 - certificates hold by the real time
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    connect._context.cache_clear()
    return authority


def test_tls_is_verified_by_name(trusted: Authority) -> None:
    """The certificate is for 127.0.0.1: as `localhost` the same server is a stranger."""
    with http_receiver(trusted.pair("server")) as receiver:
        answer = HttpPost().send(f"https://127.0.0.1:{receiver.port}/", {}, b"{}", HERE)
        assert answer.status == 200
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            HttpPost().send(f"https://localhost:{receiver.port}/", {}, b"{}", ("localhost",))
        assert len(receiver.got) == 1


def test_an_authority_that_nobody_trusts_vouches_for_nothing(tmp_path: Path) -> None:
    connect._context.cache_clear()
    with http_receiver(Authority(tmp_path, datetime.now(UTC)).pair("server")) as receiver:  # noqa: TID251
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            HttpPost().send(f"https://127.0.0.1:{receiver.port}/", {}, b"{}", HERE)
        assert receiver.got == []
