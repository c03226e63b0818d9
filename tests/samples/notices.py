"""Webhooks in a world in memory, for tests of who is told of what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lockgate.domain.events import Action, Event
from lockgate.domain.notices import Channel, Delivery, Webhook
from lockgate.kernel.errors import LockgateError
from lockgate.ports.post import Answer
from lockgate.ports.state import DELIVERIES, WEBHOOKS
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.builders import ANNA, MODEL, happened
from lockgate.testing.clock import VirtualClock
from lockgate.testing.notices import AtOnce, MemoryMail, MemoryPost, MemorySecrets, Sent
from lockgate.testing.state import MemoryState
from lockgate.usecases.notice_world import NoticeWorld
from lockgate.usecases.send_due import Sending
from lockgate.usecases.set_webhook import SetWebhook, WantedWebhook, add_webhook
from lockgate.usecases.take_up_events import Outbox
from lockgate.usecases.world import World

URL = "https://hooks.example.org/services/T0/very-secret"


@dataclass
class Office:
    """A world with a notifier that sends before it says that it will."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    post: MemoryPost = field(default_factory=MemoryPost)
    mail: MemoryMail = field(default_factory=MemoryMail)
    site: str = ""

    def __post_init__(self) -> None:
        self.world = World(MemoryState(), MemoryArtifacts(), self.clock)
        self.notices = NoticeWorld(self.secrets, self.post, self.mail, self.site)
        self.outbox = Outbox(self.world)
        self.sending = Sending(self.world, self.notices, AtOnce(), luck=lambda: 0.5)

    def add(self, *events: str, **wanted: Any) -> Webhook:
        return self.set(*events, **wanted).webhook

    def set(self, *events: str, **wanted: Any) -> SetWebhook:
        fields = {"channel": Channel.HTTP, "address": URL, "events": events or ("request:transition:*",), **wanted}
        return add_webhook(self.world, self.notices, ANNA, WantedWebhook(**fields))

    def happens(self, action: Action = Action.REQUEST_CREATED, **fields: Any) -> Event:
        said = {"action": action, "model": MODEL, "version": 3, "details": {"to": "Production", "comment": ""}, **fields}
        with self.world.state.write() as tx:
            return tx.record(happened(**said))

    def turn(self) -> int:
        """A turn of the notifier, and what came back of it written down."""
        done = self.outbox.take_up() + self.sending.turn()
        return done + self.sending.settle()

    def turns(self, seconds: float, every: float = 60.0) -> None:
        """Let time pass, with a turn now and then."""
        passed = 0.0
        while passed < seconds:
            self.turn()
            self.clock.advance(every)
            passed += every
        self.turn()

    def answers(self, answer: int | Answer | LockgateError) -> None:
        self.post.answer = Answer(answer) if isinstance(answer, int) else answer

    def deliveries(self, **equal: Any) -> list[Delivery]:
        with self.world.state.read() as tx:
            return tx.find(DELIVERIES, **equal)

    def webhook(self, webhook_id: str) -> Webhook:
        with self.world.state.read() as tx:
            found = tx.get(WEBHOOKS, webhook_id)
        assert found is not None
        return found

    def events(self) -> list[Event]:
        with self.world.state.read() as tx:
            return tx.events()

    @property
    def sent(self) -> list[Sent]:
        return self.post.sent
