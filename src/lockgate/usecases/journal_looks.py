"""Ask the judges of many rollouts at once, and journal what they were told and said: part of the controller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lockgate.domain.evidence import JournalRow, Observation
from lockgate.domain.rollouts import Phase, Rollout
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.ports.state import JOURNAL, ROLLOUTS, Writer
from lockgate.stages.deliver.contest import ContestState
from lockgate.stages.deliver.journal import State, bins, reports, thresholds
from lockgate.stages.deliver.judge import Report
from lockgate.stages.deliver.label_wait import with_labels_seen
from lockgate.usecases.deal_shares import deal
from lockgate.usecases.take_observations import Taken


@dataclass(frozen=True, slots=True)
class Told:
    """What a rollout's judge was told: `new`, which is folded into `state`."""

    rollout: Rollout
    taken: Taken
    new: tuple[Observation, ...]
    state: State


@dataclass(frozen=True, slots=True)
class Judged:
    """rollout: with what the report changes of it; its phase moves by signals only. state: that the report is about."""

    rollout: Rollout
    report: Report
    state: State


def journal_looks(tx: Writer, told: Sequence[Told], now: datetime) -> list[Judged]:
    """In the order of what they were told; rows and rollouts are stored. Routes are left to the caller."""
    said = reports([(one.state, one.rollout.step, one.rollout.extensions) for one in told])
    tx.put_all(JOURNAL, [_row(one, report, now) for one, report in zip(told, said, strict=True)])
    judged = [Judged(_changed(tx, one, report, now), report, one.state) for one, report in zip(told, said, strict=True)]
    tx.put_all(ROLLOUTS, [one.rollout for one in judged])
    return judged


def _row(told: Told, report: Report, now: datetime) -> JournalRow:
    rollout = told.rollout
    return JournalRow(
        rollout=rollout.id,
        seq=rollout.rows,
        at=now,
        step=rollout.step,
        observations=told.new,
        verdict=report.verdict,
        evidence=report.evidence,
        extensions=rollout.extensions,
        observed_until=told.taken.until or now.timestamp(),  # without a block it is labels that waited for their pairs
    )


def _changed(tx: Writer, told: Told, report: Report, now: datetime) -> Rollout:
    """Thresholds and bins are set once the baseline has shown enough."""
    rollout, rows = told.rollout, told.rollout.rows + 1
    changed = replace(
        rollout,
        rows=rows,
        verdict=report.verdict,
        thresholds=rollout.thresholds or thresholds(told.state, id=rows),
        bins=rollout.bins or bins(told.state, id=rows),
        differed=rollout.differed or _to_be_looked_at(rollout, report),
    )
    changed = with_labels_seen(changed, told.new, now)
    return deal(tx, changed, told.state, report, now) if isinstance(told.state, ContestState) else changed


def _to_be_looked_at(rollout: Rollout, report: Report) -> bool:
    """Whether the arms are proven to predict differently and nothing else moves the rollout. It is paused for that once."""
    differ = report.difference is not None and report.difference.proven
    return differ and rollout.phase is Phase.PROGRESSING and report.verdict not in (JudgeVerdict.HARM, JudgeVerdict.ROUTER_FAULT)
