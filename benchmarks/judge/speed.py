"""How many requests a second the judge's fold takes, in processor time of one core, so that other work counts for less."""

from __future__ import annotations

from time import process_time

import numpy as np

from benchmarks.judge.figures import POLICY
from benchmarks.judge.policy import everything
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.stages.deliver.judge import JudgeState, begin, observe, report

STEPS = (0.05, 0.25, 0.5)


def main() -> None:
    print("\n7. Speed of the fold: 1,000,000 requests, errors and latency, processor time of one core")
    random = np.random.default_rng(5)
    state, seconds = _folded(begin(POLICY, STEPS), [_counts(random) for _ in range(1000)])
    _row("as counts, 1,000 requests in each", seconds)
    for users in (10_000, 100_000):
        visits = [_visits(random, users) for _ in range(200)]
        _, seconds = min((_folded(begin(POLICY, STEPS, sticky=True), visits) for _ in range(3)), key=lambda done: done[1])
        _row(f"of {users:,} sticky users, one by one", seconds)
    print(f"  {'a report, errors and latency':45s} {1e3 * _reported(state):7.2f} ms")
    print(f"  {'a report, all metrics on, ten segments':45s} {1e3 * _reported(begin(everything(errors=0.05), STEPS)):7.2f} ms")


def _row(name: str, seconds: float) -> None:
    print(f"  {name:45s} {seconds:7.3f} s  ({1e6 / seconds:14,.0f} requests/s)", flush=True)


def _folded(state: JudgeState, journal: list[Observation]) -> tuple[JudgeState, float]:
    started = process_time()
    for observation in journal:
        state = observe(state, observation)
    return state, process_time() - started


def _reported(state: JudgeState, times: int = 100) -> float:
    started = process_time()
    for _ in range(times):
        report(state, 0)
    return (process_time() - started) / times


def _counts(random: np.random.Generator) -> Observation:
    own = int(random.binomial(1000, 0.05))
    return Observation(0.05, *(ArmObservation(n, n // 100, n, (n // 2, n // 20, n // 100), {200: n}) for n in (own, 1000 - own)))


def _visits(random: np.random.Generator, users: int) -> Observation:
    keys = random.integers(0, users, 5000)
    bits = (random.random(5000) < 0.01) + 2 * (random.random(5000) < 0.5) + 8 * (random.random(5000) < 0.01)
    arms = []
    for chosen in (keys < users // 20, keys >= users // 20):
        units = tuple(zip(keys[chosen].tolist(), bits[chosen].tolist(), strict=True))
        arms.append(ArmObservation(len(units), 0, len(units), (0, 0, 0), units=units))
    return Observation(0.05, *arms)
