"""What watching remembers of one version between ticks. Records and labels change it by a fold, so that a replay is equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from lockgate.boundary.records import Record
from lockgate.domain.findings import Finding, FindingKind, Label
from lockgate.kernel.digest import digest_json, short
from lockgate.stages.watch import drift, performance
from lockgate.stages.watch.drift import Drifted, DriftState
from lockgate.stages.watch.performance import Drop, PerformanceState
from lockgate.stages.watch.reference import Reference
from lockgate.stages.watch.spec import WatchSpec

_NAMED = 5  # features in the sentence of a finding; `measured` has them all


class Memory(msgspec.Struct, frozen=True):
    """standing: findings that are not over, with the features of those that are drift; their triggers are decided again."""

    performance: PerformanceState
    drift: DriftState = DriftState()
    standing: dict[str, tuple[str, ...]] = {}
    rows: int = 0
    status: dict[str, Any] = {}


def begin(spec: WatchSpec) -> Memory:
    return Memory(performance.begin(spec.labels.delay))


def load(body: Mapping[str, Any]) -> Memory:
    return msgspec.convert(body, Memory, str_keys=True)


def dump(memory: Memory) -> dict[str, Any]:
    """JSON-able; under `status` what a person wants to know: rows, drift and performance, each with its verdict."""
    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(memory))
    return body


def watch(
    memory: Memory,
    reference: Reference,
    spec: WatchSpec,
    records: Sequence[Record],
    labels: Sequence[Label],
    identity: tuple[str, int],
    now: datetime,
) -> tuple[Memory, tuple[Finding, ...]]:
    """Take in what is new of one version, in the order in which it came.

    `identity` is model and version. Failed requests and what a shadow said take no part: nobody got a score. Returned are the
    findings that became so now; their ids follow from the version and their number, so that a replay finds the same.
    """
    answered = [record for record in records if record.answered]
    drifting, drifts = _drift(memory.drift, reference, spec, answered)
    performing, drop = _performance(memory.performance, reference, spec, answered, labels, now)
    found = [_drift_finding(identity, one, now) for one in drifts]
    found += [_drop_finding(identity, drop, now)] if drop else []
    memory = Memory(
        performance=performing,
        drift=drifting,
        standing=_standing({**memory.standing, **{one.id: _features(one) for one in found}}, drifting, performing),
        rows=memory.rows + sum(len(record.scores) for record in answered),
    )
    return msgspec.structs.replace(memory, status=_status(memory, reference, spec, now)), tuple(found)


def _drift(
    state: DriftState,
    reference: Reference,
    spec: WatchSpec,
    records: Sequence[Record],
) -> tuple[DriftState, tuple[Drifted, ...]]:
    if not records:
        return state, ()
    columns = {name: _column(records, name) for name in drift.watched(reference, spec.drift)}
    return drift.observe(state, reference, spec.drift, columns, [score for record in records for score in record.scores])


def _column(records: Sequence[Record], name: str) -> list[Any] | None:
    """All rows of one column; where it was not sent as one value a row, it is missing. None if a record redacts it."""
    column: list[Any] = []
    for record in records:
        values = record.inputs.get(name, ())
        if values is None:
            return None
        column.extend(values if len(values) == len(record.scores) else [None] * len(record.scores))
    return column


def _performance(
    state: PerformanceState,
    reference: Reference,
    spec: WatchSpec,
    records: Sequence[Record],
    labels: Sequence[Label],
    now: datetime,
) -> tuple[PerformanceState, Drop | None]:
    event = reference.performance.event
    if event is None:
        return state, None
    answers: Counter[float] = Counter()
    for record in records:
        answers[record.answered_at] += len(record.scores)
    state = performance.labelled(performance.answered(state, answers), event, labels)
    return performance.assess(state, reference.performance, spec.performance, _due_before(spec, now))


def _due_before(spec: WatchSpec, now: datetime) -> float:
    return now.timestamp() - spec.labels.delay


def _status(memory: Memory, reference: Reference, spec: WatchSpec, now: datetime) -> dict[str, Any]:
    due = _due_before(spec, now)
    return {
        "rows": memory.rows,
        "drift": drift.status(memory.drift, spec.drift),
        "performance": performance.status(memory.performance, reference.performance, spec.performance, due),
    }


def _standing(
    findings: Mapping[str, tuple[str, ...]], drifting: DriftState, performing: PerformanceState
) -> dict[str, tuple[str, ...]]:
    """A drift stands while one of its features drifts, a drop until the rate is back."""
    reported = set(drifting.reported)
    return {id_: features for id_, features in findings.items() if (reported & set(features) if features else performing.dropped)}


def _features(finding: Finding) -> tuple[str, ...]:
    return tuple(finding.measured.get("features", ()))


def _drift_finding(identity: tuple[str, int], drifted: Drifted, now: datetime) -> Finding:
    effects = {name: msgspec.to_builtins(effect) for name, effect in drifted.effects.items()}
    measured = {"features": list(drifted.features), "window": drifted.window, "effects": effects}
    named = ", ".join(f"{name} (PSI {drifted.effects[name].psi:.2f})" for name in drifted.features[:_NAMED])
    more = f" and {len(drifted.features) - _NAMED} more" if len(drifted.features) > _NAMED else ""
    return _finding(
        identity, FindingKind.DRIFT, drifted.window, f"{named}{more} drifted from the training reference", measured, now
    )


def _drop_finding(identity: tuple[str, int], drop: Drop, now: datetime) -> Finding:
    return _finding(identity, FindingKind.PERFORMANCE_DROP, drop.number, drop.detail, drop.measured, now)


def _finding(
    identity: tuple[str, int],
    kind: FindingKind,
    number: int,
    detail: str,
    measured: dict[str, Any],
    now: datetime,
) -> Finding:
    id_ = f"finding-{short(digest_json([*identity, kind.value, number]))}"
    return Finding(id_, *identity, kind, now, detail, measured)
