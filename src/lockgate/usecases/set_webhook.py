"""Say who is to be told of which events, and change that."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from urllib.parse import urlsplit

from lockgate.domain.notices import Channel, Webhook, WebhookState
from lockgate.domain.people import Actor
from lockgate.kernel.errors import Conflict, Fault, Invalid, InvalidInput
from lockgate.kernel.ids import new_id
from lockgate.ports.secrets import SigningKey, WebhookSecret
from lockgate.ports.state import WEBHOOKS, Reader, Writer
from lockgate.stages.watch.notices.patterns import check_patterns
from lockgate.stages.watch.notices.signature import check_key, new_key
from lockgate.usecases.find_things import policy_of
from lockgate.usecases.notice_world import NoticeWorld, end_waiting, keep_secret, note_change, secret_of, webhook_by
from lockgate.usecases.world import World

MOST = 200  # webhooks: their places are moved together, while other writers wait
LONGEST_TEXT = 1000
OVERLAP = 86400.0  # seconds in which the key before signs too
_RECIPIENT = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")


@dataclass(frozen=True, slots=True)
class WantedWebhook:
    """address: a URL; of e-mail, one recipient. key: `whsec_…` of one's own, else one is made. authorization: for the header."""

    channel: Channel
    address: str
    events: tuple[str, ...]
    model: str = ""
    description: str = ""
    key: str = ""
    authorization: str = ""


@dataclass(frozen=True, slots=True)
class WebhookChanges:
    """What is None stays as it is."""

    address: str | None = None
    events: tuple[str, ...] | None = None
    model: str | None = None
    description: str | None = None
    state: WebhookState | None = None
    authorization: str | None = None


@dataclass(frozen=True, slots=True)
class SetWebhook:
    """key: what HTTP receivers verify signatures with; shown this one time."""

    webhook: Webhook
    key: str


def add_webhook(world: World, notices: NoticeWorld, actor: Actor, wanted: WantedWebhook) -> SetWebhook:
    """It is told what happens from now on.

    Raises:
        Invalid, InvalidInput: an address, pattern, key or text that cannot be. Conflict: there are too many.
    """
    check_patterns(wanted.events)
    if wanted.key:
        check_key(wanted.key)
    with world.state.write() as tx:
        if tx.count(WEBHOOKS) >= MOST:
            raise Conflict(f"there are {MOST} webhooks", hint="Remove those that nobody needs: lockgate webhook list")
        webhook = Webhook(
            id=new_id("webhook"),
            channel=wanted.channel,
            events=wanted.events,
            target=_target(tx, notices, wanted.channel, wanted.address),
            created_by=actor.name,
            created_at=world.clock.now(),
            after=0,
            model=wanted.model,
            description=_plain_line("description", wanted.description),
        )
        key = wanted.key or (new_key() if wanted.channel is Channel.HTTP else "")
        keys = (SigningKey(key),) if key else ()
        keep_secret(tx, notices, webhook, WebhookSecret(wanted.address, keys, _header(wanted.authorization)))
        kept = _kept(tx, None, webhook, actor, world)
    return SetWebhook(kept, key)


def change_webhook(world: World, notices: NoticeWorld, actor: Actor, webhook_id: str, changes: WebhookChanges) -> Webhook:
    """One that is enabled again is told what happens from now on, not what it missed, nor what waited when it was disabled.

    A header that was meant for one host is not shown to another: with an address on another host, and no word about the
    authorization, there is none any more.

    Raises:
        NotFound: no such webhook. Invalid, InvalidInput: an address, pattern or text that cannot be.
    """
    if changes.events is not None:
        check_patterns(changes.events)
    with world.state.write() as tx:
        before = webhook_by(tx, webhook_id)
        given = {one.name: getattr(changes, one.name) for one in fields(changes) if getattr(changes, one.name) is not None}
        address, authorization = given.pop("address", None), given.pop("authorization", None)
        if "description" in given:
            _plain_line("description", given["description"])
        changed = replace(before, **given)
        if address is not None or authorization is not None:
            secret = secret_of(notices.secrets.read(), before)
            if address is not None:
                changed = replace(changed, target=_target(tx, notices, before.channel, address))
                same = _origin(address) == _origin(secret.address)
                secret = replace(secret, address=address, authorization=secret.authorization if same else "")
            if authorization is not None:
                secret = replace(secret, authorization=_header(authorization))
            keep_secret(tx, notices, changed, secret)
        return _kept(tx, before, changed, actor, world)


def rotate_key(world: World, notices: NoticeWorld, actor: Actor, webhook_id: str, overlap: float = OVERLAP) -> SetWebhook:
    """A new key; for `overlap` seconds notices are signed with the one before too.

    Raises:
        NotFound: no such webhook. Conflict: its channel signs nothing.
    """
    with world.state.write() as tx:
        webhook = webhook_by(tx, webhook_id)
        secret = secret_of(notices.secrets.read(), webhook)
        if not secret.keys:
            raise Conflict(f"webhook {webhook.id} is of the channel {webhook.channel.value}, where nothing is signed")
        key = new_key()
        before = SigningKey(secret.keys[0].text, world.clock.now().timestamp() + overlap)
        keep_secret(tx, notices, webhook, replace(secret, keys=(SigningKey(key), before)))
        note_change(tx, webhook, webhook, actor, world.clock.now(), key="another")
        return SetWebhook(webhook, key)


def _kept(tx: Writer, before: Webhook | None, webhook: Webhook, actor: Actor, world: World) -> Webhook:
    """With its event. A webhook that begins, or begins again, begins behind that event."""
    event = note_change(tx, before, webhook, actor, world.clock.now())
    if before is not None and before.state is not webhook.state and webhook.state is WebhookState.DISABLED:
        end_waiting(tx, webhook, world.clock.now())
    if before is None or before.state is not webhook.state:
        webhook = replace(webhook, after=event.seq)
    tx.put(WEBHOOKS, webhook)
    return webhook


def _target(tx: Reader, notices: NoticeWorld, channel: Channel, address: str) -> str:
    """What people may read of it: the host, and of a recipient the first letter."""
    if channel is Channel.EMAIL:
        if not _RECIPIENT.fullmatch(address):
            raise Invalid(
                "no address of one recipient", hint="Give one such as team@example.org; more recipients, more webhooks."
            )
        name, _, host = address.rpartition("@")
        return f"{name[0]}…@{host}"
    return notices.post.check(address, policy_of(tx).targets)


def _origin(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc.lower()


def _header(text: str) -> str:
    if not text.isascii() or not text.isprintable() or len(text) > LONGEST_TEXT:
        fault = Fault("authorization", f"at most {LONGEST_TEXT} printable ASCII characters expected")
        raise InvalidInput("the webhook", [fault])
    return text


def _plain_line(name: str, text: str) -> str:
    if len(text) > LONGEST_TEXT or not text.isprintable():
        fault = Fault(name, f"{len(text)} characters found, at most {LONGEST_TEXT} printable ones expected")
        raise InvalidInput("the webhook", [fault])
    return text
