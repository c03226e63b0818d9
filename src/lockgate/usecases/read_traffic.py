"""The traffic of a rehearsal, from what a home has recorded of the version in Production.

Prediction records know how many requests came and how many failed. How long answers took, and who asked, only a rollout's
journal knows: they are taken from the rollouts that the version took part in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from lockgate.boundary.histogram import merge
from lockgate.boundary.records import Record
from lockgate.boundary.routes import Revision
from lockgate.domain.evidence import ArmObservation
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.rollouts import Plan, Rollout, Strategy
from lockgate.kernel.errors import NotFound
from lockgate.ports.records import Cursor, RecordSource
from lockgate.ports.state import JOURNAL, LABELS, ROLLOUTS, VERSIONS, Reader
from lockgate.stages.deliver.journal import BY_REQUEST
from lockgate.stages.deliver.rehearsal import Labels, Latency, Traffic, duration, judged_event, uneven
from lockgate.usecases.assume_traffic import MEDIAN_LATENCY, Asked, check_asked, checked
from lockgate.usecases.world import World

LEAST_REQUESTS = 1000  # of the version in Production
LEAST_LABELS = 200  # units with a label
LEAST_TIMED = 500  # answers whose latency is known
_UNASSIGNED = Revision()


@dataclass(frozen=True, slots=True)
class Recorded:
    """told: where each figure comes from, in sentences."""

    traffic: Traffic
    told: tuple[str, ...]


def read_traffic(world: World, records: RecordSource, model: str, plan: Plan, asked: Asked) -> Recorded:
    """What was asked for stands in place of what was recorded.

    Raises:
        NotFound: there is no version in Production, or not enough was recorded of it. Invalid: what was asked for does not fit.
    """
    check_asked(plan, asked)
    with world.state.read() as tx:
        version = _in_production(tx, model)
        known = _known(tx, version, plan)
        journal = tuple(_journal(tx, version))
    name = plan.unit.removeprefix("field:") if plan.unit.startswith("field:") else None
    due_before = world.clock.unix() - (known.delay if known else 0.0)
    volume = _volume(_all(records), version, name, due_before)
    if volume.own < LEAST_REQUESTS or volume.seconds <= 0:
        raise NotFound(
            f"{volume.own} records of {model} version {version.version} found, {LEAST_REQUESTS} expected",
            hint="Wait for more traffic, or say what it is like: --traffic synthetic --requests-per-second R --errors E",
        )
    found = _Found(plan, asked, volume, journal, known)
    rate, errors, latency, labels = found.rate(), found.errors(), found.latency(), found.labels()
    traffic = Traffic(rate, errors, latency, labels, found.activity(), asked.hours_for(labels), asked.differing_for(plan))
    return Recorded(checked(traffic), tuple(found.told))


def _in_production(tx: Reader, model: str) -> ModelVersion:
    found = tx.find(VERSIONS, model=model, stage=Stage.PRODUCTION.value)
    if not found:
        hint = "Rehearse on traffic that you describe: --traffic synthetic --requests-per-second R --errors E"
        raise NotFound(f"no version of {model} is in Production, so none has recorded traffic", hint=hint)
    return found[0]


@dataclass(frozen=True, slots=True)
class _Part:
    """What the version did in a rollout, as champion or on trial; all: what both arms did."""

    rollout: Rollout
    own: tuple[ArmObservation, ...]
    all: tuple[ArmObservation, ...]


def _journal(tx: Reader, version: ModelVersion) -> Iterator[_Part]:
    """The rollouts that the version took part in, the newest first."""
    for rollout in tx.find(ROLLOUTS, model=version.model, newest_first=True):
        elsewhere = version.version not in (rollout.version, rollout.baseline) or rollout.segment  # a segment is another traffic
        if not rollout.rows or elsewhere:
            continue
        seen = [observation for row in tx.find(JOURNAL, rollout=rollout.id) for observation in row.observations]
        own = [one.canary if rollout.version == version.version else one.baseline for one in seen]
        yield _Part(rollout, tuple(own), tuple(arm for one in seen for arm in (one.canary, one.baseline)))


@dataclass(frozen=True, slots=True)
class _Known:
    """The labels of the version's requests. events: by a request's key and time, whether the judged event happened in any of its
    rows. delay: the median, in seconds.
    """

    events: dict[tuple[int, float], bool]
    delay: float

    @property
    def rate(self) -> float:
        return sum(self.events.values()) / len(self.events)

    def coverage(self, volume: _Volume) -> float:
        """The share of the requests whose label should have come by now that have one; 1 where none is due yet."""
        labelled = sum(volume.first <= at < volume.due_before for _, at in self.events)
        return min(1.0, labelled / volume.due) if volume.due else 1.0


def _known(tx: Reader, version: ModelVersion, plan: Plan) -> _Known | None:
    """None where labels are not judged."""
    event = judged_event(plan)
    if event is None:
        return None
    events: dict[tuple[int, float], bool] = {}
    delays = []
    for label in tx.find(LABELS, model=version.model, version=version.version):
        request = label.key, label.answered_at
        events[request] = events.get(request, False) or event.happened(label.score, label.label)
        delays.append(label.at - label.answered_at)
    return _Known(events, max(0.0, median(delays)) if delays else 0.0)


def _all(records: RecordSource) -> Iterator[Record]:
    cursor: Cursor = {}
    while (batch := records.read(cursor)).records:
        yield from batch.records
        cursor = batch.cursor


@dataclass
class _Volume:
    """requests: of the model, whichever version was to answer; own, failed: of the version in Production. first, last: Unix s.

    due: of its own, those answered before `due_before`. units: requests by the value of the field that tells the unit.
    """

    due_before: float
    requests: int = 0
    own: int = 0
    failed: int = 0
    due: int = 0
    first: float = float("inf")
    last: float = float("-inf")
    units: Counter[Any] = field(default_factory=Counter)

    @property
    def seconds(self) -> float:
        return self.last - self.first


def _volume(records: Iterable[Record], version: ModelVersion, name: str | None, due_before: float) -> _Volume:
    """What was refused, what a shadow said, and what no table assigned (asked for by version, say) is no request of these."""
    volume = _Volume(due_before)
    for record in records:
        if record.model != version.model or record.shadow or record.revision == _UNASSIGNED:
            continue
        volume.requests += 1
        volume.first, volume.last = min(volume.first, record.answered_at), max(volume.last, record.answered_at)
        if record.version == version.version:
            volume.own += 1
            volume.failed += record.failure is not None
            volume.due += record.answered and record.answered_at < due_before
        if name is not None and (value := _unit(record, name)) is not None:
            volume.units[value] += 1
    return volume


def _unit(record: Record, name: str) -> Any | None:
    """The value that all rows have in the field, if there is one and it is no list."""
    values = record.inputs.get(name) or []
    first = values[0] if values else None
    return first if isinstance(first, float | int | str) and all(value == first for value in values) else None


@dataclass
class _Found:
    """One method for each figure; each says in `told` where its figure comes from."""

    plan: Plan
    asked: Asked
    volume: _Volume
    journal: tuple[_Part, ...]
    known: _Known | None
    told: list[str] = field(default_factory=list)

    def rate(self) -> float:
        if self.asked.requests_per_second is not None:
            return self.asked.requests_per_second
        volume = self.volume
        rate = volume.requests / volume.seconds
        self.told.append(f"{rate:.3g} requests/s: {volume.requests} of them in {duration(volume.seconds)}")
        return rate

    def errors(self) -> float:
        if self.asked.errors is not None or self.plan.strategy is Strategy.SHADOW:
            return self.asked.errors_for(self.plan)
        volume = self.volume
        self.told.append(f"{volume.failed} of {volume.own} requests of the version in Production failed")
        return volume.failed / volume.own

    def latency(self) -> Latency:
        if self.asked.latency is not None:
            return self.asked.latency_or(MEDIAN_LATENCY)
        counts: dict[int, int] = {}
        for part in self.journal:
            for arm in part.own:
                merge(counts, arm.latency)
        if (timed := sum(counts.values())) >= LEAST_TIMED:
            found = Latency(counts)
            self.told.append(f"latency of {timed} answers in {len(self.journal)} rollouts: {_milliseconds(found)}")
            return found
        assumed = self.asked.latency_or(MEDIAN_LATENCY)
        self.told.append(f"latency {_milliseconds(assumed)} is assumed: no rollout has measured this version's (--latency-ms)")
        return assumed

    def activity(self) -> tuple[float, ...]:
        if self.plan.unit == BY_REQUEST:
            return ()
        if self.asked.units is not None:
            return uneven(self.asked.units)
        requests = self.volume.units if self.plan.unit.startswith("field:") else self._seen_in_a_rollout()
        if len(requests) < 2:  # noqa: PLR2004 - one unit makes no two arms
            raise NotFound(
                f"{len(requests)} units told by {self.plan.unit} found in what was recorded, 2 or more expected",
                hint="Records keep no headers and no redacted fields: say how many there are, --units N",
            )
        self.told.append(f"{len(requests)} units, the most active with {max(requests.values())} of {requests.total()} requests")
        return tuple(float(count) for count in sorted(requests.values(), reverse=True))

    def _seen_in_a_rollout(self) -> Counter[int]:
        """Keys of one salt only: under another salt a unit has another key."""
        for part in self.journal:
            keys = Counter(key for arm in part.all for key, _ in arm.units) if part.rollout.unit == self.plan.unit else Counter()
            if keys:
                return keys
        return Counter()

    def labels(self) -> Labels | None:
        asked, known = self.asked, self.known
        if known is None:
            return None
        if len(known.events) < LEAST_LABELS and (asked.label_events is None or asked.label_delay is None):
            raise NotFound(
                f"labels of {len(known.events)} requests found, {LEAST_LABELS} expected",
                hint="Wait for more of them, or say what they are like: --label-events 10% --label-delay 1d",
            )
        rate = known.rate if asked.label_events is None else asked.label_events
        delay = known.delay if asked.label_delay is None else asked.label_delay
        coverage = known.coverage(self.volume)
        self.told.append(
            f"{len(known.events)} labels: the event in {rate:.3%} of them, {duration(delay)} after the "
            f"answer, for {coverage:.0%} of the requests"
        )
        return Labels(rate, delay, coverage)


def _milliseconds(latency: Latency) -> str:
    return f"p50 {1000 * latency.quantile(0.5):.3g} ms, p99 {1000 * latency.quantile(0.99):.3g} ms"
