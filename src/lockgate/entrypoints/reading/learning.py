"""Online learning in words and figures: what command line, API and pages tell of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import log

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.environments import PRODUCTION
from lockgate.domain.learning import Learned, Learning, LearningState, Online
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.rollouts import Phase, Rollout, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.entrypoints.reading.words import moment
from lockgate.kernel.errors import NotFound
from lockgate.ports.state import LEARNINGS, ROLLOUTS, VERSIONS, Reader
from lockgate.stages.deliver.online.course import due_at
from lockgate.stages.deliver.rollout import under_way
from lockgate.stats.combine import log_mean
from lockgate.usecases.find_lessons import log_end
from lockgate.usecases.find_things import environment_of, model_named

_LISTED = 50


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint as a version.

    event_rate: of the judged event among the rows that it learned, by what it said itself before it learned each. rollout: the
    latest that it had; None where another one was under way when it was made. says: what became of it.
    """

    version: int
    at: datetime
    stage: Stage
    learned: Learned
    event_rate: float | None
    rollout: Rollout | None
    says: str


@dataclass(frozen=True, slots=True)
class Told:
    """Where the learning of one model stands.

    waiting: rows in the log that are not learned yet. until: rows from here to the next checkpoint, those that wait among them;
    None where none is to come. rate: of the judged event in the course, by the champion's score; None before its first row.
    alarm: how far the evidence against the stream is on its way to an alarm, 0..1, as logarithms. checkpoints: the newest first.
    """

    learning: Learning
    says: str
    waiting: int
    until: int | None
    online: Online | None
    event: LabelEvent | None
    judged: Rollout | None
    rate: float | None
    alarm: float
    checkpoints: tuple[Checkpoint, ...]

    @property
    def open(self) -> bool:
        return self.learning.state is LearningState.OPEN

    @property
    def tag(self) -> str:
        """What a page that shows it depends on."""
        known = [(one.version, one.rollout.phase.value if one.rollout else "") for one in self.checkpoints[:3]]
        return f"{self.learning.state.value}.{self.learning.learned}.{self.waiting}.{self.learning.champion}.{known}"


def learning_of(tx: Reader, model: str) -> Told:
    """Where it stands.

    Raises:
        NotFound: there is no such model, or it never learned online.
    """
    model_named(tx, model)
    told = learning_or_none(tx, model)
    if told is None:
        begins = "it begins when a version whose runtime can learn (river) comes into Production by an approved request"
        says = environment_of(tx, model, PRODUCTION).plan.strategy is Strategy.ONLINE
        hint = f"With this project file {begins}." if says else f"Say `strategy: online` in lockgate.yaml; {begins}."
        raise NotFound(f"{model} does not learn online", hint=hint)
    return told


def learning_or_none(tx: Reader, model: str) -> Told | None:
    """The same; None for a model that never learned online."""
    learning = tx.get(LEARNINGS, model)
    if learning is None:
        return None
    plan = environment_of(tx, model, PRODUCTION).plan
    rollouts = _rollouts(tx, model)
    waiting = _waiting(tx, learning)
    going = plan.online if learning.state is LearningState.OPEN else None
    until = due_at(learning, going.every) - learning.learned if going else None
    return Told(
        learning=learning,
        says=_sentence(learning, waiting, until),
        waiting=waiting,
        until=until,
        online=plan.online,
        event=plan.judge.label_event,
        judged=next((one for one in rollouts.values() if under_way(one)), None),
        rate=learning.events / learning.rows if learning.rows else None,
        alarm=_alarm(learning, plan.online),
        checkpoints=tuple(_checkpoints(tx, model, rollouts)),
    )


def checkpoint_clause(version: ModelVersion) -> str:
    """`checkpoint of version 3, rows 2000 to 2999`; empty for any other version."""
    learned = version.learned
    if learned is None:
        return ""
    return f"checkpoint of version {learned.parent}, rows {learned.first} to {learned.end - 1}"


def champion_clause(tx: Reader, model: str, champion: int | None) -> str:
    """`version 4 is a checkpoint of version 3, rows 2000 to 2999; it learns online, 40 rows wait`; mostly nothing."""
    learning = tx.get(LEARNINGS, model)
    standing = tx.get(VERSIONS, model, champion) if champion else None
    said = [f"version {champion} is a {checkpoint_clause(standing)}"] if standing and standing.learned else []
    if learning is not None and learning.state is LearningState.STOPPED:
        said += [f"online learning is stopped: {learning.reason or 'no reason was given'}"]
    elif learning is not None:
        said += [f"it learns online, {_waiting(tx, learning)} rows wait"]
    return "; ".join(said)


def _waiting(tx: Reader, learning: Learning) -> int:
    return max(log_end(tx, learning.model) - learning.learned, 0)


def _sentence(learning: Learning, waiting: int, until: int | None) -> str:
    course = f"{learning.rows} rows judged and learned since version {learning.base}"
    if learning.state is LearningState.STOPPED:
        since = f" since {moment(learning.changed_at)}" if learning.changed_at else ""
        by = f", by {learning.changed_by}" if learning.changed_by else ""
        return f"Stopped{since}{by}: {learning.reason or 'no reason was given'}. Lessons are refused; {course}."
    coming = f"; the next checkpoint comes after {until} more" if until is not None else ""
    return f"Version {learning.champion} answers while its successor learns: {course}, {waiting} wait{coming}."


def _alarm(learning: Learning, online: Online | None) -> float:
    if online is None or not learning.bets:
        return 0.0
    return min(max(float(log_mean(learning.bets)), 0.0) / log(online.run_length), 1.0)


def _rollouts(tx: Reader, model: str) -> dict[int, Rollout]:
    """By version, the latest rollout of each checkpoint that was judged lately."""
    found = tx.find(ROLLOUTS, model=model, newest_first=True, limit=2 * _LISTED)
    latest: dict[int, Rollout] = {}
    for one in found:
        if one.strategy is Strategy.ONLINE:
            latest.setdefault(one.version, one)
    return latest


def _checkpoints(tx: Reader, model: str, rollouts: Mapping[int, Rollout]) -> Iterator[Checkpoint]:
    for one in tx.find(VERSIONS, model=model, newest_first=True, limit=_LISTED):
        if one.learned is not None:
            rate, rollout = one.metrics.get("event_rate"), rollouts.get(one.version)
            yield Checkpoint(one.version, one.created_at, one.stage, one.learned, rate, rollout, _became(rollout))


def _became(rollout: Rollout | None) -> str:
    """`promoted`, `harm`, `not proven`, `not judged`; the rollout's phase where that says most."""
    if rollout is None:
        return "not judged"
    if rollout.phase is not Phase.ABORTED or rollout.outcome is None:
        return rollout.phase.value
    said = {JudgeVerdict.HARM: "harm", JudgeVerdict.INCONCLUSIVE: "not proven"}
    return said.get(rollout.outcome.verdict or JudgeVerdict.WAIT, rollout.phase.value)
