"""A report on a shadow in one sentence, for people."""

from __future__ import annotations

from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge.report import LossFigures, Rate, Report

_OPENING = {
    JudgeVerdict.HARM: "The {} would do harm",
    JudgeVerdict.SAFE: "The {} is proven safe",
    JudgeVerdict.INCONCLUSIVE: "The pairs that were granted are spent and these are not proven",
    JudgeVerdict.WAIT: "Too early to say",
}


def sentence(report: Report, what: str = "shadow") -> str:
    """`The shadow would do harm: agreement 91.20 % (912 of 1000), at least 95.00 % asked.` what: the kind of version it is."""
    opening = _OPENING[report.verdict].format(what)
    said = "; ".join(_said(report, metric) for metric in report.metrics)
    return f"{opening}: {said}." if said else f"{opening}."


def loss_told(losses: LossFigures, margin: float) -> str:
    """`0.1823 against 0.1604, difference +0.0219 [+0.0101, +0.0337] of 1200, less than +0.0100 asked`"""
    left_out = f"; left out, because their labels have no such loss: {losses.left_out}" if losses.left_out else ""
    if not losses.units:
        return f"nothing yet{left_out}"
    difference = f"{losses.shadow - losses.champion:+.4f} [{losses.low:+.4f}, {losses.high:+.4f}] of {losses.units}"
    asked = f"less than {margin:+.4f} asked"
    return f"{losses.shadow:.4f} against {losses.champion:.4f}, difference {difference}, {asked}{left_out}"


def _said(report: Report, metric: str) -> str:
    if metric == "loss" and report.losses:
        return f"loss {loss_told(report.losses, report.limits[metric])}"
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
