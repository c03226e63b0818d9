"""Is the evaluation to be believed? Held-out rows that were learned too, and features that give the label away (leakage).

Both are smells and not proofs, so figures are compared as they are: a feature that tells nine in ten labels may be a good one.
"""

from __future__ import annotations

from lockgate.domain.packages import SplitFacts
from lockgate.domain.verdicts import GateResult, GateVerdict
from lockgate.stages.decide.split_spec import SplitSpec

GATE = "split"
_SHOWN = 5


def judge_split(spec: SplitSpec, facts: SplitFacts | None) -> tuple[GateResult, ...]:
    """The verdict on each limit that is set. facts: None where the packager told none."""
    results = []
    if spec.max_overlap is not None:
        results.append(_overlap(spec.max_overlap, facts))
    if spec.max_single_feature is not None:
        results.append(_leakage(spec.max_single_feature, facts))
    return tuple(results)


def _overlap(limit: float, facts: SplitFacts | None) -> GateResult:
    rule = f"overlap <= {limit:g}"
    if facts is None:
        return _unknown(rule)
    share = facts.overlapping / max(facts.held_out, 1)
    verdict = GateVerdict.PASS if share <= limit else GateVerdict.FAIL
    told = f"{facts.overlapping:,} of {facts.held_out:,} held-out rows have the same features as a training row ({share:.2%})"
    hint = "" if verdict is GateVerdict.PASS else ". Split by what must not be known, such as time or customer"
    return GateResult(GATE, rule, verdict, told + hint, {"share": share, "limit": limit, "n": facts.held_out})


def _leakage(limit: float, facts: SplitFacts | None) -> GateResult:
    rule = f"single feature <= {limit:g}"
    if facts is None or not facts.single:
        return _unknown(rule)
    ranked = sorted(facts.single.items(), key=lambda one: -one[1])
    leaking = [name for name, told in ranked if told > limit]
    best, told = ranked[0]
    if leaking:
        said = f"{', '.join(leaking[:_SHOWN])} alone tell the label ({best}: {told:.3g}): is this known before the truth is?"
    else:
        said = f"{best} tells it best, by {told:.3g}"
    verdict = GateVerdict.FAIL if leaking else GateVerdict.PASS
    return GateResult(GATE, rule, verdict, said, {"limit": limit, "features": dict(ranked[:_SHOWN])})


def _unknown(rule: str) -> GateResult:
    why = "nothing is known of the split: labels of two classes or numbers are needed, and both classes among those held out"
    return GateResult(GATE, rule, GateVerdict.ERROR, why)
