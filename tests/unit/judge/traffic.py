"""Traffic for the judge: requests and users with known rates, as the observations that a controller would make of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import JudgePolicy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge import JudgeState, Report, observe, report

ERRORS = JudgePolicy(metrics=("errors",))
WATCHED = JudgePolicy(metrics=("errors",), min_units=10**9, max_units=10**9)  # never SAFE, never at the end of its budget
TICK = 100  # requests


def requests(
    weight: float, canary: float, baseline: float, *, ticks: int, seed: int = 1, size: int = TICK
) -> Iterator[Observation]:
    """Independent requests that fail at the given rates; nothing is timed."""
    random = np.random.default_rng(seed)
    for _ in range(ticks):
        own = int(random.binomial(size, weight))
        yield Observation(weight, failing(random, own, canary), failing(random, size - own, baseline))


def failing(random: np.random.Generator, count: int, rate: float) -> ArmObservation:
    return ArmObservation(completed=count, failed=int(random.binomial(count, rate)))


def until_verdict(state: JudgeState, observations: Iterable[Observation], step: int = 0) -> tuple[Report, JudgeState]:
    """Looks after every observation, as the controller does, and stops at the first verdict."""
    last = report(state, step)
    for observation in observations:
        state = observe(state, observation)
        last = report(state, step)
        if last.verdict is not JudgeVerdict.WAIT:
            break
    return last, state


@dataclass
class Users:
    """Users who keep their place on the hash ring, come back, and each fail at a rate of their own."""

    risk: NDArray[np.float64]  # at the baseline
    canary_risk: NDArray[np.float64]
    random: np.random.Generator

    def __post_init__(self) -> None:
        self.place = self.random.random(len(self.risk))

    def tick(self, weight: float, size: int, users: NDArray[np.int64] | None = None) -> Observation:
        """`size` requests of users drawn at random, or those given; ramps move only users that were not on the canary."""
        who = self.random.integers(0, len(self.risk), size) if users is None else users
        canary = self.place[who] < weight
        failed = self.random.random(len(who)) < np.where(canary, self.canary_risk[who], self.risk[who])
        return Observation(weight, _units(who[canary], failed[canary]), _units(who[~canary], failed[~canary]))


def _units(keys: NDArray[np.int64], failed: NDArray[np.bool_]) -> ArmObservation:
    return ArmObservation(len(keys), int(failed.sum()), units=tuple(zip(keys.tolist(), failed.astype(int).tolist(), strict=True)))
