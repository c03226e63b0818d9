"""A judge's report in one sentence, for people."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge import SMALL_SEGMENTS, Assigned, Difference, Rate, Report

_OPENING = {
    JudgeVerdict.HARM: "The canary does harm",
    JudgeVerdict.SAFE: "The canary is proven safe",
    JudgeVerdict.INCONCLUSIVE: "The exposure that was granted is spent and these are not proven",
    JudgeVerdict.WAIT: "Too early to say",
}


def sentence(report: Report) -> str:
    """`The canary does harm: labels 21.3 % (64 of 300) against 9.8 % (290 of 2950).`"""
    if report.verdict is JudgeVerdict.ROUTER_FAULT:
        return _router(report.assigned)
    said = "; ".join(part for name in report.metrics for part in _parts(name, report))
    verdict = f"{_OPENING[report.verdict]}: {said}." if said else f"{_OPENING[report.verdict]}."
    differ = report.difference
    return f"{_predictions(differ)} {verdict}" if differ and differ.proven else verdict


def _parts(name: str, report: Report) -> Iterator[str]:
    """What is said of one of the names that decided."""
    kind, _, of = name.partition(".")
    if name == SMALL_SEGMENTS:
        yield "segments that have had too few units to be named"
    elif kind == "objective":
        yield f"{of} {_rate(report.rates[of][0])}, {_percent(report.limits[of])} is the limit"
    else:
        for event, (canary, baseline) in report.rates.items():
            if event == name or event.startswith((f"{name}.", f"{name}/")):
                yield f"{event.replace('/', ' ')} {_rate(canary)} against {_rate(baseline)}"


def _router(assigned: Assigned) -> str:
    seen, expected = (_percent(part / assigned.units) for part in (assigned.canary, assigned.expected))
    return (
        f"The router is at fault: {seen} of new units ({assigned.canary} of {assigned.units}) met the canary,"
        f" {expected} expected. What was counted is no evidence: abort, find the reason, and start again."
    )


def _predictions(differ: Difference) -> str:
    own, other = (f"{_percent(answers / of)} ({answers} of {of})" for answers, of in (differ.canary, differ.baseline))
    scores = f"from {differ.low:g} to {differ.high:g}".replace("from -inf to", "below").replace(" to inf", " on")
    return f"The canary predicts otherwise: {own} of its answers score {scores}, {other} of the baseline's."


def _rate(rate: Rate) -> str:
    share = _percent(rate.events / rate.trials) if rate.trials else "nothing yet"
    return f"{share} ({rate.events} of {rate.trials})"


def _percent(share: float) -> str:
    return f"{share:.2%}".replace("%", " %")
