"""Send what is due, several at once and outside of any transaction, and write down what became of each.

A process that is killed between the sending and the writing sends again: at least once, under the same id.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import replace
from datetime import datetime

from lockgate.domain.events import Action, Event, Happened
from lockgate.domain.notices import Delivery, DeliveryState, Webhook, WebhookState
from lockgate.domain.people import NOTIFIER
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import LockgateError, Refused
from lockgate.ports.state import DELIVERIES, WEBHOOKS, Reader, Writer
from lockgate.stages.watch.notices.patterns import DELIVERIES as OF_DELIVERIES
from lockgate.stages.watch.notices.retries import Attempt, Result, after, result_of
from lockgate.usecases.find_things import policy_of
from lockgate.usecases.notice_world import NoticeWorld, end_waiting, note_change, secret_of
from lockgate.usecases.send_notice import Notice, send_notice
from lockgate.usecases.world import World

MOST = 8  # on their way at once
EACH = 2  # of them to one receiver, so that a slow one leaves room for the others
LOOKED_AT = 1000  # waiting deliveries that are looked through for those that are due

log = logging.getLogger("lockgate.notifier")


class Sending:
    """Deliveries on their way. One thread takes turns; `pool` does the sending."""

    def __init__(self, world: World, notices: NoticeWorld, pool: Executor, luck: Callable[[], float] = random.random) -> None:
        self._world = world
        self._notices = notices
        self._pool = pool
        self._luck = luck
        self._flying: dict[str, tuple[str, Future[Attempt]]] = {}  # delivery → webhook, and what comes of it
        self._places: dict[str, int] = {}  # webhook → how many of its waiting deliveries were looked at in the turns before

    def turn(self) -> int:
        """Write down what came back and send what is due; how many these were."""
        return self.settle() + self._send()

    def wait(self, seconds: float) -> bool:
        """Until one comes back, and so many seconds at most; False, and at once, where none is on its way."""
        wait([future for _, future in self._flying.values()], seconds, FIRST_COMPLETED)
        return bool(self._flying)

    def settle(self) -> int:
        """Only what is written is forgotten: a state that cannot be written now is written the next time."""
        back = {key: _attempt_of(key, future) for key, (_, future) in self._flying.items() if future.done()}
        if not back:
            return 0
        now = self._world.clock.now()
        with self._world.state.write() as tx:
            for key, attempt in back.items():
                _write_down(tx, key, attempt, now, self._luck())
        for key in back:
            del self._flying[key]
        return len(back)

    def _send(self) -> int:
        if len(self._flying) >= MOST:
            return 0
        with self._world.state.read() as tx:
            due = list(self._due(tx))
            private = policy_of(tx).targets if due else ()
            events = {delivery.id: _event(tx, delivery) for _, delivery in due}
        secrets = self._notices.secrets.read() if due else {}
        for webhook, delivery in due:
            try:
                secret = secret_of(secrets, webhook)
            except LockgateError as error:
                self._flying[delivery.id] = webhook.id, _failed(error)
                continue
            notice = Notice(delivery.id, webhook.channel, secret, events[delivery.id], private)
            self._flying[delivery.id] = webhook.id, self._pool.submit(_attempt, self._notices, notice, self._world.clock)
        return len(due)

    def _due(self, tx: Reader) -> Iterator[tuple[Webhook, Delivery]]:
        """As many as there is room for, the eldest first."""
        if not tx.find(DELIVERIES, state=DeliveryState.WAITING.value, limit=1):
            return
        active = {one.id: one for one in tx.find(WEBHOOKS) if one.state is WebhookState.ACTIVE}
        now = self._world.clock.now().timestamp()
        room = MOST - len(self._flying)
        busy = Counter(webhook for webhook, _ in self._flying.values())
        for delivery in self._waiting(tx, active):
            free = delivery.id not in self._flying and busy[delivery.webhook] < EACH
            if free and delivery.next_at <= now and delivery.webhook in active and room:
                room -= 1
                busy[delivery.webhook] += 1
                yield active[delivery.webhook], delivery

    def _waiting(self, tx: Reader, webhooks: Collection[str]) -> list[Delivery]:
        """All, mostly. Where they are very many, some of each webhook, so that one that is down hides no other."""
        found = tx.find(DELIVERIES, state=DeliveryState.WAITING.value, limit=LOOKED_AT)
        if len(found) < LOOKED_AT:
            self._places.clear()
            return found
        share = max(10 * EACH, LOOKED_AT // max(1, len(webhooks)))
        return [one for webhook in webhooks for one in self._some(tx, webhook, share)]

    def _some(self, tx: Reader, webhook: str, share: int) -> Iterable[Delivery]:
        """The eldest, and as many further on: in each turn others, so that those that pause hide none that is due."""
        waiting, place = DeliveryState.WAITING.value, self._places.get(webhook, 0)
        eldest = tx.find(DELIVERIES, webhook=webhook, state=waiting, limit=10 * EACH)
        further = tx.find(DELIVERIES, webhook=webhook, state=waiting, limit=share, offset=place)
        self._places[webhook] = place + share if len(further) == share else 0
        return {one.id: one for one in (*eldest, *further)}.values()


def _event(tx: Reader, delivery: Delivery) -> Event:
    return tx.events(after=delivery.event - 1, limit=1)[0]


def _attempt(notices: NoticeWorld, notice: Notice, clock: Clock) -> Attempt:
    try:
        answer = send_notice(notices, notice, clock.now())
    except LockgateError as error:
        return _of_error(error)
    said = " ".join(answer.body.decode(errors="replace").split())
    return Attempt(result_of(answer.status), f"{answer.status} {said}".strip(), answer.retry_after)


def _of_error(error: LockgateError) -> Attempt:
    return Attempt(Result.REFUSED if isinstance(error, Refused) else Result.LATER, error.message)


def _failed(error: LockgateError) -> Future[Attempt]:
    """One that did not even set out."""
    future: Future[Attempt] = Future()
    future.set_result(_of_error(error))
    return future


def _attempt_of(key: str, future: Future[Attempt]) -> Attempt:
    """What nobody foresaw about one delivery is told, and keeps no other from its receiver."""
    surprise = future.exception()
    if surprise is None:
        return future.result()
    log.error("a delivery failed in a way that nobody foresaw", extra={"delivery": key}, exc_info=surprise)
    return Attempt(Result.LATER, f"the notifier made a mistake ({type(surprise).__name__}); its log says more")


def _write_down(tx: Writer, key: str, attempt: Attempt, now: datetime, luck: float) -> None:
    delivery = tx.get(DELIVERIES, key)
    if delivery is None or delivery.state is not DeliveryState.WAITING:
        return  # its webhook was removed meanwhile
    changed = after(delivery, attempt, now, luck)
    tx.put(DELIVERIES, changed)
    if attempt.result is Result.GONE:
        _disable(tx, delivery.webhook, now)
    if changed.state is DeliveryState.DEAD:
        _note_death(tx, changed, now)


def _disable(tx: Writer, webhook_id: str, now: datetime) -> None:
    """Its receiver said that it wants nothing any more."""
    webhook = tx.get(WEBHOOKS, webhook_id)
    if webhook is not None and webhook.state is WebhookState.ACTIVE:
        disabled = replace(webhook, state=WebhookState.DISABLED)
        tx.put(WEBHOOKS, disabled)
        end_waiting(tx, disabled, now)
        note_change(tx, webhook, disabled, NOTIFIER, now, why="its receiver answered 410 Gone")


def _note_death(tx: Writer, dead: Delivery, now: datetime) -> None:
    """But not of a delivery that tells of another's death: two receivers that are down would tell each other for ever."""
    if _event(tx, dead).happened.action in OF_DELIVERIES:
        return
    details: Mapping[str, object] = {
        "webhook": dead.webhook,
        "event": dead.event,
        "attempts": dead.attempts,
        "answer": dead.answer,
    }
    action = Action.DELIVERY_DEAD
    tx.record(Happened(action, NOTIFIER.name, NOTIFIER.authenticated, now, dead.id, details=dict(details)))
