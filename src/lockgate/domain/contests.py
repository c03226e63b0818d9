"""A contest: several versions answer side by side, and the one whose goal events are rarest, or most frequent, wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from lockgate.boundary.routes import LabelEvent


class Allocation(StrEnum):
    """How a bandit deals out units."""

    THOMPSON = "thompson"  # by the probability of being best: those who are asked fare best
    TOP_TWO = "top-two"  # between the best and its strongest rival: the winner is found sooner


@dataclass(frozen=True, slots=True)
class Goal:
    """What an arm should have `most` of, or else the fewest. event: of labels; None: failures, which need no labels."""

    event: LabelEvent | None = None
    most: bool = False


@dataclass(frozen=True, slots=True)
class Contest:
    """contenders: versions beside the champion and the rollout's own. split: shares to begin with, the champion's first, then the
    rollout's version's, then the contenders'; empty: even ones.

    The rest is a bandit's. floor: share of every arm that is still in. reweigh: seconds between two changes of the shares.
    """

    contenders: tuple[int, ...] = ()
    split: tuple[float, ...] = ()
    goal: Goal = field(default_factory=Goal)
    allocation: Allocation = Allocation.THOMPSON
    floor: float = 0.05
    reweigh: float = 60.0

    @property
    def arms(self) -> int:
        return 2 + len(self.contenders)

    @property
    def beginning(self) -> tuple[float, ...]:
        return self.split or (1 / self.arms,) * self.arms


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """How one arm does.

    units: new ones that it met; requests, where the unit is the request. trials: outcomes that its goal rate is made of, and
    events those with a goal event. low, high: of the rate; all arms' intervals hold together, at all times. best: the probability
    that its rate is the best one, from uniform priors. dropped: it is out, because it does harm or could not be loaded.
    """

    requests: int = 0
    units: int = 0
    trials: int = 0
    events: int = 0
    low: float = 0.0
    high: float = 1.0
    best: float = 0.0
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class ContestArm:
    """weight: the share of units that it gets while the contest is under way. gone: why it cannot be loaded, so that it left;
    empty if it did not.
    """

    version: int
    digest: str
    weight: float
    figures: ArmFigures = field(default_factory=ArmFigures)
    gone: str = ""

    @property
    def out(self) -> bool:
        return self.figures.dropped or bool(self.gone)
