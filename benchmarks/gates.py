"""How often gates are wrong, and how long they take. `python -m benchmarks.gates`; some minutes. Nothing is asserted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from lockgate.domain.evaluation import Evaluation
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.integrations.pandera.check import check
from lockgate.integrations.pandera.learn import learn
from lockgate.stages.decide.gates.quality import judge_gates
from lockgate.stages.decide.gates.skew import Sides, judge_skew
from lockgate.stages.decide.gates.slices import judge_slices
from lockgate.stages.decide.skew_spec import SkewSpec
from lockgate.stages.decide.slices_spec import SlicesSpec
from lockgate.stages.decide.spec import parse_rule
from lockgate.stats.drift import psi_bounds
from tests.unit.build.test_data_contract import DEFECTS, NOW, good
from tests.unit.gates.test_champion_slices import pair_of
from tests.unit.gates.test_slices import evaluated, table

Floats = NDArray[np.float64]


def main() -> None:
    champion()
    power()
    found()
    skew()
    bounds()
    contract()
    speed()


def champion(runs: int = 400) -> None:
    print("\nChampion by slices: false failures of a version that is worse by the margin itself in every slice, accuracy")
    for slices, size in ((1, 400), (5, 200), (10, 100), (20, 100)):
        sizes = {f"C{number}": size for number in range(slices)}
        results = [not_worse(*pair_of(sizes, {}, seed), 0.0, "in each carrier") for seed in range(runs)]
        told(f"{slices} slices of {size}", (one.verdict is GateVerdict.FAIL for one in results), runs)


def power(runs: int = 400) -> None:
    print("\nWhat a result calls detectable, planted: found in 80 % is right; a worse model with margin 0")
    for size in (400, 1600):
        sizes = {"AA": size}
        tells = not_worse(*pair_of(sizes, {}), 0.0).measured["detectable"]
        results = [not_worse(*pair_of(sizes, {"AA": tells}, seed), 0.0) for seed in range(1, runs + 1)]
        told(f"all {size} examples, {tells:.3f} worse", (one.verdict is GateVerdict.FAIL for one in results), runs)
    sizes = {f"C{number}": 400 for number in range(4)}
    tells = not_worse(*pair_of(sizes, {}), 0.0, "in each carrier").measured["slices"]["C0"]["detectable"]
    results = [not_worse(*pair_of(sizes, {"C0": tells}, seed), 0.0, "in each carrier") for seed in range(1, runs + 1)]
    told(f"one slice of four with 400, {tells:.3f} worse", (one.verdict is GateVerdict.FAIL for one in results), runs)
    print("  0.1 % worse on 20,000 examples that differ in nothing else: see tests/unit/gates/test_quality_gates.py")


def found(runs: int = 1000) -> None:
    print("\nSlices: named where the model is equally good everywhere, and where a planted one is twice as bad")
    for rows in (1000, 4000):
        named = (bool(named_in(table(rows, seed), None, seed)) for seed in range(runs))
        told(f"no bad slice, {rows} examples", named, runs)
    for rows in (2000, 6000):
        named = (planted(table(rows, seed), seed) for seed in range(200))
        told(f"one city's phones (a sixth) spoilt, {rows} examples", named, 200)


def planted(columns: dict[str, list[object]], seed: int) -> bool:
    bad = (np.array(columns["city"]) == "Chur") & (np.array(columns["device"]) == "phone")
    return any("Chur" in name or "phone" in name for name in named_in(columns, bad, seed))


def named_in(columns: dict[str, list[object]], bad: NDArray[np.bool_] | None, seed: int) -> list[str]:
    (result,) = judge_slices(SlicesSpec(), evaluated(columns, bad, seed), columns)
    return [one["slice"] for one in result.measured["slices"]]


def skew(runs: int = 2000) -> None:
    print("\nSkew: 20,000 learned and 2,000 recorded rows, ten bins; false FAIL at the limit itself, PASS a third above it")
    for features in (1, 30):
        p, q, psi = tilted(0.5)
        at = [skewed(p, q, features, psi, seed) for seed in range(runs // features)]
        told(f"{features} features at the limit", (one.verdict is GateVerdict.FAIL for one in at), runs // features)
        above = [skewed(p, q, features, psi / 1.33, seed) for seed in range(runs // features)]
        told(f"{features} features a third above", (one.verdict is GateVerdict.PASS for one in above), runs // features)


def bounds(runs: int = 3000) -> None:
    print("\nBounds of the index at 97.5 %: the worst of drifts from 0.003 to 0.5, 20,000 learned rows")
    for bins, rows in ((4, 1000), (10, 1000), (50, 1000), (10, 20_000)):
        random, p = np.random.default_rng(0), np.full(bins, 1 / bins)
        missed = [0.0, 0.0]
        for tilt in (0.1, 0.2, 0.5, 1.0):
            q = p * np.exp(tilt * np.linspace(-1, 1, bins))
            q /= q.sum()
            truth = float(((q - p) * np.log(q / p)).sum())
            drawn = [(random.multinomial(20_000, p), random.multinomial(rows, q)) for _ in range(runs)]
            found = np.array([psi_bounds(trained, recorded, 1.0, 0.025) for trained, recorded in drawn])
            missed = [max(missed[0], float((found[:, 1] > truth).mean())), max(missed[1], float((found[:, 2] < truth).mean()))]
        print(
            f"  {bins} bins, {rows} recorded rows: lower bound too high {missed[0]:.1%}, upper too low {missed[1]:.1%}",
            flush=True,
        )


def tilted(tilt: float) -> tuple[Floats, Floats, float]:
    p = np.full(10, 0.1)
    q = p * np.exp(tilt * np.linspace(-1, 1, 10))
    q /= q.sum()
    return p, q, float(((q - p) * np.log(q / p)).sum())


def skewed(p: Floats, q: Floats, features: int, limit: float, seed: int) -> GateResult:
    random = np.random.default_rng(seed)
    sides = {f"x{one}": Sides(random.multinomial(20_000, p), random.multinomial(2000, q)) for one in range(features)}
    (result,) = judge_skew(SkewSpec(max=limit), sides, 2000)
    return result


def contract(runs: int = 1000) -> None:
    print("\nContract learned from 2,000 rows: fresh samples that break it, defects that it finds")
    learned = learn(good(2000, 0), NOW)
    told("clean samples refused", (bool(check(good(2000, seed), learned, NOW)) for seed in range(1, runs + 1)), runs)
    told("kinds of defects found", (bool(check(frame, learned, NOW)) for _, frame, _ in DEFECTS), len(DEFECTS))
    few = learn(good(40, 0), NOW)
    told(
        "learned from 40 rows: clean samples refused", (bool(check(good(40, one), few, NOW)) for one in range(1, runs)), runs - 1
    )


def speed() -> None:
    print("\nSeconds of processor time of one rule, by examples")
    for rows in (2_000, 20_000, 60_000):
        random = np.random.default_rng(0)
        z = random.normal(size=rows)
        label = (random.random(rows) < 1 / (1 + np.exp(-z))).astype(float).tolist()
        columns = {"carrier": random.choice(list("abcdefghij"), rows).tolist(), "z": z.tolist()}
        ids = [str(one) for one in range(rows)]
        ours, theirs = (
            Evaluation(
                ids, (1 / (1 + np.exp(-z - random.normal(size=rows) * 0.1))).tolist(), label, {"carrier": columns["carrier"]}
            )
            for _ in range(2)
        )
        timed(f"{rows:>6}: auc >= 0.65", partial(judge_gates, [parse_rule("auc >= 0.65")], ours, None))
        rule = "auc not worse than champion by 0.005"
        timed(f"{rows:>6}: {rule}", partial(judge_gates, [parse_rule(rule)], ours, theirs))
        timed(f"{rows:>6}: {rule} in each of ten", partial(judge_gates, [parse_rule(f"{rule} in each carrier")], ours, theirs))
        timed(f"{rows:>6}: slices", partial(judge_slices, SlicesSpec(), ours, columns))


def not_worse(candidate: Evaluation, champion: Evaluation, margin: float, where: str = "") -> GateResult:
    (result,) = judge_gates([parse_rule(f"accuracy not worse than champion by {margin:g} {where}")], candidate, champion)
    return result


def timed(what: str, work: Callable[[], object]) -> None:
    began = time.process_time()
    work()
    print(f"  {what:66} {time.process_time() - began:6.2f}")


def told(what: str, happened: Iterable[bool], runs: int) -> None:
    share = sum(happened) / runs
    print(f"  {what:66} {share:6.1%} ± {1.96 * sqrt(max(share * (1 - share), 1 / runs) / runs):.1%} of {runs:,}", flush=True)


if __name__ == "__main__":
    main()
