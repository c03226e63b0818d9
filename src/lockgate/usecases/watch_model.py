"""One tick of watching: new prediction records and labels of every version in Production become findings, findings triggers.

All is read and folded first and then kept in one transaction: where reading stopped, what is remembered of each version, the
findings, the triggers and their events. A process that is killed at any point has done all of a tick or none of it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from lockgate.boundary.records import Record
from lockgate.domain.events import Action, Happened
from lockgate.domain.findings import Finding, Job, Label, Trigger, WatchWindow
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.people import WATCH
from lockgate.domain.projects import ProjectRecord
from lockgate.kernel.errors import Corrupt, Invalid, NotFound
from lockgate.ports.records import Batch, RecordSource
from lockgate.ports.state import FINDINGS, LABELS, PROJECTS, VERSIONS, WINDOWS, Reader, Writer
from lockgate.stages.watch import memory as memories
from lockgate.stages.watch import reference as references
from lockgate.stages.watch.memory import Memory
from lockgate.stages.watch.spec import WatchSpec
from lockgate.usecases.answer_findings import Answer, answer, keep_answer
from lockgate.usecases.world import World

CURSOR = ("", 0)  # the window that belongs to no model keeps where the reading of records stopped
_PAGE = 1000
_MOST_LABELS = 50_000  # taken in at one tick; of more, the newest
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watching:
    """What a tick came to.

    more: records are left, tick again without waiting. unwatched: versions that could not be watched, each with the reason.
    """

    records: int = 0
    labels: int = 0
    findings: tuple[Finding, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    jobs: tuple[Job, ...] = ()
    more: bool = False
    unwatched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Change:
    """What a tick makes of one version."""

    version: ModelVersion
    folder: str
    spec: WatchSpec
    before: WatchWindow | None
    after: WatchWindow
    memory: Memory
    labels: int = 0
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Tick:
    at: datetime
    cursor: WatchWindow | None
    batch: Batch
    changes: tuple[_Change, ...] = ()
    unwatched: tuple[str, ...] = ()
    pending: bool = False  # a standing finding has an answer that it had not before


def watch_once(world: World, records: RecordSource) -> Watching:
    """One tick for all models with a version in Production, each as the project file says that it was run from.

    Only records and labels of the version in Production count. One process at a time may watch a home; should two, the second
    to commit finds the windows changed and gives way. A version whose reference is gone, damaged or not readable by this
    release is passed over with a word in the log, and does not keep the others from being watched.
    """
    tick = _look(world, records)
    if not _anything_new(tick):
        return Watching(unwatched=tick.unwatched)
    with world.state.write() as tx:
        if _overtaken(tx, tick):
            return Watching(more=True, unwatched=tick.unwatched)
        return _keep(tx, tick)


def _look(world: World, records: RecordSource) -> _Tick:
    now = world.clock.now()
    changes: list[_Change] = []
    unwatched: list[str] = []
    with world.state.read() as tx:
        cursor = tx.get(WINDOWS, *CURSOR)
        batch = records.read(cursor.body if cursor else {})
        for version in tx.find(VERSIONS, stage=Stage.PRODUCTION.value):
            try:
                changes.extend(_watch(world, tx, version, batch.records, now))
            except (NotFound, Corrupt, Invalid) as error:
                unwatched.append(f"{version.model} version {version.version}: {error.message}")
                _log.error("a version is not watched", extra={"model": version.model, "error": error.message})
        pending = any(_answers(tx, change, now) for change in changes)
    return _Tick(now, cursor, batch, tuple(changes), tuple(unwatched), pending)


def _watch(world: World, tx: Reader, version: ModelVersion, records: Sequence[Record], now: datetime) -> list[_Change]:
    """What this tick makes of the version; nothing where there is no project or no reference to watch it by."""
    project = tx.get(PROJECTS, version.model)
    if project is None or version.reference is None:
        return []
    spec = _spec(project)
    reference = references.decode(world.artifacts.get(version.reference))
    before = tx.get(WINDOWS, version.model, version.version)
    memory = memories.load(before.body) if before else memories.begin(spec)
    mine = [record for record in records if record.model == version.model and record.version == version.version]
    labels = _new_labels(tx, version, memory.performance.newest) if reference.performance.event else []
    identity = (version.model, version.version)
    memory, findings = memories.watch(memory, reference, spec, mine, labels, identity, now)
    after = WatchWindow(*identity, memories.dump(memory))
    return [_Change(version, project.folder, spec, before, after, memory, len(labels), findings)]


def _spec(project: ProjectRecord) -> WatchSpec:
    try:
        return WatchSpec.model_validate(project.watch)
    except ValidationError as error:
        raise Invalid(
            f"the watch part that is kept of {project.model} cannot be read: {error}", hint="Run its pipeline again."
        ) from error


def _new_labels(tx: Reader, version: ModelVersion, newest: str | None) -> list[Label]:
    """Labels that came after the one whose prediction id is `newest`, oldest first. Costs as much as there is new."""
    fresh: list[Label] = []
    size = 1  # most ticks find nothing new
    while len(fresh) < _MOST_LABELS:
        page = tx.find(LABELS, model=version.model, version=version.version, newest_first=True, limit=size, offset=len(fresh))
        for label in page:
            if label.prediction_id == newest:
                return fresh[::-1]
            fresh.append(label)
        if len(page) < size:
            return fresh[::-1]
        size = _PAGE
    _log.warning("too many labels at once: the older ones do not count", extra={"model": version.model, "taken": len(fresh)})
    return fresh[::-1]


def _answers(tx: Reader, change: _Change, now: datetime) -> list[Answer]:
    """New answers to the findings that stand, as far as they are kept already."""
    standing = (tx.get(FINDINGS, id_) for id_ in change.memory.standing)
    return [one for found in standing if found for one in answer(tx, found, change.version, change.folder, change.spec, now)]


def _anything_new(tick: _Tick) -> bool:
    moved = tick.batch.cursor != (tick.cursor.body if tick.cursor else {})
    return moved or tick.pending or any(change.after != change.before for change in tick.changes)


def _overtaken(tx: Reader, tick: _Tick) -> bool:
    windows = [tx.get(WINDOWS, change.version.model, change.version.version) for change in tick.changes]
    return tx.get(WINDOWS, *CURSOR) != tick.cursor or windows != [change.before for change in tick.changes]


def _keep(tx: Writer, tick: _Tick) -> Watching:
    tx.put(WINDOWS, WatchWindow(*CURSOR, dict(tick.batch.cursor)))
    answers: list[Answer] = []
    for change in tick.changes:
        if change.after != change.before:
            tx.put(WINDOWS, change.after)
        for finding in change.findings:
            _keep_finding(tx, finding)
        answers.extend(_answer_all(tx, change, tick.at))
    return Watching(
        records=len(tick.batch.records),
        labels=sum(change.labels for change in tick.changes),
        findings=tuple(finding for change in tick.changes for finding in change.findings),
        triggers=tuple(one.trigger for one in answers),
        jobs=tuple(one.job for one in answers if one.job),
        more=bool(tick.batch.records),
        unwatched=tick.unwatched,
    )


def _answer_all(tx: Writer, change: _Change, now: datetime) -> list[Answer]:
    """One finding after the other, so that the second sees the run that the first one asked for."""
    answers = []
    for id_ in change.memory.standing:
        found = tx.get(FINDINGS, id_)
        for one in answer(tx, found, change.version, change.folder, change.spec, now) if found else ():
            keep_answer(tx, one, change.version)
            answers.append(one)
    return answers


def _keep_finding(tx: Writer, finding: Finding) -> None:
    if tx.add(FINDINGS, finding):
        details = {"kind": finding.kind.value, "detail": finding.detail}
        happened = Happened(
            action=Action.FINDING_RECORDED,
            actor=WATCH.name,
            authenticated=WATCH.authenticated,
            at=finding.at,
            subject=finding.id,
            model=finding.model,
            version=finding.version,
            details=details,
        )
        tx.record(happened)
