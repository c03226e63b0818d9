"""What the judge of a contest remembers. The same observations under the same policy give the same state, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from lockgate.domain.contests import Contest
from lockgate.domain.rollouts import JudgePolicy
from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.stages.deliver import judge
from lockgate.stages.deliver.contest.ledger import Ledger
from lockgate.stages.deliver.judge import JudgeState
from lockgate.stages.deliver.judge.router import Arrivals

Weights: TypeAlias = tuple[float, ...]
GUARDED = ("errors", "latency")
_ANY = (0.5,)  # a judge of one step: of its words only HARM counts here, which knows no steps


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one arm; as in domain.contests.ArmFigures."""

    requests: int = 0
    units: int = 0
    trials: int = 0
    events: int = 0

    def plus(self, other: Tally) -> Tally:
        return Tally(
            self.requests + other.requests, self.units + other.units, self.trials + other.trials, self.events + other.events
        )


@dataclass(slots=True)
class Ledgers:
    """The only mutable part, so that a tick need not copy what it does not touch. `folded` counts the observations in it."""

    units: Ledger = field(default_factory=Ledger)
    labels: Ledger = field(default_factory=Ledger)
    folded: int = 0


@dataclass(frozen=True, slots=True)
class ContestState:
    """Frozen but for its ledgers, which every state of one fold shares: a state can be folded on once (see contest.fold).

    tallies: by arm, the champion's first. first: by the arms' weights, how many goal events fell on each arm; of a unit only its
    first. guards: for each challenger, the judge that compares it with the champion. arrivals: for each challenger, new units
    that met it, and all. dropped: challengers that do harm or have left, by their place among the arms.
    """

    policy: JudgePolicy
    contest: Contest
    sticky: bool
    ledgers: Ledgers
    guards: tuple[JudgeState, ...]
    arrivals: tuple[Arrivals, ...]
    tallies: tuple[Tally, ...]
    first: dict[Weights, tuple[int, ...]] = field(default_factory=dict)
    dropped: tuple[int, ...] = ()
    folded: int = 0

    @property
    def arms(self) -> int:
        return len(self.tallies)

    @property
    def left(self) -> tuple[int, ...]:
        """The arms that are still in."""
        return tuple(arm for arm in range(self.arms) if arm not in self.dropped)


def begin(policy: JudgePolicy, contest: Contest, *, sticky: bool = False) -> ContestState:
    """The judge before the first observation.

    sticky: the unit is a user or the like, who returns; then each observation carries its units.

    Raises:
        InvalidInput: policy and contest make no test; all faults at once.
    """
    faults = [*_policy_faults(policy), *_contest_faults(contest)]
    if faults:
        raise InvalidInput("the contest", faults)
    challengers = contest.arms - 1
    guard = replace(policy, alpha=policy.alpha / challengers)
    return ContestState(
        policy,
        contest,
        sticky,
        Ledgers(),
        tuple(judge.begin(guard, _ANY, sticky=sticky) for _ in range(challengers)),
        (Arrivals(),) * challengers,
        (Tally(),) * contest.arms,
    )


def _policy_faults(policy: JudgePolicy) -> list[Fault]:
    faults = [
        Fault("metrics", f"found {metric!r}, expected some of {', '.join(GUARDED)}: a contest is won by its goal")
        for metric in policy.metrics
        if metric not in GUARDED
    ]
    if policy.objectives or policy.segments or policy.predictions:
        faults.append(Fault("judge", "objectives, segments or predictions found: a contest knows none of them"))
    return faults


def _contest_faults(contest: Contest) -> list[Fault]:
    faults = []
    split = contest.beginning
    if len(split) != contest.arms or abs(sum(split) - 1) > 1e-9 or min(split) <= 0:  # noqa: PLR2004 - rounding
        expected = f"{contest.arms} shares above 0 that add up to 1, the champion's first"
        faults.append(Fault("split", f"found {list(split)}, expected {expected}"))
    if not 0 < contest.floor * contest.arms < 1:
        faults.append(
            Fault("floor", f"found {contest.floor}, expected above 0 and below 1/{contest.arms}: so many arms share all")
        )
    if contest.reweigh <= 0:
        faults.append(Fault("reweigh", f"found {contest.reweigh}, expected more than 0 seconds"))
    return faults
