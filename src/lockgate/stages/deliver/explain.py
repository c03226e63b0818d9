"""A judge's report in one sentence, for people."""

from __future__ import annotations

from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge import Rate, Report

_OPENING = {
    JudgeVerdict.HARM: "The canary does harm",
    JudgeVerdict.SAFE: "The canary is proven safe",
    JudgeVerdict.INCONCLUSIVE: "The exposure that was granted is spent and these are not proven",
    JudgeVerdict.WAIT: "Too early to say",
}


def sentence(report: Report) -> str:
    """`The canary does harm: labels 21.3 % (64 of 300) against 9.8 % (290 of 2950).`"""
    rates = [
        f"{event} {_rate(canary)} against {_rate(baseline)}"
        for event, (canary, baseline) in report.rates.items()
        if event.partition(".")[0] in report.metrics
    ]
    said = "; ".join(rates) or ", ".join(report.metrics)
    return f"{_OPENING[report.verdict]}: {said}." if said else f"{_OPENING[report.verdict]}."


def _rate(rate: Rate) -> str:
    share = f"{rate.events / rate.trials:.2%}".replace("%", " %") if rate.trials else "nothing yet"
    return f"{share} ({rate.events} of {rate.trials})"
