"""Promise: a harmless canary is sent home with probability alpha at most, whatever is switched on and however often one looks."""

from __future__ import annotations

import numpy as np

from benchmarks.judge.figures import NEVER, POLICY, Integers, share
from benchmarks.judge.policy import LABELS, Rates, everything, judged
from benchmarks.judge.rules import ARGO, FLAGGER, HASTY, peeked
from lockgate.domain.evidence import ArmObservation, Observation
from lockgate.domain.rollouts import JudgePolicy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge import begin, observe, report
from lockgate.stats.combine import log_mean
from lockgate.stats.odds import HIGHER, log_growth

RUNS, REQUESTS, SIZE = 5000, 60_000, 200
RATE = 0.01
STEPS = (0.01, 0.05, 0.1, 0.25, 0.5)
USERS, VISITS = 60, 3000


def main() -> None:
    print(f"\n1. False alarms: {RUNS:,} harmless rollouts of {REQUESTS:,} requests, alpha {POLICY.alpha}, a look every {SIZE}")
    print(f"   {RATE:.0%} errors and {LABELS:.0%} wrong labels in both arms; objectives at their limits")
    for name, policy in (
        ("errors, latency x 3 (the default)", POLICY),
        ("+ labels, objective, 10 segments x 2", everything(errors=RATE)),
        ("+ a second objective: 27 e-processes", everything(errors=RATE, labels=LABELS)),
    ):
        _row(f"judge: {name}", policy)
    for kind, weights in _schedules(500).items():
        print(f"  {'z-test read every 500 requests':45s} {kind:20s} {share(peeked(RATE, RATE, weights, RUNS, seed=11))}")
    for rule, checks, rate in ((HASTY, 100, RATE), (FLAGGER, 10, RATE), (FLAGGER, 10, RATE / 2), (ARGO, 10, RATE)):
        alarms = rule.until_harm(rate, 0.1, checks, RUNS, seed=12)
        print(f"  {rule.title:45s} {f'{checks} checks, {rate:.1%}':20s} {share(alarms)}")
    _sticky()


def _schedules(size: int) -> dict[str, list[float]]:
    looks = REQUESTS // size
    return {"10 % canary": [0.1] * looks, "ramp 1-5-10-25-50 %": [step for step in STEPS for _ in range(looks // len(STEPS))]}


def _row(name: str, policy: JudgePolicy) -> None:
    for seed, (kind, weights) in enumerate(_schedules(SIZE).items(), 1):
        said = judged(policy, Rates(RATE, RATE), weights, SIZE, RUNS, seed)
        print(f"  {name:45s} {kind:20s} {share(said.crossed)}", flush=True)


def _sticky() -> None:
    per_request, per_user = sticky_null()
    print(f"  Sticky users who differ: {USERS} of them, {VISITS:,} requests, ramp 5-25 %, errors only, {RUNS:,} rollouts")
    print(f"  {'e-process counted per request':66s} {share(per_request)}")
    print(f"  {'the same, one event a user':66s} {share(per_user)}")
    runs = 200
    alarms = np.array([_sticky_rollout(seed) for seed in range(runs)])
    print(f"  {f'the judge itself, errors and latency, {runs} rollouts':66s} {share(alarms)}", flush=True)


def sticky_null() -> tuple[Integers, Integers]:
    """Requests until HARM on errors, counted per request and per user, while the canary changes nothing."""
    random = np.random.default_rng(3)
    risk, place = random.beta(0.15, 1.2, (RUNS, USERS)), random.random((RUNS, USERS))
    happened, rows = np.zeros((RUNS, USERS), dtype=bool), np.arange(RUNS)
    growth = np.zeros((2, RUNS, len(HIGHER)))
    crossed = np.full((2, RUNS), NEVER)
    for request in range(VISITS):
        weight, who = (0.05 if request < VISITS // 3 else 0.25), random.integers(0, USERS, RUNS)
        failed, own = random.random(RUNS) < risk[rows, who], place[rows, who] < weight
        first = failed & ~happened[rows, who]
        happened[rows, who] |= failed
        growth += log_growth(weight, np.stack([failed, first]), np.stack([failed & own, first & own]))
        if request % 20 == 19:
            said = log_mean(growth) >= -np.log(POLICY.alpha)
            crossed = np.where(said & (crossed == NEVER), request + 1, crossed)
    return crossed[0], crossed[1]


def _sticky_rollout(seed: int, size: int = 100) -> int:
    """The same users before the judge of production: requests until it says HARM."""
    random, state = np.random.default_rng(seed), begin(POLICY, (0.05, 0.25), sticky=True)
    risk, slow, place = random.beta(0.15, 1.2, USERS), random.beta(0.15, 1.2, USERS), random.random(USERS)
    for block in range(VISITS // size):
        weight = 0.05 if block * size < VISITS // 3 else 0.25
        who = random.integers(0, USERS, size)
        bits = (random.random(size) < risk[who]) + 8 * (random.random(size) < slow[who])
        own = place[who] < weight
        state = observe(state, Observation(weight, _visits(who[own], bits[own]), _visits(who[~own], bits[~own])))
        if report(state, 0).verdict is JudgeVerdict.HARM:
            return (block + 1) * size
    return int(NEVER)


def _visits(who: Integers, bits: Integers) -> ArmObservation:
    units = tuple(zip(who.tolist(), bits.tolist(), strict=True))
    return ArmObservation(len(units), 0, len(units), (0, 0, 0), units=units)
