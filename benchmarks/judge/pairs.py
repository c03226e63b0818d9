"""Promise: of a shadow's answers beside the champion's, few labels tell which is worse."""

from __future__ import annotations

import numpy as np

from benchmarks.judge.figures import NEVER, Floats, Integers, crossed, delay, share
from lockgate.boundary.routes import LabelEvent
from lockgate.domain.rollouts import Agreement, JudgePolicy
from lockgate.stages.deliver.shadow.evidence import harm_shares, limit
from lockgate.stats.absolute import log_e_above, log_e_below
from lockgate.stats.combine import log_mean, log_weighted_sum
from lockgate.stats.paired_rates import log_e_paired_below
from lockgate.stats.pairs import log_e_pair_worse

SHADOW = JudgePolicy(metrics=("agreement", "errors", "labels"), agreement=Agreement(0.95), label_event=LabelEvent("wrong", 0.5))
RUNS, NULL_RUNS, SIZE, LOOKS = 1000, 5000, 20, 500


def main() -> None:
    print(f"\n3. Shadow: {SIZE * LOOKS:,} labelled pairs, a look every {SIZE}, all metrics on, alpha {SHADOW.alpha}")
    null = _harm(0.05, 0.0, NULL_RUNS, seed=31)
    print(f"  {'HARM, as good, the two differ in 5 %':45s} {share(null)}   {NULL_RUNS:,} runs, the others at their limits")
    for discordance, worse in ((0.05, 0.02), (0.1, 0.02), (0.05, 0.01)):
        found = _harm(discordance, worse, RUNS, seed=32)
        name = f"HARM, accuracy {worse:.0%} less, differ in {discordance:.0%}"
        print(f"  {name:45s} {share(found)}   labels: median, p90 {delay(found)}")
    ratio = SHADOW.margins["labels"].ratio
    print(f"   SAFE on labels, beta {SHADOW.beta}, ratio {ratio}, the champion is wrong in 10 %")
    for name, own, other in (
        ("at the margin: the shadow wrong in 12 %", 0.035, 0.015),
        ("as good, the two differ in 5 %", 0.025, 0.025),
        ("as good, the two differ in 1 %", 0.005, 0.005),
        ("better: wrong in 8 %, differ in 5 %", 0.015, 0.035),
    ):
        safe = _safe(own, other, NULL_RUNS if own > 0.03 else RUNS, ratio)
        print(f"  {name:45s} {share(safe)}   labels: median, p90 {delay(safe)}", flush=True)


def _harm(discordance: float, worse: float, runs: int, seed: int) -> Integers:
    """Pairs until HARM by the sum of all three; agreement and errors stay at the limits that are asked for."""
    random, asked = np.random.default_rng(seed), np.arange(1, LOOKS + 1) * SIZE
    discordant = random.binomial(SIZE, discordance, (runs, LOOKS))
    own = random.binomial(discordant, (discordance + worse) / (2 * discordance)).cumsum(axis=1)
    parts = {"labels": log_e_pair_worse(discordant.cumsum(axis=1), own)}
    for metric in ("agreement", "errors"):
        edge = limit(SHADOW, metric)
        parts[metric] = log_e_above(asked, random.binomial(SIZE, edge, (runs, LOOKS)).cumsum(axis=1), edge)
    shares = harm_shares(SHADOW)
    total = log_weighted_sum(np.stack([parts[name] for name in shares], axis=-1), list(shares.values()))
    return crossed(total, SHADOW.alpha, SIZE)


def _safe(own: float, other: float, runs: int, ratio: float) -> Integers:
    """Labels until SAFE, where in 10 % of the pairs the champion is wrong, in `other` of them alone; own: the shadow alone."""
    random, asked = np.random.default_rng(33), np.arange(1, LOOKS + 1) * SIZE
    both = 0.1 - other
    drawn = random.multinomial(SIZE, [both, own, other, 1 - both - own - other], size=(runs, LOOKS)).cumsum(axis=1)
    found = np.full(runs, NEVER)
    for part in np.array_split(np.arange(runs), max(1, runs // 500)):  # a part at a time: many bets are much memory
        together, alone, others = (drawn[part, :, i] for i in range(3))
        gate: Floats = log_mean(
            np.stack(
                [
                    log_e_paired_below(together, alone, others, ratio),
                    log_e_below(asked, together + alone, SHADOW.margins["labels"].floor),
                ],
                axis=-1,
            )
        )
        found[part] = crossed(gate, SHADOW.beta, SIZE)
    return found
