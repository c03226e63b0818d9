"""A contest goes on: its arms' figures, what is dropped, how units are dealt out next. Part of the controller's transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lockgate.domain.contests import ContestArm
from lockgate.domain.events import Action, Happened
from lockgate.domain.people import CONTROLLER
from lockgate.domain.rollouts import Phase, Rollout, Strategy
from lockgate.ports.state import Writer
from lockgate.stages.deliver import contest
from lockgate.stages.deliver.contest import ContestState
from lockgate.stages.deliver.judge import Report


def deal(tx: Writer, rollout: Rollout, state: ContestState, judged: Report, now: datetime) -> Rollout:
    """The rollout after a look; the caller stores it and publishes its shares.

    What was dropped loses its share at once, in whatever phase. Otherwise a bandit's shares change while it progresses, when it
    is time, and a fixed split never does.
    """
    arms = list(zip(rollout.contestants, judged.arms, strict=True))
    dropped = [one for one, told in arms if told.dropped and not one.figures.dropped]
    for one in dropped:
        tx.record(_dropped(rollout, one, now))
    changed = replace(
        rollout,
        contestants=tuple(replace(one, figures=told) for one, told in arms),
        winner=None if judged.winner is None else rollout.contestants[judged.winner].version,
    )
    weights = contest.shares(state, bandit=rollout.strategy is Strategy.BANDIT)
    if not dropped and not _due(changed, weights, state, now):
        return changed
    return replace(changed, contestants=contest.with_shares(changed.contestants, weights), reweighed_at=now)


def _due(rollout: Rollout, weights: tuple[float, ...], state: ContestState, now: datetime) -> bool:
    if rollout.strategy is not Strategy.BANDIT or rollout.phase is not Phase.PROGRESSING:
        return False
    before = [one.weight for one in rollout.contestants]
    return contest.due(before, weights, rollout.reweighed_at or rollout.started_at, now, state.contest)


def _dropped(rollout: Rollout, arm: ContestArm, now: datetime) -> Happened:
    details: dict[str, object] = {"version": arm.version, "detail": f"version {arm.version} does harm: its share goes to others"}
    return Happened(
        Action.ROLLOUT_DROPPED, CONTROLLER.name, CONTROLLER.authenticated, now, rollout.id, rollout.model, arm.version, details
    )
