"""Mails to a mail server on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lockgate.integrations.smtp.mail import SmtpMail
from lockgate.kernel.errors import Invalid, NotFound, Refused, Unavailable
from lockgate.testing.clock import VirtualClock
from tests.samples.certificates import Authority
from tests.samples.receivers import closed_port, smtp_receiver

pytestmark = pytest.mark.integration

Make = Callable[..., SmtpMail]


@pytest.fixture
def mail(tmp_path: Path) -> Make:
    def make(port: int, **settings: Any) -> SmtpMail:
        path = tmp_path / "smtp.json"
        path.write_text(
            json.dumps({"host": "127.0.0.1", "port": port, "from": "lockgate@example.org", "starttls": False, **settings})
        )
        path.chmod(0o600)
        return SmtpMail(path, VirtualClock())

    return make


def send(mail: SmtpMail, subject: str = "it happened") -> None:
    mail.send("team@example.org", subject, "It happened.\n", "webhook-1-7")


def test_a_mail_arrives(mail: Make) -> None:
    with smtp_receiver() as receiver:
        send(mail(receiver.port))
    [got] = receiver.got
    assert {name: got[name] for name in ("From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted")} == {
        "From": "lockgate@example.org",
        "To": "team@example.org",
        "Subject": "it happened",
        "Message-ID": "<webhook-1-7@lockgate.invalid>",
        "Date": "Mon, 05 Jan 2026 09:00:00 +0000",
        "Auto-Submitted": "auto-generated",
    }
    assert got.get_content().splitlines() == ["It happened."]


def test_nobody_writes_headers_by_a_comment(mail: Make) -> None:
    with smtp_receiver() as receiver:
        send(mail(receiver.port), "hello\r\nBcc: all@example.org\n\nDear all,\u2028ü" + "x" * 1000)
    [got] = receiver.got
    assert got["Bcc"] is None
    assert got["Subject"].startswith("hello Bcc: all@example.org Dear all, ü")
    assert len(got["Subject"]) == 150
    assert [line for line in receiver.said if line.startswith("rcpt")] == ["rcpt TO:<team@example.org>"]


@pytest.mark.parametrize(("said", "expected"), [("550 no such user", Refused), ("451 try later", Unavailable)])
def test_whether_it_may_go_well_later(mail: Make, said: str, expected: type[Exception]) -> None:
    with smtp_receiver() as receiver:
        receiver.refuse = said
        with pytest.raises(expected, match=said):
            send(mail(receiver.port))
    assert receiver.got == []


def test_a_server_that_is_away_is_waited_for(mail: Make) -> None:
    with pytest.raises(Unavailable, match="ConnectionRefused"):
        send(mail(closed_port()))


def test_a_password_is_told_under_tls_to_whom_it_is_for(mail: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path, datetime.now(UTC))  # noqa: TID251 - certificates hold by the real time
    with smtp_receiver(authority.pair("mail")) as receiver:
        named = mail(receiver.port, starttls=True, user="lockgate", password="very-secret")
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            send(named)
        assert not any(line.startswith("AUTH") for line in receiver.said)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        send(named)
        assert any(line.startswith("AUTH PLAIN") for line in receiver.said)
        assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"host": "mail.example.org"}, "neither tls nor starttls"),
        ({"passwort": "very-secret"}, "holds no settings"),
        ({"password": 7}, "holds no settings"),
        ({"user": None}, "holds no settings"),
        ({"from": "lockgate"}, "holds no settings"),
        ({"from": "a@example.org\r\nBcc: b@example.org"}, "holds no settings"),
    ],
)
def test_settings_that_cannot_be_used_are_told_without_being_spelt(mail: Make, settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(Invalid, match=expected) as caught:
        send(mail(25, **settings))
    assert "secret" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_settings_that_others_may_write_are_not_used(mail: Make, tmp_path: Path) -> None:
    made = mail(25)
    (tmp_path / "smtp.json").chmod(0o622)
    with pytest.raises(Invalid, match="by others than its owner"):
        send(made)


def test_without_settings_there_is_no_mail(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no mail server is set up"):
        send(SmtpMail(tmp_path / "smtp.json", VirtualClock()))
