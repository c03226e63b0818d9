"""webhook add, set, rotate, remove, list, test, deliveries, replay."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from lockgate.domain.access import Scope
from lockgate.domain.notices import Channel, Delivery, DeliveryState, Webhook, WebhookState
from lockgate.entrypoints.cli import DONE, FAILED, Sentences
from lockgate.entrypoints.cli.session import Session, ago, verb

STATES = click.Choice([state.value for state in DeliveryState])
_LISTED = 50


@click.group(cls=Sentences)
def webhook() -> None:
    """Say who is told of what happens: over HTTP, in Slack, by e-mail."""


def _addressed(function: Any) -> Any:
    function = click.option("--email", metavar="ADDRESS", help="Send a mail to ADDRESS.")(function)
    function = click.option("--slack", metavar="URL", help="Say it in Slack, by an incoming webhook's URL.")(function)
    return click.option("--url", metavar="URL", help="Send signed JSON to URL. `-`: read from standard input.")(function)


@verb(makes_home=True, scope=Scope.ADMIN)
@click.option("--events", multiple=True, required=True, metavar="PATTERN", help="As request:transition:*; more than once.")
@_addressed
@click.option("--model", default="", help="What happens to this model only. Else to all.")
@click.option("--description", default="", help="For people.")
@click.option("--authorization", default="", metavar="TEXT", help="What the receiver wants in this header. `-`: standard input.")
def add(session: Session, events: tuple[str, ...], model: str, description: str, authorization: str, **addresses: Any) -> None:
    """Tell somebody of these events from now on; the key that verifies signatures is shown this one time."""
    from lockgate.usecases.set_webhook import WantedWebhook, add_webhook
    from lockgate.wiring.notices import open_notices

    channel, address = _address(addresses)
    wanted = WantedWebhook(channel, _given(address), events, model, description, authorization=_given(authorization))
    made = add_webhook(session.world, open_notices(session.home), session.actor, wanted)
    _warn(session, made.webhook)
    answer = {**_told(made.webhook), "key": made.key}
    session.answer(answer, lambda: _show_made(made.webhook, made.key))


def _warn(session: Session, made: Webhook) -> None:
    """What may be meant so, and keeps it silent as it is."""
    from lockgate.ports.state import MODELS
    from lockgate.wiring.notices import mail_settings

    with session.world.state.read() as tx:
        unknown = made.model and tx.get(MODELS, made.model) is None
    if unknown:
        click.echo(f"note: there is no model {made.model!r} yet; nothing is told before there is (lockgate models)", err=True)
    settings = mail_settings(session.home)
    if made.channel is Channel.EMAIL and not settings.is_file():
        told = "no mail is sent before it says by which server: see docs/reference/webhooks.md"
        click.echo(f"note: there is no {settings}; {told}", err=True)


def _show_made(made: Webhook, key: str) -> None:
    click.echo(f"{made.id} tells {made.target}")
    if key:
        click.echo(key)
        click.echo("This is the only time that the key is shown; the receiver verifies signatures with it.", err=True)


@verb("set", scope=Scope.ADMIN)
@click.argument("webhook_id", metavar="WEBHOOK")
@click.option("--events", multiple=True, metavar="PATTERN", help="In place of all that it had.")
@click.option("--address", help="Another URL or recipient. `-`: read from standard input.")
@click.option("--model", help="A model; '' for all.")
@click.option("--description", help="For people.")
@click.option("--enable/--disable", "enabled", default=None, help="Tell it again from now on; or nothing until then.")
def change(session: Session, webhook_id: str, events: tuple[str, ...], enabled: bool | None, **changed: Any) -> None:  # noqa: FBT001
    """Change who is told of what."""
    from lockgate.usecases.set_webhook import WebhookChanges, change_webhook
    from lockgate.wiring.notices import open_notices

    state = None if enabled is None else WebhookState.ACTIVE if enabled else WebhookState.DISABLED
    address = changed.pop("address")
    changes = WebhookChanges(_given(address) if address else None, events or None, state=state, **changed)
    done = change_webhook(session.world, open_notices(session.home), session.actor, webhook_id, changes)
    session.answer(_told(done), lambda: click.echo(f"{done.id} is {done.state.value} and tells {done.target}"))


@verb(scope=Scope.ADMIN)
@click.argument("webhook_id", metavar="WEBHOOK")
def rotate(session: Session, webhook_id: str) -> None:
    """Make a new key and show it, this one time; for a day notices are signed with both."""
    from lockgate.usecases.set_webhook import rotate_key
    from lockgate.wiring.notices import open_notices

    made = rotate_key(session.world, open_notices(session.home), session.actor, webhook_id)
    session.answer({**_told(made.webhook), "key": made.key}, lambda: _show_made(made.webhook, made.key))


@verb(scope=Scope.ADMIN)
@click.argument("webhook_id", metavar="WEBHOOK")
def remove(session: Session, webhook_id: str) -> None:
    """Tell it nothing more; what waits is not sent."""
    from lockgate.usecases.remove_webhook import remove_webhook
    from lockgate.wiring.notices import open_notices

    gone = remove_webhook(session.world, open_notices(session.home), session.actor, webhook_id)
    session.answer(_told(gone), lambda: click.echo(f"{gone.id} tells {gone.target} nothing more"))


@verb("list")
def list_webhooks(session: Session) -> None:
    """List who is told of what."""
    from lockgate.ports.state import WEBHOOKS

    with session.world.state.read() as tx:
        found = tx.find(WEBHOOKS)
    columns = ("id", "channel", "to", "events", "model", "state", "description")
    rows = [
        (one.id, one.channel.value, one.target, " ".join(one.events), one.model or "all", one.state.value, one.description)
        for one in found
    ]
    session.answer([_told(one) for one in found], lambda: session.table("Webhooks", columns, rows))


@verb("test", scope=Scope.ADMIN)
@click.argument("webhook_id", metavar="WEBHOOK")
def trial(session: Session, webhook_id: str) -> int:
    """Send a trial notice now and show what the receiver says. Exit code 1 where it does not take it."""
    from lockgate.usecases.try_webhook import try_webhook
    from lockgate.wiring.notices import open_notices

    tried = try_webhook(session.world, open_notices(session.home), session.actor, webhook_id)
    session.answer(tried, lambda: click.echo(f"{tried.status} {tried.body}".strip()))
    if tried.taken:
        return DONE
    click.echo(f"the receiver did not take it: {tried.status} found, 200 to 299 expected", err=True)
    return FAILED


@verb()
@click.argument("webhook_id", metavar="WEBHOOK")
@click.option("--state", type=STATES, help="Only those that wait, were delivered, or are dead.")
def deliveries(session: Session, webhook_id: str, state: str | None) -> None:
    """List the last deliveries of a webhook, the newest first."""
    from lockgate.ports.state import DELIVERIES
    from lockgate.usecases.notice_world import webhook_by

    equal = {"webhook": webhook_id, **({"state": state} if state else {})}
    with session.world.state.read() as tx:
        webhook_by(tx, webhook_id)
        found = tx.find(DELIVERIES, newest_first=True, limit=_LISTED, offset=0, **equal)
    now = session.world.clock.now()
    columns = ("id", "event", "state", "age", "attempts", "next", "answer")
    session.answer(found, lambda: session.table("Deliveries", columns, [_row(one, now) for one in found]))


def _row(one: Delivery, now: datetime) -> tuple[Any, ...]:
    waits = one.state is DeliveryState.WAITING
    again = f"in {ago(one.next_at - now.timestamp())}" if waits else ""
    return one.id, one.event, one.state.value, ago((now - one.created_at).total_seconds()), one.attempts, again, one.answer


@verb(scope=Scope.ADMIN)
@click.argument("name", metavar="DELIVERY|WEBHOOK")
def replay(session: Session, name: str) -> None:
    """Send a delivery anew, or all that a webhook did not take."""
    from lockgate.ports.state import DELIVERIES
    from lockgate.usecases.replay_deliveries import replay_dead, replay_delivery

    with session.world.state.read() as tx:
        single = tx.get(DELIVERIES, name) is not None
    if single:
        replay_delivery(session.world, name, session.actor)
    count = 1 if single else replay_dead(session.world, name, session.actor)
    session.answer({"due": count}, lambda: click.echo(f"{count} due now"))


def _address(addresses: dict[str, str | None]) -> tuple[Channel, str]:
    """The one that was given of --url, --slack and --email."""
    given = [(name, text) for name, text in addresses.items() if text]
    if len(given) != 1:
        raise click.UsageError("Give one of --url, --slack and --email.")
    [(name, text)] = given
    return {"url": Channel.HTTP, "slack": Channel.SLACK, "email": Channel.EMAIL}[name], text or ""


def _given(text: str) -> str:
    """What stands on the command line can be read by others on this machine; `-` is for what they should not read."""
    return sys.stdin.readline().strip() if text == "-" else text


def _told(one: Webhook) -> dict[str, object]:
    return {
        "id": one.id,
        "channel": one.channel.value,
        "target": one.target,
        "events": one.events,
        "model": one.model,
        "description": one.description,
        "state": one.state.value,
        "created_by": one.created_by,
        "created_at": one.created_at,
    }


for command in (add, change, rotate, remove, list_webhooks, trial, deliveries, replay):
    webhook.add_command(command)
