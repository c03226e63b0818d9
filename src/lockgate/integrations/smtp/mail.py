"""One mail to one recipient by the mail server that a file in the folder of secrets names."""

from __future__ import annotations

import smtplib
import ssl
import stat
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated

import msgspec

from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Invalid, NotFound, Refused, Unavailable

PATIENCE = 10.0  # seconds for each step of the conversation
LONGEST_SUBJECT = 150
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_LASTING = 500  # answers from here on say that it will never go well
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """sender: as `from` in the file. tls: from the first byte on. starttls: after a greeting. One of both, but on loopback."""

    host: str
    sender: Annotated[str, msgspec.Meta(pattern=r"^[\x20-\x7e]*[!-~]@[!-~]+$")] = msgspec.field(name="from")
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 587
    starttls: bool = True
    tls: bool = False
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Settings({self.host}:{self.port})"


_decode = msgspec.json.Decoder(Settings).decode


@dataclass(frozen=True, slots=True)
class SmtpMail:
    """A ports.post.Mail. path: of the settings, read for each mail, so that a change needs no restart."""

    path: Path
    clock: Clock

    def send(self, recipient: str, subject: str, text: str, notice_id: str) -> None:
        settings = read_settings(self.path)
        message = _message(settings, recipient, subject, text, notice_id)
        message["Date"] = format_datetime(self.clock.now())
        try:
            with _open(settings) as server:
                if settings.user:
                    server.login(settings.user, settings.password)
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise _failed(code, said) from None
        except smtplib.SMTPResponseException as error:
            raise _failed(error.smtp_code, error.smtp_error) from None
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(f"{settings.host}:{settings.port}: {type(error).__name__}: {error}") from error


def read_settings(path: Path) -> Settings:
    """Raises:
    NotFound: no mail server is set up. Invalid: the file cannot be used; the message spells nothing of it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        settings = _decode(path.read_bytes())
    except FileNotFoundError:
        raise NotFound("no mail server is set up", hint=f"Write {path}: see docs/reference/webhooks.md") from None
    except msgspec.DecodeError:
        raise Invalid(f"{path} holds no settings of a mail server", hint="See docs/reference/webhooks.md") from None
    if mode & _OTHERS_WRITE:
        raise Invalid(f"{path} may be written by others than its owner (mode {mode:o})", hint=f"chmod 600 {path}")
    if not (settings.tls or settings.starttls) and settings.host not in _LOOPBACK:
        raise Invalid(f"{path}: neither tls nor starttls", hint="Without either only a mail server on loopback may be used.")
    return settings


def _open(settings: Settings) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if settings.tls:
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=PATIENCE, context=context)
    server = smtplib.SMTP(settings.host, settings.port, timeout=PATIENCE)
    try:
        if settings.starttls:
            server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def _message(settings: Settings, recipient: str, subject: str, text: str, notice_id: str) -> EmailMessage:
    """Headers are one line each, whatever they are given: line breaks become blanks. The id tells a repetition."""
    message = EmailMessage()
    message["From"] = settings.sender
    message["To"] = recipient
    message["Subject"] = " ".join(subject.split())[:LONGEST_SUBJECT]
    message["Message-ID"] = f"<{notice_id}@lockgate.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _failed(code: int, said: bytes | str) -> Refused | Unavailable:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return (Refused if code >= _LASTING else Unavailable)(f"the mail server said {code} {text}")
