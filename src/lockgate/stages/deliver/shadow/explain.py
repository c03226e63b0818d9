"""A report on a shadow in one sentence, for people."""

from __future__ import annotations

from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge.report import Rate, Report

_OPENING = {
    JudgeVerdict.HARM: "The shadow would do harm",
    JudgeVerdict.SAFE: "The shadow is proven safe",
    JudgeVerdict.INCONCLUSIVE: "The pairs that were granted are spent and these are not proven",
    JudgeVerdict.WAIT: "Too early to say",
}


def sentence(report: Report) -> str:
    """`The shadow would do harm: agreement 91.20 % (912 of 1000), at least 95.00 % asked.`"""
    said = "; ".join(_said(report, metric) for metric in report.metrics)
    return f"{_OPENING[report.verdict]}: {said}." if said else f"{_OPENING[report.verdict]}."


def _said(report: Report, metric: str) -> str:
    shadow, champion = report.rates[metric]
    if metric == "labels":
        return f"labels {_rate(shadow)} against {_rate(champion)}"
    if metric == "agreement":
        return f"agreement {_rate(shadow)}, at least {_percent(1.0 - report.limits[metric])} asked"
    return f"{metric} {_rate(shadow)}, at most {_percent(report.limits[metric])} asked"


def _rate(rate: Rate) -> str:
    share = _percent(rate.events / rate.trials) if rate.trials else "nothing yet"
    return f"{share} ({rate.events} of {rate.trials})"


def _percent(share: float) -> str:
    return f"{share:.2%}".replace("%", " %")
