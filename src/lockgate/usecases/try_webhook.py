"""Send a trial notice now, and show what the receiver said."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from lockgate.domain.events import GENESIS, Action, Event, Happened
from lockgate.domain.people import Actor
from lockgate.kernel.ids import new_id
from lockgate.usecases.find_things import policy_of
from lockgate.usecases.notice_world import NoticeWorld, secret_of, webhook_by
from lockgate.usecases.send_notice import Notice, send_notice
from lockgate.usecases.world import World

LONGEST = 2000  # bytes that are shown of an answer


@dataclass(frozen=True, slots=True)
class Tried:
    """status: of HTTP; 250 of a mail that was taken. body: the first bytes."""

    status: int
    body: str

    @property
    def taken(self) -> bool:
        """As of a delivery: what is not is sent again."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


def try_webhook(world: World, notices: NoticeWorld, actor: Actor, webhook_id: str, action: Action = Action.WEBHOOK_SET) -> Tried:
    """As it would be sent if `action` happened to the webhook, with `"trial": true` among the details. Nothing is kept of it.

    Raises:
        NotFound: no such webhook, or its secrets are elsewhere. Unavailable: nobody answered. Refused, Invalid: it may not go.
    """
    with world.state.read() as tx:
        webhook, private = webhook_by(tx, webhook_id), policy_of(tx).targets
    now = world.clock.now()
    details = {"trial": True, "from": None, "to": webhook.target}
    said = Happened(action, actor.name, actor.authenticated, now, webhook.id, webhook.model, details=details)
    secret = secret_of(notices.secrets.read(), webhook)
    notice = Notice(f"{webhook.id}-{new_id('trial')}", webhook.channel, secret, Event(0, said, GENESIS, GENESIS), private)
    answer = send_notice(notices, notice, now)
    return Tried(answer.status, answer.body[:LONGEST].decode(errors="replace"))
