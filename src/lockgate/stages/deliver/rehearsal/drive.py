"""One rollout from its first step to its end, on a virtual clock: the machine and the judge are those of production."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from lockgate.domain.evidence import Observation
from lockgate.domain.rollouts import Phase, Plan, Rollout, Signal
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.journal import BY_REQUEST, State, begun, observed, report, thresholds
from lockgate.stages.deliver.judge import Report
from lockgate.stages.deliver.rehearsal.scenarios import End, Fault
from lockgate.stages.deliver.rehearsal.traffic import Traffic
from lockgate.stages.deliver.rehearsal.visits import Visits, visits
from lockgate.stages.deliver.rollout import advance, weight, when_judged, when_ready

START = datetime(2026, 1, 5, tzinfo=UTC)  # the clock is virtual: any day will do

BLOCK = 0.2  # seconds: workers close a block so often, and the judge looks at each
LEAST = 20  # requests between two looks
COARSE = (
    0.1  # of time and exposure so far may pass between two looks, which makes a delay at most so much longer than it would be
)


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one rollout.

    metrics: that decided, or that are not proven. step: where it ended, from 0. requests: all that the judge saw. exposed: what
    the version on trial answered, and to how many units. seconds: from the first step on. units: at the last step, as far as
    min_units asks.
    """

    end: End
    metrics: tuple[str, ...]
    step: int
    requests: int
    exposed_requests: int
    exposed_units: int
    seconds: float
    units: int


def drive(
    plan: Plan, traffic: Traffic, fault: Fault, random: np.random.Generator, enough: Callable[[], bool] = lambda: False
) -> Run | None:
    """Until the rollout has ended, a person would have to decide, or the traffic's hours are over.

    People who are asked for a yes between steps say it at once. enough: looked at before each look of the judge; None comes back
    as soon as it is true.

    Raises:
        InvalidInput: no judge can work by this plan.
    """
    sticky, labels = plan.unit != BY_REQUEST, "labels" in plan.judge.metrics
    drawn = visits(traffic, fault, random, sticky=sticky, labels=labels)
    trial = _Trial(_opened(plan), begun(plan), drawn, traffic.requests_per_second)
    while trial.rollout.phase is Phase.PROGRESSING and trial.now < traffic.seconds:
        if enough():
            return None
        trial.look(min(trial.until_next_look, traffic.seconds - trial.now))
    return trial.told()


@dataclass
class _Trial:
    """now: seconds on the virtual clock. exposure: requests that the version may be expected to have answered."""

    rollout: Rollout
    state: State
    visits: Visits
    rate: float  # requests per second
    now: float = 0.0
    exposure: float = 0.0
    judged: Report | None = None

    @property
    def until_next_look(self) -> float:
        grown = COARSE * min(self.now, self.exposure / (weight(self.rollout) * self.rate))
        return max(BLOCK, LEAST / self.rate, grown)

    def look(self, seconds: float) -> None:
        """What the controller does at a tick, after so many seconds of traffic."""
        share = weight(self.rollout)
        seen = self.visits.during(self.now, seconds, share, self.rollout.thresholds)
        self.now += seconds
        self.exposure += share * self.rate * seconds
        if not seen:
            return
        self._judge(seen)
        signal = when_judged(self.rollout)
        if signal is None:
            return
        self.rollout = advance(self.rollout, signal, START + timedelta(seconds=self.now))
        if signal is Signal.ASK:
            self.rollout = advance(self.rollout, Signal.APPROVED, START + timedelta(seconds=self.now))

    def _judge(self, seen: tuple[Observation, ...]) -> None:
        self.state = observed(self.state, seen)
        self.judged = report(self.state, self.rollout.step)
        self.rollout = replace(self.rollout, verdict=self.judged.verdict, rows=self.rollout.rows + 1)
        if self.rollout.thresholds is None:
            self.rollout = replace(self.rollout, thresholds=thresholds(self.state, id=self.rollout.rows))

    def told(self) -> Run:
        judged = self.judged or report(self.state, 0)
        return Run(
            _END.get(self.rollout.phase, End.WAITING) if self.rollout.phase is not Phase.HOLDING else _held(judged.verdict),
            judged.metrics,
            self.rollout.step,
            judged.requests,
            judged.exposed_requests,
            judged.exposed_units,
            self.now,
            judged.step_units,
        )


_END = {Phase.PROMOTED: End.PROMOTED, Phase.ABORTED: End.STOPPED}


def _held(verdict: JudgeVerdict) -> End:
    return End.ROUTER_FAULT if verdict is JudgeVerdict.ROUTER_FAULT else End.INCONCLUSIVE


def _opened(plan: Plan) -> Rollout:
    """A rollout at its first step: every worker has loaded the version."""
    preparing = Rollout(
        id="rehearsal",
        model="rehearsed",
        environment="production",
        version=2,
        digest="",
        baseline=1,
        baseline_digest="",
        strategy=plan.strategy,
        steps=plan.steps,
        phase=Phase.PREPARING,
        started_by="rehearsal",
        started_at=START,
        salt="",
        unit=plan.unit,
        judge=plan.judge,
        yes=plan.yes,
    )
    return advance(preparing, when_ready(preparing), START)
