"""Where evidence becomes a verdict, as natural logarithms of e-values: Ville's inequality gives 1/α and 1/β."""

from __future__ import annotations

from math import log

from lockgate.domain.rollouts import JudgePolicy


def harm_bound(judge: JudgePolicy) -> float:
    return -log(judge.alpha)


def safe_bound(judge: JudgePolicy) -> float:
    return -log(judge.beta)


def router_bound(judge: JudgePolicy) -> float:
    return -log(judge.router_alpha)
