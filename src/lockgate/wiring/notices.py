"""By what notices go out here."""

from __future__ import annotations

import os
from pathlib import Path

from lockgate.integrations.http.post import HttpPost
from lockgate.integrations.local.secrets import LocalSecrets
from lockgate.integrations.smtp.mail import SmtpMail
from lockgate.kernel.clock import SystemClock
from lockgate.usecases.notice_world import NoticeWorld
from lockgate.wiring.home import Home

SMTP_VARIABLE = "LOCKGATE_SMTP"  # the file that says which mail server to use, where it is not in the folder of secrets


def mail_settings(home: Home) -> Path:
    """The file that says which mail server to use."""
    return Path(os.environ.get(SMTP_VARIABLE) or home.secrets / "smtp.json")


def open_notices(home: Home, url: str = "") -> NoticeWorld:
    """url: by which people reach the pages; empty: notices have no links."""
    clock = SystemClock()
    return NoticeWorld(
        secrets=LocalSecrets(home.secrets / "webhooks.json"),
        post=HttpPost(clock),
        mail=SmtpMail(mail_settings(home), clock),
        site=url.rstrip("/"),
    )
