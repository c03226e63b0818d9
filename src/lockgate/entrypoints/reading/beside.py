"""What a shadow did beside the champion, in lines for people: agreement, differences, labels, failures, latency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lockgate.boundary.histogram import quantile
from lockgate.domain.rollouts import Rollout
from lockgate.entrypoints.reading.pairs import DELTAS, PairTotals
from lockgate.entrypoints.reading.progress import ArmTotals, Progress
from lockgate.entrypoints.reading.words import percent


@dataclass(frozen=True, slots=True)
class Line:
    """`agreement`, `96.2 % of 1240 pairs, at least 95 % asked`."""

    name: str
    says: str


def pair_lines(rollout: Rollout, totals: PairTotals) -> Iterator[Line]:
    """What there is to say of pairs; what each side did by itself is said elsewhere."""
    agreement = rollout.judge.agreement
    if totals.pairs:
        asked = f", at least {percent(agreement.at_least)} asked" if agreement and "agreement" in rollout.judge.metrics else ""
        yield Line("agreement", f"{percent(totals.agreed / totals.pairs)} of {totals.pairs} pairs{asked}")
        levels = (f"p{level * 100:g} {value:.3g}" for level, value in zip(DELTAS, totals.differences(), strict=True))
        yield Line("difference of the scores", ", ".join(levels))
    if "labels" in rollout.judge.metrics and rollout.judge.label_event:
        event = rollout.judge.label_event.event.replace("_", " ")
        yield Line(f"{event} by one alone", f"shadow {totals.only_shadow}, champion {totals.only_champion}")


def side_by_side(rollout: Rollout, progress: Progress) -> Iterator[Line]:
    """The same with what each side did by itself."""
    yield from pair_lines(rollout, progress.pairs)
    shadow, champion = progress.canary, progress.baseline
    sides = f"shadow {_part(shadow.failed, shadow.completed)}, champion {_part(champion.failed, champion.completed)}"
    yield Line("failures", sides)
    if shadow.labelled and rollout.judge.label_event:
        event = rollout.judge.label_event.event.replace("_", " ")
        sides = f"shadow {_part(shadow.events, shadow.labelled)}, champion {_part(champion.events, champion.labelled)}"
        yield Line(event, sides)
    yield Line("latency, not judged", f"shadow {_latency(shadow)}, champion {_latency(champion)}")


def _part(events: int, trials: int) -> str:
    return f"{percent(events / trials)} ({events} of {trials})" if trials else "–"


def _latency(arm: ArmTotals) -> str:
    if not arm.latency:
        return "–"
    return f"p50 {1e3 * quantile(arm.latency, 0.5):.2f} ms, p99 {1e3 * quantile(arm.latency, 0.99):.2f} ms"
