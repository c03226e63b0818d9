"""What a shadow or a checkpoint did beside the champion, in lines for people: agreement, differences, labels, failures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lockgate.domain.rollouts import Rollout, Strategy
from lockgate.entrypoints.reading.latency import latencies
from lockgate.entrypoints.reading.pairs import DELTAS, PairTotals
from lockgate.entrypoints.reading.progress import ArmTotals, Progress
from lockgate.entrypoints.reading.words import percent
from lockgate.stages.deliver.shadow import loss_told


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
        event = rollout.judge.label_event.words
        yield Line(f"{event} by one alone", f"{side(rollout)} {totals.only_shadow}, champion {totals.only_champion}")
    if rollout.judge.loss:
        yield Line(rollout.judge.loss.words, loss_told(totals.figures(), rollout.judge.loss.margin))


def side_by_side(rollout: Rollout, progress: Progress) -> Iterator[Line]:
    """The same with what each side did by itself. A checkpoint scores rows of the log, where nothing fails or takes time."""
    yield from pair_lines(rollout, progress.pairs)
    shadow, champion = progress.canary, progress.baseline
    if rollout.strategy is Strategy.SHADOW:
        sides = f"shadow {_part(shadow.failed, shadow.completed)}, champion {_part(champion.failed, champion.completed)}"
        yield Line("failures", sides)
    if shadow.labelled and rollout.judge.label_event:
        event = rollout.judge.label_event.words
        sides = f"{side(rollout)} {_part(shadow.events, shadow.labelled)}, champion {_part(champion.events, champion.labelled)}"
        yield Line(event, sides)
    if rollout.strategy is Strategy.SHADOW:
        yield Line("latency, not judged", f"shadow {_latency(shadow)}, champion {_latency(champion)}")


def side(rollout: Rollout) -> str:
    """What the version is to the champion that it is compared with."""
    if rollout.strategy is Strategy.ONLINE:
        return "checkpoint"
    return "shadow" if rollout.strategy is Strategy.SHADOW else "canary"


def _part(events: int, trials: int) -> str:
    return f"{percent(events / trials)} ({events} of {trials})" if trials else "–"


def _latency(arm: ArmTotals) -> str:
    return ", ".join(f"p{one.level * 100:g} {one.says}" for one in latencies(arm.latency)) or "–"
