"""The models that learn, in memory between turns: a cache of packages and of the log, so that losing it costs time only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.learning import Learning, LoggedLesson
from lockgate.domain.models import ModelVersion
from lockgate.ports.learners import Learner
from lockgate.stages.deliver.online.lessons import Row, rows
from lockgate.usecases.find_lessons import lessons_between
from lockgate.usecases.find_things import version_of
from lockgate.usecases.open_learner import Opened, open_learner
from lockgate.usecases.world import World

MOST = 500  # rows in one turn
TURN = 0.25  # seconds that one should take: an alarm, a promotion and whoever says stop wait for it
_FIRST = 50  # rows, before it is known how long they take


@dataclass
class Live:
    """A course's model as it learns: its last checkpoint as it was opened, and the lessons since.

    at: place of the next row. judged, events: rows since the checkpoint that it was judged by, and those with the judged event.
    """

    course: str
    checkpoint: int
    parent: Opened
    at: int
    lessons: list[LoggedLesson] = field(default_factory=list)
    judged: int = 0
    events: int = 0

    def take(self, lessons: Sequence[LoggedLesson], event: LabelEvent) -> None:
        """Score, then learn, each row. They are the next ones."""
        for place, row, label in rows(lessons, self.parent.inputs):
            if row is not None:
                self.judged += 1
                self.events += practise(self.parent.learner, row, label, event)
            self.at = place + 1
        self.lessons.extend(lessons)

    @property
    def event_rate(self) -> float | None:
        return self.events / self.judged if self.judged else None


def practise(learner: Learner, row: Row, label: float, event: LabelEvent) -> bool:
    """Whether the model had the judged event before it learned the row. A replay does the same, so that nothing differs.

    Raises:
        LockgateError: the model raised.
    """
    happened = event.happened(learner.score(row), label)
    learner.learn(row, label)
    return happened


@dataclass
class LiveModels:
    """By model. asked: versions that only score rows: the champion and the checkpoint on trial. skip: see `find_lessons`. pace:
    how many rows make a turn that nobody waits long for.
    """

    live: dict[str, Live] = field(default_factory=dict)
    asked: dict[str, dict[int, Opened]] = field(default_factory=dict)
    skip: dict[str, int] = field(default_factory=dict)
    pace: dict[str, int] = field(default_factory=dict)

    def forget(self, model: str) -> None:
        self.live.pop(model, None)
        self.asked.pop(model, None)
        self.skip.pop(model, None)

    def most(self, model: str) -> int:
        """Rows that the next turn may take."""
        return self.pace.get(model, _FIRST)

    def learning(self, world: World, learning: Learning) -> Live:
        """The model that learns; where it was opened anew, it has not caught up with `learned` yet.

        Raises:
            LockgateError: its package cannot be opened.
        """
        live = self.live.get(learning.model)
        known = live is not None and (live.course, live.checkpoint) == (learning.course, learning.checkpoint)
        if live is None or not known or live.at > learning.learned:
            with world.state.read() as tx:
                version = version_of(tx, learning.model, learning.checkpoint)
            live = Live(learning.course, learning.checkpoint, open_learner(world, version), learning.checkpoint_at)
            self.live[learning.model] = live
        return live

    def lessons(self, world: World, model: str, first: int, end: int) -> list[LoggedLesson]:
        """The rows [first, end) of the log.

        Raises:
            Corrupt: some of them are gone.
        """
        with world.state.read() as tx:
            found, self.skip[model] = lessons_between(tx, model, first, end, self.skip.get(model, 0))
        return found

    def note_pace(self, model: str, rows: int, seconds: float) -> None:
        """After a turn of so many rows."""
        if rows:
            self.pace[model] = max(1, min(MOST, int(rows * TURN / seconds) if seconds else MOST))

    def opened(self, world: World, model: str, versions: Sequence[ModelVersion]) -> list[Opened]:
        """Those that rows are scored by; all others are let go of.

        Raises:
            LockgateError: a package cannot be opened.
        """
        known = self.asked.get(model, {})
        found = {one.version: known.get(one.version) or open_learner(world, one) for one in versions}
        self.asked[model] = found
        return [found[one.version] for one in versions]
