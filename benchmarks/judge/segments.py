"""Promise: harm to one segment is found though the canary is neutral on the whole, and the segment is named."""

from __future__ import annotations

from benchmarks.judge.figures import POLICY, delay, proportion, share
from benchmarks.judge.policy import SEGMENTS, Rates, everything, judged

RUNS, SIZE, LOOKS = 500, 200, 500
NAMED = f"segment.carrier={SEGMENTS[0]}"


def main() -> None:
    print(f"\n5. Segments: 10 of 10 % of the traffic each, all metrics on, {SIZE * LOOKS:,} requests, {RUNS} rollouts")
    for name, weight, rate, factor, neutral in (
        ("5 → 10 % in one, the whole neutral, 25 %", 0.25, 0.05, 2.0, True),
        ("5 → 10 % in one, 5 → 5.5 % on the whole, 25 %", 0.25, 0.05, 2.0, False),
        ("5 → 20 % in one, the whole neutral, 10 %", 0.1, 0.05, 4.0, True),
    ):
        elsewhere = rate * (1 - (factor - 1) / (len(SEGMENTS) - 1)) if neutral else rate
        rates = Rates((rate * factor, *[elsewhere] * (len(SEGMENTS) - 1)), rate)
        said = judged(everything(errors=0.2), rates, [weight] * LOOKS, SIZE, RUNS, 51)
        blind = judged(POLICY, rates, [weight] * LOOKS, SIZE, RUNS, 52)
        print(f"  {name:48s} {share(said.crossed)}   requests: median, p90 {delay(said.crossed)}")
        right = sum(NAMED in named for named in said.named)
        wrong = sum(any(one.startswith("segment.") and one != NAMED for one in named) for named in said.named)
        print(f"  {'  named':48s} {proportion(right, len(said.named))}   another one named {proportion(wrong, len(said.named))}")
        print(f"  {'  found without segments':48s} {share(blind.crossed)}", flush=True)
