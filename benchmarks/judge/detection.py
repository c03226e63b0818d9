"""Promise: harm is found soon. How many requests it takes, beside the rules that the judge replaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.judge.figures import NEVER, POLICY, Integers, delay, median_and_late
from benchmarks.judge.policy import Rates, everything, judged
from benchmarks.judge.rules import ARGO, FLAGGER, HASTY, PER_SECOND, peeked

RUNS, SIZE = 1000, 20
OBJECTIVE = 0.05
JUDGE, DEFAULT, Z_TEST = "judge, all metrics on", "judge, default", "z-test read every 500"
DRAWN = (JUDGE, Z_TEST, FLAGGER.title, ARGO.title)


@dataclass(frozen=True)
class Harm:
    title: str
    weight: float
    canary: float
    baseline: float
    blocks: int


HARMS = (
    Harm("1 → 5 % at 10 %", 0.1, 0.05, 0.01, 1000),
    Harm("1 → 3 % at 10 %", 0.1, 0.03, 0.01, 2000),
    Harm("1 → 20 % at 10 %", 0.1, 0.2, 0.01, 400),
    Harm("0.1 → 1 % at 10 %", 0.1, 0.01, 0.001, 2000),
    Harm("outage at 5 %", 0.05, 1.0, 0.01, 400),
)


def main() -> dict[str, dict[str, tuple[int, int]]]:
    """Prints, and returns median and p90 by harm and rule, NEVER where so many runs say nothing."""
    print(f"\n2. Requests until harm is found: median, p90 of {RUNS:,} rollouts")
    print(f"   judge: a look every {SIZE} requests; all metrics on: labels, an objective of {OBJECTIVE:.0%} errors, 10 segments")
    print(f"   thresholds: {PER_SECOND} requests a second, the weight held, at most 200, 50 and 10 checks")
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for harm in HARMS:
        found[harm.title] = {}
        for rule, crossed in _rules(harm).items():
            found[harm.title][rule] = median_and_late(crossed)
            said = np.mean(crossed < NEVER)
            print(f"  {harm.title:20s} {rule:40s} {delay(crossed)}   said in {said:.1%}", flush=True)
    return found


def _rules(harm: Harm) -> dict[str, Integers]:
    weights, rates = [harm.weight] * harm.blocks, Rates(harm.canary, harm.baseline)
    return {
        JUDGE: judged(everything(errors=OBJECTIVE), rates, weights, SIZE, RUNS, 21).crossed,
        DEFAULT: judged(POLICY, rates, weights, SIZE, RUNS, 22).crossed,
        Z_TEST: peeked(harm.canary, harm.baseline, [harm.weight] * 120, RUNS, 23),
        HASTY.title: HASTY.until_harm(harm.canary, harm.weight, 200, RUNS, 26),
        FLAGGER.title: FLAGGER.until_harm(harm.canary, harm.weight, 50, RUNS, 24),
        ARGO.title: ARGO.until_harm(harm.canary, harm.weight, 10, RUNS, 25),
    }
