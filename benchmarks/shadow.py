"""What the judge of a shadow reaches: false alarms, pairs and labels until a verdict. `python -m benchmarks.shadow`"""

from __future__ import annotations

from collections.abc import Iterator
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from lockgate.boundary.observations import DISAGREED
from lockgate.domain.evidence import ArmObservation, Observation, Pairs
from lockgate.domain.rollouts import Agreement, JudgePolicy
from lockgate.stages.deliver.shadow import begin, observe
from lockgate.stages.deliver.shadow.state import SHARES
from lockgate.stats.absolute import log_e_above, log_e_below
from lockgate.stats.betting import Capital, fold
from lockgate.stats.combine import log_mean
from lockgate.stats.confidence import rate_interval
from lockgate.stats.paired_rates import log_e_paired_below
from lockgate.stats.pairs import log_e_pair_not_worse, log_e_pair_worse

ALPHA, BETA = 0.01, 0.05
AT_THE_MARGIN = 0.1065  # noise by which the mean Brier loss is a little more than .01 higher
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def main() -> None:
    false_alarms()
    harm()
    safe()
    losses()
    sticky()


def false_alarms(runs: int = 5000, blocks: int = 200, size: int = 100) -> None:
    print(f"\nFalse HARM at α = {ALPHA:.0%} over {blocks * size:,} pairs, looked at every {size}, all metrics at their limits")
    random, asked = np.random.default_rng(1), np.arange(1, blocks + 1) * size
    discordant = cumulated(random, runs, blocks, size, 0.05)
    own = random.binomial(np.diff(discordant, prepend=0, axis=1), 0.5).cumsum(axis=1)
    logs = [
        log_e_above(asked, cumulated(random, runs, blocks, size, 0.05), 0.05) + log(SHARES["agreement"]),
        log_e_above(asked, cumulated(random, runs, blocks, size, 0.005), 0.005) + log(SHARES["errors"]),
        log_e_pair_worse(discordant, own) + log(SHARES["labels"]),
    ]
    told("all three", np.logaddexp.reduce(np.stack(logs), axis=0) >= -log(ALPHA))


def harm(runs: int = 2000) -> None:
    print("\nPairs or labels until HARM, all metrics on: median, p90")
    random = np.random.default_rng(2)
    for rate in (0.08, 0.1, 0.2):
        events = cumulated(random, runs, 1000, 10, rate)
        until(
            f"agreement {1 - rate:.0%}, at least 95% asked", log_e_above(np.arange(1, 1001) * 10, events, 0.05), "agreement", 10
        )
    for rate in (0.01, 0.02, 0.05):
        events = cumulated(random, runs, 1000, 10, rate)
        until(f"errors {rate:.0%}, at most 0.5% asked", log_e_above(np.arange(1, 1001) * 10, events, 0.005), "errors", 10)
    for discordance, worse in ((0.05, 0.02), (0.1, 0.02), (0.05, 0.01)):
        discordant = cumulated(random, runs, 2000, 20, discordance)
        own = random.binomial(np.diff(discordant, prepend=0, axis=1), (discordance + worse) / 2 / discordance).cumsum(axis=1)
        until(f"labels: {worse:.0%} worse, {discordance:.0%} differ", log_e_pair_worse(discordant, own), "labels", 20)


def safe(runs: int = 1000) -> None:
    print("\nPairs or labels until a metric is proven: median, p90")
    random, asked = np.random.default_rng(3), np.arange(1, 2001) * 20
    for rate in (0.0, 0.01, 0.03):
        events = cumulated(random, runs, 2000, 20, rate)
        until(f"agreement {1 - rate:.0%}, more than 95% asked", log_e_below(asked, events, 0.05), "", 20)
    for rate in (0.0, 0.001):
        events = cumulated(random, runs, 2000, 20, rate)
        until(f"errors {rate:.1%}, less than 0.5% asked", log_e_below(asked, events, 0.005), "", 20)
    for discordance in (0.005, 0.05, 0.15):
        both, own, other = alike(random, runs, 0.1, discordance)
        absolute = log_e_below(asked, both + own, 0.005)
        gate = log_mean(np.stack([log_e_paired_below(both, own, other, 1.2), absolute], axis=-1))
        until(f"labels: both wrong in 10%, {discordance:.1%} differ", gate, "", 20)
        gate = log_mean(np.stack([log_e_pair_not_worse(own + other, own, 1.2), absolute], axis=-1))
        until("  by discordant pairs alone", gate, "", 20)


def losses(runs: int = 1000) -> None:
    print("\nBrier loss beside agreement and errors, margin 0.01; probabilities are uniform, scores miss them by normal noise")
    random = np.random.default_rng(4)
    found, _, _ = brier(random, 5000, 0.2, 0.2)
    told("false HARM: equally good, 20,000 pairs", found + log(SHARES["loss"]) >= -log(ALPHA))
    _, found, _ = brier(random, 5000, AT_THE_MARGIN, 0.0)
    told("false SAFE: worse by the margin, 20,000 pairs", found >= -log(BETA))
    print("  pairs until HARM: median, p90; and by the event `wrong` at .5 on the same pairs")
    for noise in (0.15, 0.1):
        harm, _, wrong = brier(random, runs, noise, 0.0)
        until(f"noise {noise} against none", harm, "loss", 20)
        until("  by the event", wrong, "loss", 20)
    print("  pairs until SAFE: median, p90")
    for own, other, shared in ((0.0, 0.0, 1.0), (0.1, 0.1, 0.9), (0.1, 0.1, 0.0), (0.2, 0.2, 0.0), (0.0, 0.15, 0.0)):
        _, proven, _ = brier(random, runs, own, other, shared=shared)
        until(f"noise {own} against {other}, correlated {shared}", proven, "", 20)


def brier(
    random: np.random.Generator, runs: int, own: float, other: float, blocks: int = 1000, *, shared: float = 0.0
) -> tuple[Floats, Floats, Floats]:
    """Of e-values the logarithms after each block of 20 pairs: of harm and of safety by the loss, of harm by the event `wrong`.

    own, other: by how much the scores miss the probability. shared: how the one's noise is correlated with the other's.
    """
    harm, safe = Capital(0.5), Capital(0.505)
    logs: list[tuple[Floats, Floats]] = []
    events: list[tuple[Integers, Integers]] = []
    for _ in range(blocks):
        truth, common = random.random((runs, 20)), random.normal(size=(runs, 20))
        label = random.random((runs, 20)) < truth
        shadow, champion = (
            np.clip(truth + noise * (shared * common + sqrt(1 - shared**2) * random.normal(size=(runs, 20))), 0, 1)
            for noise in (own, other)
        )
        x = ((shadow - label) ** 2 - (champion - label) ** 2 + 1) / 2
        harm, safe = fold(harm, x), fold(safe, x)
        logs.append((np.asarray(harm.log_at_most), np.asarray(safe.log_at_least)))
        apart = (shadow >= 0.5) != (champion >= 0.5)
        events.append((apart.sum(axis=1), (apart & ((shadow >= 0.5) != label)).sum(axis=1)))
    discordant, worse = (np.stack([one[side] for one in events], axis=1).cumsum(axis=1) for side in (0, 1))
    against, within = (np.stack([one[side] for one in logs], axis=1) for side in (0, 1))
    return against, within, log_e_pair_worse(discordant, worse)


def sticky(runs: int = 2000) -> None:
    print(f"\n80 users who differ in kind, 900 requests, disagreement at its limit of 5 %; HARM at α = {ALPHA:.0%}")
    ours, naive = [], []
    for run in range(runs):
        for first, every in of_users(np.random.default_rng(run)):
            ours.append(first)
            naive.append(every)
    for name, counts in (("counted per request", naive), ("one vote for each user", ours)):
        table = np.array(counts).reshape(runs, -1, 2)
        told(name, log_e_above(table[..., 0], table[..., 1], 0.05) >= -log(ALPHA))


def of_users(random: np.random.Generator) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    policy = JudgePolicy(metrics=("agreement",), agreement=Agreement(0.95))
    risk, state, asked, happened = random.beta(0.005, 0.095, 80), begin(policy, sticky=True), 0, 0
    for _ in range(15):
        who = random.integers(0, 80, 60)
        differs = random.random(60) < risk[who]
        units = tuple(zip(who.tolist(), (DISAGREED * differs).tolist(), strict=True))
        asked, happened = asked + 60, happened + int(differs.sum())
        pairs = Pairs(60 - int(differs.sum()), int(differs.sum()))
        state = observe(state, Observation(1.0, ArmObservation(60, units=units), ArmObservation(), pairs=pairs))
        tally = state.tallies["agreement"]
        yield (tally.units, tally.own_first), (asked, happened)


def alike(random: np.random.Generator, runs: int, rate: float, discordance: float) -> tuple[Integers, Integers, Integers]:
    """Both models have the event equally often: how often together, only own, only the other; by block of 20."""
    together = rate - discordance / 2
    chances = [max(together, 0.0), discordance / 2, discordance / 2]
    drawn = random.multinomial(20, [*chances, 1 - sum(chances)], size=(runs, 2000)).cumsum(axis=1)
    return drawn[..., 0], drawn[..., 1], drawn[..., 2]


def cumulated(random: np.random.Generator, runs: int, blocks: int, size: int, rate: float) -> Integers:
    return random.binomial(size, rate, (runs, blocks)).cumsum(axis=1)


def told(name: str, crossed: NDArray[np.bool_]) -> None:
    ever = np.asarray(crossed.any(axis=1))
    low, high = rate_interval(ever.size, int(ever.sum()))
    print(f"  {name:45} {np.mean(ever):.2%} [{float(low):.2%}, {float(high):.2%}]")


def until(name: str, log_e: Floats, metric: str, size: int) -> None:
    """metric: whose part of HARM's sum must reach 1/α by itself; empty: the bar is that of SAFE."""
    crossed = log_e + log(SHARES[metric]) >= -log(ALPHA) if metric else log_e >= -log(BETA)
    ever = crossed.any(axis=1)
    needed = np.where(ever, (crossed.argmax(axis=1) + 1) * size, log_e.shape[1] * size)
    print(f"  {name:45} {np.median(needed):>7,.0f} {np.percentile(needed, 90):>7,.0f}   said in {ever.mean():.1%}")


if __name__ == "__main__":
    main()
