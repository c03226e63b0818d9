"""Where state lives: nouns in collections, and the chained log of events, changed together or not at all.

A noun's `Kind` says what it is found by. Writers take turns: a write transaction sees everything that was committed before it
began, and nobody else writes until it ends. So read, decide, write inside one transaction is always consistent.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from lockgate.boundary.acknowledgements import Acknowledgement
from lockgate.boundary.observations import Block
from lockgate.boundary.routes import RouteTable
from lockgate.domain.access import AccessToken, Login, User
from lockgate.domain.events import Action, Checkpoint, Event, Happened, Written
from lockgate.domain.evidence import JournalRow
from lockgate.domain.findings import Finding, Job, Label, Trigger, WatchWindow
from lockgate.domain.forms import BuiltForm
from lockgate.domain.holds import Hold, HoldRow
from lockgate.domain.learning import Learning, LessonLog, LoggedLesson
from lockgate.domain.models import Alias, ModelVersion, RegisteredModel, TransitionRequest
from lockgate.domain.notices import Delivery, Webhook
from lockgate.domain.pairs import LabelledPair, Pairing, ShadowScore
from lockgate.domain.policy import BrokenGlass, PolicyRecord
from lockgate.domain.projects import ProjectRecord
from lockgate.domain.remarks import Comment, Notes
from lockgate.domain.rollouts import Rollout
from lockgate.domain.runs import Run, StepOutput
from lockgate.domain.subscribers import Subscriber
from lockgate.domain.vulnerabilities import Scan
from lockgate.domain.waivers import Waiver

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Kind(Generic[T]):
    """A collection: the noun, the fields that name one of them (`key`), and further fields that one may ask for.

    There is one object of each kind, below; it equals itself only, so that stores may look up by it at no price.
    """

    name: str
    noun: type[T]
    key: tuple[str, ...]
    asked: tuple[str, ...] = ()

    def key_of(self, item: T) -> tuple[Any, ...]:
        return tuple(getattr(item, field) for field in self.key)


@dataclass(frozen=True, slots=True)
class PublishedRoutes:
    """The route table that is in force. There is one."""

    table: RouteTable
    name: str = "current"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may do a thing that only one may do at a time. `until` is Unix seconds."""

    name: str
    holder: str
    until: float


@dataclass(frozen=True, slots=True)
class Worker:
    """The last acknowledgement of a data-plane worker. `seen_at` is Unix seconds, by the control plane's clock."""

    incarnation: str
    seen_at: float
    acknowledgement: Acknowledgement


@dataclass(frozen=True, slots=True)
class Received:
    """A block in the inbox: taken out in the order in which blocks came."""

    worker: str
    incarnation: str
    sequence: int
    block: Block


@dataclass(frozen=True, slots=True)
class Consumed:
    """How far an incarnation's blocks were consumed; what comes again at or below is a repetition."""

    worker: str
    incarnation: str
    sequence: int


PROJECTS = Kind("projects", ProjectRecord, ("model",))
MODELS = Kind("models", RegisteredModel, ("name",))
VERSIONS = Kind("versions", ModelVersion, ("model", "version"), ("stage", "digest"))
ALIASES = Kind("aliases", Alias, ("model", "name"))
REQUESTS = Kind("requests", TransitionRequest, ("id",), ("model", "version", "state"))
RUNS = Kind("runs", Run, ("id",), ("model", "status"))
OUTPUTS = Kind("outputs", StepOutput, ("fingerprint",), ("step",))
ROLLOUTS = Kind("rollouts", Rollout, ("id",), ("model", "phase"))
JOURNAL = Kind("journal", JournalRow, ("rollout", "seq"))
HOLDS = Kind("holds", Hold, ("id",), ("rollout", "model", "state"))
HOLD_ROWS = Kind("hold_rows", HoldRow, ("hold", "seq"))
ROUTES = Kind("routes", PublishedRoutes, ("name",))
WORKERS = Kind("workers", Worker, ("incarnation",))
INBOX = Kind("inbox", Received, ("worker", "incarnation", "sequence"))
CONSUMED = Kind("consumed", Consumed, ("worker", "incarnation"))
LABELS = Kind("labels", Label, ("prediction_id",), ("model", "version"))
FINDINGS = Kind("findings", Finding, ("id",), ("model", "kind"))
TRIGGERS = Kind("triggers", Trigger, ("id",), ("model", "decision"))
JOBS = Kind("jobs", Job, ("id",), ("model", "state"))
WINDOWS = Kind("windows", WatchWindow, ("model", "version"))
LEASES = Kind("leases", Lease, ("name",))
PAIRINGS = Kind("pairings", Pairing, ("name",))
SHADOW_SCORES = Kind("shadow_scores", ShadowScore, ("rollout", "prediction_id"))
LABELLED_PAIRS = Kind("labelled_pairs", LabelledPair, ("rollout", "prediction_id"))
LEARNINGS = Kind("learnings", Learning, ("model",))
LESSON_LOGS = Kind("lesson_logs", LessonLog, ("model",))
LESSONS = Kind("lessons", LoggedLesson, ("model", "seq"), ("id",))

POLICIES = Kind("policies", PolicyRecord, ("name",))
BROKEN_GLASS = Kind("broken_glass", BrokenGlass, ("id",))
WAIVERS = Kind("waivers", Waiver, ("id",), ("model",))
USERS = Kind("users", User, ("name",))
ACCESS_TOKENS = Kind("access_tokens", AccessToken, ("id",), ("user",))
LOGINS = Kind("logins", Login, ("id",), ("user",))
COMMENTS = Kind("comments", Comment, ("id",), ("model", "version"))
NOTES = Kind("notes", Notes, ("model", "version"))
WEBHOOKS = Kind("webhooks", Webhook, ("id",))
DELIVERIES = Kind("deliveries", Delivery, ("id",), ("webhook", "state"))
CHECKPOINTS = Kind("checkpoints", Checkpoint, ("seq",))

FORMS = Kind("forms", BuiltForm, ("model", "version", "form"))
SCANS = Kind("scans", Scan, ("model", "version", "tool"))
SUBSCRIBERS = Kind("subscribers", Subscriber, ("id",), ("model",))

KINDS: tuple[Kind[Any], ...] = (
    PROJECTS,
    MODELS,
    VERSIONS,
    ALIASES,
    REQUESTS,
    RUNS,
    OUTPUTS,
    ROLLOUTS,
    JOURNAL,
    HOLDS,
    HOLD_ROWS,
    ROUTES,
    WORKERS,
    INBOX,
    CONSUMED,
    LABELS,
    FINDINGS,
    TRIGGERS,
    JOBS,
    WINDOWS,
    LEASES,
    PAIRINGS,
    SHADOW_SCORES,
    LABELLED_PAIRS,
    LEARNINGS,
    LESSON_LOGS,
    LESSONS,
    POLICIES,
    BROKEN_GLASS,
    WAIVERS,
    USERS,
    ACCESS_TOKENS,
    LOGINS,
    COMMENTS,
    NOTES,
    WEBHOOKS,
    DELIVERIES,
    CHECKPOINTS,
    FORMS,
    SCANS,
    SUBSCRIBERS,
)


class Reader(Protocol):
    """A consistent view of the state."""

    def get(self, kind: Kind[T], *key: str | int) -> T | None: ...

    def find(
        self,
        kind: Kind[T],
        /,
        *,
        newest_first: bool = False,
        limit: int | None = None,
        offset: int = 0,
        **equal: str | int,
    ) -> list[T]:
        """Those whose key or asked-for fields equal what is given, in the order in which they were first added."""
        ...

    def count(self, kind: Kind[T], /, **equal: str | int) -> int: ...

    def events(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        subject: str | None = None,
        model: str | None = None,
        actor: str | None = None,
        actions: Sequence[Action] = (),
    ) -> list[Event]:
        """Events with a higher `seq` than `after` and a lower one than `before`; of these actions only, if any are named."""
        ...

    def written(self, *, after: int = 0, limit: int) -> Sequence[Written]:
        """Events as they are kept, for a walk of the whole chain: nothing is parsed, also nothing that was altered.

        Raises:
            Corrupt: one of them holds bytes that are no text.
        """
        ...


class Writer(Reader, Protocol):
    """A transaction: leaving it normally commits, leaving it by an exception undoes all of it."""

    def add(self, kind: Kind[T], item: T) -> bool:
        """Keep a new item. False, and nothing changed, if its key is taken."""
        ...

    def add_all(self, kind: Kind[T], items: Sequence[T]) -> int:
        """Keep those that are new; how many they were."""
        ...

    def put(self, kind: Kind[T], item: T) -> None:
        """Keep the item, in place of what had its key."""
        ...

    def put_all(self, kind: Kind[T], items: Sequence[T]) -> None:
        """`put` one after the other, at the price of one statement."""
        ...

    def remove(self, kind: Kind[T], *key: str | int) -> None: ...

    def record(self, happened: Happened) -> Event:
        """Append to the chain of events."""
        ...


class State(Protocol):
    def read(self) -> AbstractContextManager[Reader]: ...

    def write(self) -> AbstractContextManager[Writer]: ...
