"""The hold-back: when it begins, which units it takes, what is observed, when it is over. What it finds: see `guard`.

The promoted version keeps the first 1 − `weight` of the hash ring, the version before the last. For the first day that is the
ring of the rollout's own salt, so a hold-back begins as one more step of the rollout's ramp: whoever met the canary goes on
meeting the same version, and the promotion moves champion's units only.

Where units come again they are drawn anew every day, under another salt: a returning unit's version is known, so a day under the
same salt would tell nothing new of it, and the same units would be held back all along. Each (unit, day) counts once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from lockgate.boundary.routes import Arm, Revision, Role
from lockgate.domain.environments import PRODUCTION
from lockgate.domain.holds import Hold, HoldEnd, HoldState
from lockgate.domain.rollouts import Phase, RampStep, Rollout, Strategy
from lockgate.stages.deliver.journal import BY_REQUEST

LEAVES_BEHIND = (Strategy.CANARY, Strategy.SHADOW)  # one version against one, and a judge that compares them
WATCHED = ("errors", "latency", "labels")  # metrics that go on being compared after a promotion
DAY = 86400.0  # seconds


def leaves_behind(rollout: Rollout) -> bool:
    """Whether the version before keeps a share of units after this rollout: it was judged, promoted, and its plan says so."""
    compared = rollout.strategy in LEAVES_BEHIND and rollout.environment == PRODUCTION and rollout.baseline_digest is not None
    return compared and rollout.phase is Phase.PROMOTED and rollout.hold_back > 0 and bool(_watched(rollout))


def begun(rollout: Rollout, hold_id: str, now: datetime) -> Hold:
    """The hold-back that a promotion leaves behind; its own step is added to its ramp when its routes are published.

    Raises:
        ValueError: the rollout leaves none.
    """
    if not leaves_behind(rollout) or rollout.baseline is None or rollout.baseline_digest is None:
        raise ValueError(f"{rollout.id} leaves no version behind")
    return Hold(
        id=hold_id,
        rollout=rollout.id,
        model=rollout.model,
        version=rollout.version,
        digest=rollout.digest,
        baseline=rollout.baseline,
        baseline_digest=rollout.baseline_digest,
        weight=rollout.hold_back,
        salt=rollout.salt,
        unit=rollout.unit,
        judge=replace(rollout.judge, metrics=_watched(rollout), predictions=None),
        ramp=rollout.ramp if rollout.strategy is Strategy.CANARY else (),  # nobody got a shadow's answers
        since=now,
        until=now + timedelta(seconds=rollout.held),
        thresholds=rollout.thresholds,
        segmentation=rollout.segmentation,
        apart=rollout.apart,
        window=None if rollout.unit == BY_REQUEST else DAY,
        full=True,
    )


def from_revision(hold: Hold, revision: Revision, now: datetime) -> Hold:
    """The hold with its own step: from this revision on it has its share."""
    return replace(hold, ramp=(*hold.ramp, RampStep(revision.epoch, revision.n, 1.0 - hold.weight, now)))


def window_at(hold: Hold, at: datetime) -> int:
    """How many windows of the hold were over at that time; before it began none, and the last one has no end."""
    if hold.window is None:
        return 0
    last = ceil((hold.until - hold.since).total_seconds() / hold.window) - 1
    return min(max(0, int((at - hold.since).total_seconds() // hold.window)), last)


def window_of(hold: Hold, revision: Revision) -> int | None:
    """The window under whose salt a unit was assigned by this revision; None: by the rollout's steps, before the hold began.

    A controller that was away leaves the salt as it is for longer.
    """
    steps = [step for step in hold.ramp if (step.epoch, step.n) <= (revision.epoch, revision.n)]
    if not steps or steps[-1].at < hold.since:
        return None
    return window_at(hold, steps[-1].at)


def renewed(hold: Hold, now: datetime) -> Hold | None:
    """The hold under the salt of the window that has begun; None while the one in force is its own."""
    window = window_at(hold, now)
    if window <= hold.day or now >= hold.until:
        return None
    return replace(hold, salt=f"{hold.salt.partition('.')[0]}.{window}", day=window)


def ended(hold: Hold, end: HoldEnd, now: datetime, detail: str = "") -> Hold:
    return replace(hold, state=HoldState.ENDED, end=end, ended_at=now, detail=detail)


def arms(hold: Hold) -> list[Arm]:
    """In the order of the ring: the version on trial stands first, as in its rollout."""
    return [
        Arm(hold.version, hold.digest, Role.CHAMPION, 1.0 - hold.weight),
        Arm(hold.baseline, hold.baseline_digest, Role.HELD_BACK, hold.weight),
    ]


def _watched(rollout: Rollout) -> tuple[str, ...]:
    return tuple(metric for metric in rollout.judge.metrics if metric in WATCHED)
