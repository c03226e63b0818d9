"""Tell one receiver of one event, once, and say what became of it. Nothing is read or written of the state."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from lockgate.domain.events import Event
from lockgate.domain.notices import Channel
from lockgate.kernel.digest import canonical_json
from lockgate.ports.post import Answer
from lockgate.ports.secrets import WebhookSecret
from lockgate.stages.watch.notices.messages import body_of, message_of, page_of
from lockgate.stages.watch.notices.signature import headers
from lockgate.usecases.notice_world import NoticeWorld

MAILED = 250  # as SMTP says that a mail was taken
_JSON = {"content-type": "application/json"}
_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})  # so that nobody's comment calls a whole channel


@dataclass(frozen=True, slots=True)
class Notice:
    """id: the same at each attempt. private: hosts that may be called although they are not public."""

    id: str
    channel: Channel
    secret: WebhookSecret
    event: Event
    private: Collection[str]


def send_notice(notices: NoticeWorld, notice: Notice, now: datetime) -> Answer:
    """What the receiver says.

    Raises:
        LockgateError: nobody answered (Unavailable), or it may not or will never go there (Refused, Invalid).
    """
    match notice.channel:
        case Channel.HTTP:
            return _post(notices, notice, now)
        case Channel.SLACK:
            said = {"text": _slack(notices, notice.event)}
            return notices.post.send(notice.secret.address, _JSON, canonical_json(said), notice.private)
        case Channel.EMAIL:
            subject = f"[lockgate] {message_of(notice.event)}"
            notices.mail.send(notice.secret.address, subject, _mail(notices, notice.event), notice.id)
            return Answer(MAILED)


def _post(notices: NoticeWorld, notice: Notice, now: datetime) -> Answer:
    moment = int(now.timestamp())
    keys = [key.text for key in notice.secret.keys if key.until is None or moment < key.until]
    body = body_of(notice.event)
    sent = {**_JSON, **headers(keys, notice.id, moment, body)}
    if notice.secret.authorization:
        sent["authorization"] = notice.secret.authorization
    return notices.post.send(notice.secret.address, sent, body, notice.private)


def _slack(notices: NoticeWorld, event: Event) -> str:
    link = f" <{(notices.site + page_of(event)).translate(_SLACK)}|See it>" if notices.site else ""
    return message_of(event).translate(_SLACK) + link


def _mail(notices: NoticeWorld, event: Event) -> str:
    said = event.happened
    who = said.actor if said.authenticated else f"{said.actor} (not authenticated)"
    lines = [message_of(event), "", f"Event {event.seq}: {said.action.value}", f"By {who} at {said.at:%Y-%m-%d %H:%M:%S} UTC"]
    if notices.site:
        lines.append(notices.site + page_of(event))
    return "\n".join(lines) + "\n"
