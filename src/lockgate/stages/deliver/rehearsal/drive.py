"""One rollout from its first step to its end, on a virtual clock: the machine and the judge are those of production."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np

from lockgate.domain.contests import ContestArm
from lockgate.domain.evidence import Observation
from lockgate.domain.rollouts import Phase, Plan, Rollout, Signal, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.contest import ContestState, dealt
from lockgate.stages.deliver.journal import BY_REQUEST, State, begun, observed, report, thresholds
from lockgate.stages.deliver.judge import Report
from lockgate.stages.deliver.rehearsal.arms import Arms
from lockgate.stages.deliver.rehearsal.catalogue import judged_event
from lockgate.stages.deliver.rehearsal.pairs import Asked
from lockgate.stages.deliver.rehearsal.scenarios import End, Fault
from lockgate.stages.deliver.rehearsal.traffic import Traffic
from lockgate.stages.deliver.rehearsal.visits import visits
from lockgate.stages.deliver.rollout import CONTESTS, advance, met, shares, when_judged, when_ready

START = datetime(2026, 1, 5, tzinfo=UTC)  # the clock is virtual: any day will do

Drawn: TypeAlias = Callable[[Rollout, float, float], tuple[Observation, ...]]  # since, and for how many seconds

BLOCK = 0.2  # seconds: workers close a block so often, and the judge looks at each
LEAST = 20  # requests between two looks
COARSE = (
    0.1  # of time and exposure so far may pass between two looks, which makes a delay at most so much longer than it would be
)


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one rollout.

    metrics: that decided, or that are not proven. step: where it ended, from 0. requests: all that the judge saw; of a shadow
    those that it was asked. exposed: what the version on trial answered, and to how many units. seconds: from the first step on.
    units: at the last step, as far as min_units asks; of a shadow that is judged by labels its labelled pairs. share: of a
    contest, which the version on trial had in the end.
    """

    end: End
    metrics: tuple[str, ...]
    step: int
    requests: int
    exposed_requests: int
    exposed_units: int
    seconds: float
    units: int
    share: float = 0.0


def drive(
    plan: Plan, traffic: Traffic, fault: Fault, random: np.random.Generator, enough: Callable[[], bool] = lambda: False
) -> Run | None:
    """Until the rollout has ended, a person would have to decide, the traffic's hours are over, or the version on trial is
    dropped from its contest.

    People who are asked for a yes between steps say it at once. enough: looked at before each look of the judge; None comes back
    as soon as it is true.

    Raises:
        InvalidInput: no judge can work by this plan.
    """
    state = begun(plan)
    delay = traffic.labels.delay if traffic.labels and judged_event(plan) else 0.0
    trial = _Trial(_opened(plan), state, _drawn(plan, traffic, fault, random), traffic.requests_per_second, delay)
    while trial.goes_on and trial.now < traffic.seconds:
        if enough():
            return None
        trial.look(min(trial.until_next_look, traffic.seconds - trial.now))
    return trial.told()


def _drawn(plan: Plan, traffic: Traffic, fault: Fault, random: np.random.Generator) -> Drawn:
    sticky, labels = plan.unit != BY_REQUEST, judged_event(plan) is not None
    if plan.strategy in CONTESTS:
        arms = Arms(traffic, fault, random, plan.contest.arms if plan.contest else 2, sticky=sticky, labels=labels)
        return lambda rollout, since, seconds: arms.during(since, seconds, shares(rollout), rollout.thresholds)
    if plan.strategy is Strategy.SHADOW:
        asked = Asked(traffic, fault, random, sticky=sticky, labels=labels)
        return lambda rollout, since, seconds: asked.during(since, seconds, met(rollout))
    seen = visits(traffic, fault, random, sticky=sticky, labels=labels)
    return lambda rollout, since, seconds: seen.during(since, seconds, met(rollout), rollout.thresholds)


@dataclass
class _Trial:
    """now: seconds on the virtual clock. exposure: requests that the version may be expected to have answered."""

    rollout: Rollout
    state: State
    drawn: Drawn
    rate: float  # requests per second
    delay: float  # seconds from an answer to its label; 0 where labels are not judged
    now: float = 0.0
    exposure: float = 0.0
    judged: Report | None = None

    @property
    def goes_on(self) -> bool:
        dropped = len(self.rollout.contestants) > 1 and self.rollout.contestants[1].out
        return self.rollout.phase is Phase.PROGRESSING and not dropped

    @property
    def until_next_look(self) -> float:
        grown = COARSE * min(self.now, self.exposure / (met(self.rollout) * self.rate))
        if self.delay:  # labels come only now, so as much time has passed for them
            since = self.now - self.delay
            grown = min(grown, COARSE * since if since > 0 else -since)
        return max(BLOCK, LEAST / self.rate, grown)

    def look(self, seconds: float) -> None:
        """What the controller does at a tick, after so many seconds of traffic."""
        share = met(self.rollout)
        seen = self.drawn(self.rollout, self.now, seconds)
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
        if isinstance(self.state, ContestState):
            self.rollout = dealt(self.rollout, self.state, self.judged, START + timedelta(seconds=self.now))

    def told(self) -> Run:
        judged = self.judged or report(self.state, 0)
        own = judged.arms[1] if judged.arms else None
        return Run(
            _end(self.rollout, judged.verdict),
            judged.metrics,
            self.rollout.step,
            judged.requests,
            judged.exposed_requests if own is None else own.requests,
            judged.exposed_units if own is None else own.units,
            self.now,
            judged.step_units,
            self.rollout.contestants[1].weight if own else 0.0,
        )


def _end(rollout: Rollout, verdict: JudgeVerdict) -> End:
    """A version that is dropped from its contest answers nobody any more, as one that is stopped."""
    if rollout.phase is Phase.HOLDING:
        return _held(verdict)
    if rollout.winner is not None:
        return {rollout.version: End.PROMOTED, rollout.baseline: End.CHAMPION}.get(rollout.winner, End.CONTENDER)
    if rollout.phase is Phase.PROGRESSING and not (rollout.contestants and rollout.contestants[1].out):
        return End.WAITING
    return End.PROMOTED if rollout.phase is Phase.PROMOTED else End.STOPPED


def _held(verdict: JudgeVerdict) -> End:
    return End.ROUTER_FAULT if verdict is JudgeVerdict.ROUTER_FAULT else End.INCONCLUSIVE


def _beginning(plan: Plan) -> tuple[float, ...]:
    return plan.contest.beginning if plan.contest and plan.strategy in CONTESTS else ()


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
        share=plan.share,
        contest=plan.contest,
        contestants=tuple(ContestArm(place + 1, "", one) for place, one in enumerate(_beginning(plan))),
    )
    return advance(preparing, when_ready(preparing), START)
