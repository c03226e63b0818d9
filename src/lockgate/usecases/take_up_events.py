"""Make deliveries of what happened: the event log is the outbox, and each webhook has a place in it.

The place and the deliveries move in one transaction, so an event becomes one delivery of each webhook that wants it, whatever is
killed when: nothing is lost, and nothing is taken up twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from lockgate.domain.events import Action, Event
from lockgate.domain.notices import Delivery, DeliveryState, Webhook, WebhookState
from lockgate.ports.state import DELIVERIES, WEBHOOKS, Reader, Writer
from lockgate.stages.watch.notices.patterns import actions_matching, wants
from lockgate.usecases.world import World

PAGE = 500  # events at a turn, so that no writer waits long for this one


class Outbox:
    """Remembers up to which event everybody was told, so that a turn in which nothing happened costs one look."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen = -1

    def take_up(self) -> int:
        """How many deliveries came of the events that nobody had looked at; no write where there are none.

        That a webhook was set or enabled is an event too, so there is nothing to do while there is none.
        """
        with self._world.state.read() as tx:
            last = _last(tx)
            if last == self._seen:
                return 0
            behind = bool(_behind(tx, last))
        if not behind:
            self._seen = last
            return 0
        with self._world.state.write() as tx:
            return tx.add_all(DELIVERIES, _taken_up(tx, self._world.clock.now()))


def _taken_up(tx: Writer, now: datetime) -> list[Delivery]:
    """What comes of the next events, with the places moved behind them.

    Webhooks mostly stand at one place: an event is read once for all of them, and shown to those that want its action.
    """
    made: list[Delivery] = []
    for place, webhooks in _behind(tx, _last(tx)).items():
        events = tx.events(after=place, limit=PAGE)
        readers = _readers(webhooks)
        made += [_delivery(one, event, now) for event in events for one in readers[event.happened.action] if wants(one, event)]
        tx.put_all(WEBHOOKS, [replace(one, after=events[-1].seq) for one in webhooks])
    return made


def _last(tx: Reader) -> int:
    last = tx.events(newest_first=True, limit=1)
    return last[0].seq if last else 0


def _behind(tx: Reader, last: int) -> Mapping[int, Sequence[Webhook]]:
    """Active webhooks by their places, where something happened after that."""
    places: dict[int, list[Webhook]] = defaultdict(list)
    for webhook in tx.find(WEBHOOKS):
        if webhook.state is WebhookState.ACTIVE and webhook.after < last:
            places[webhook.after].append(webhook)
    return places


def _readers(webhooks: Sequence[Webhook]) -> Mapping[Action, Sequence[Webhook]]:
    readers: dict[Action, list[Webhook]] = defaultdict(list)
    for webhook in webhooks:
        for action in actions_matching(webhook.events):
            readers[action].append(webhook)
    return readers


def _delivery(webhook: Webhook, event: Event, now: datetime) -> Delivery:
    """The id follows from what it is about, so that there cannot be two. It has no point, which separates what is signed."""
    delivery_id = f"{webhook.id}-{event.seq}"
    return Delivery(delivery_id, webhook.id, event.seq, DeliveryState.WAITING, now, now.timestamp())
