"""A rollout's state in plain words: what a person reads first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lockgate.domain.rollouts import Phase, Rollout
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.stages.deliver.judge.bounds import safe_bound
from lockgate.stages.deliver.rollout import weight


def status_line(rollout: Rollout, evidence: Mapping[str, float]) -> str:
    """One sentence. `evidence`: the latest, as in the journal."""
    version, share = f"Version {rollout.version}", f"{percent(weight(rollout))} of {units(rollout)}"
    match rollout.phase:
        case Phase.PREPARING:
            return f"{version} is being loaded by the workers; nobody meets it yet."
        case Phase.PROGRESSING:
            return f"{version} takes {share}; {proven_clause(rollout, evidence)}."
        case Phase.PAUSED:
            return f"{version} is paused at {share}; {proven_clause(rollout, evidence)}. The guard against harm goes on."
        case Phase.HOLDING:
            return f"{version} is held at {share}: the evidence does not suffice. A person must resume, promote or abort it."
        case Phase.PROMOTED:
            return _promoted(rollout)
        case Phase.ABORTED:
            return _aborted(rollout)


def proven_clause(rollout: Rollout, evidence: Mapping[str, float]) -> str:
    """`safe on errors and latency, labels not proven yet`."""
    proven = proven_metrics(rollout, evidence)
    missing = [metric for metric in rollout.judge.metrics if metric not in proven]
    if not proven:
        return "nothing is proven yet"
    if not missing:
        return f"safe on {enumerated(proven)}"
    return f"safe on {enumerated(proven)}, {enumerated(missing)} not proven yet"


def proven_metrics(rollout: Rollout, evidence: Mapping[str, float]) -> list[str]:
    bound = safe_bound(rollout.judge)
    return [metric for metric in rollout.judge.metrics if evidence.get(f"safe/{metric}", 0.0) >= bound]


def _promoted(rollout: Rollout) -> str:
    came = f"Version {rollout.version} serves {rollout.environment}"
    after = f", in place of version {rollout.baseline}" if rollout.baseline is not None else ", as its first version"
    outcome = rollout.outcome
    if outcome and outcome.verdict is JudgeVerdict.SAFE and outcome.metrics:
        return f"{came}{after}: proven safe on {enumerated(outcome.metrics)}."
    return f"{came}{after}."


def _aborted(rollout: Rollout) -> str:
    home = f"version {rollout.baseline} answers everybody" if rollout.baseline is not None else "it serves nobody"
    outcome = rollout.outcome
    if outcome and outcome.verdict is JudgeVerdict.HARM:
        what = f" on {enumerated(outcome.metrics)}" if outcome.metrics else ""
        return f"Version {rollout.version} did harm{what} and was sent home; {home}."
    return f"The rollout of version {rollout.version} was aborted; {home}."


def units(rollout: Rollout) -> str:
    return "requests" if rollout.unit == "request" else "units"


def percent(share: float) -> str:
    """`25 %`, `2.5 %`: no digits that say nothing."""
    return f"{share * 100:.3g} %"


def enumerated(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:  # noqa: PLR2004
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
