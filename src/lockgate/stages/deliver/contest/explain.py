"""A report on a contest in one sentence, for people."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.domain.contests import ArmFigures
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver import explain
from lockgate.stages.deliver.judge import Report


def sentence(report: Report, versions: Sequence[int]) -> str:
    """`Version 3 won: goal events 15.1 % (1510 of 10000) against 10.0 % (500 of 5000) of version 1.` versions: the arms'."""
    if report.verdict is JudgeVerdict.ROUTER_FAULT:
        return explain.sentence(report)
    if report.winner is None:
        return _OPENING[report.verdict]
    others = [arm for arm, one in enumerate(report.arms) if arm != report.winner and not one.dropped]
    against = " and ".join(f"{rate(report.arms[arm])} of version {versions[arm]}" for arm in others)
    who = "The champion" if report.winner == 0 else f"Version {versions[report.winner]}"
    return f"{who} won: goal events {rate(report.arms[report.winner])} against {against}."


_OPENING = {
    JudgeVerdict.HARM: "Every challenger that was left does harm.",
    JudgeVerdict.INCONCLUSIVE: "The exposure that was granted is spent, and no version is proven better than every other.",
    JudgeVerdict.WAIT: "Too early to say.",
}


def rate(arm: ArmFigures) -> str:
    share = f"{arm.events / arm.trials:.2%}".replace("%", " %") if arm.trials else "nothing yet"
    return f"{share} ({arm.events} of {arm.trials})"
