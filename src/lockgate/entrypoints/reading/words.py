"""A rollout's state in plain words: what a person reads first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import log

from lockgate.domain.rollouts import Phase, Rollout, Strategy
from lockgate.domain.verdicts import JudgeVerdict
from lockgate.kernel.quantities import format_share
from lockgate.stages.deliver.judge.bounds import safe_bound
from lockgate.stages.deliver.rollout import asked_for, awaited_step, entering, met, preview_ends, said_yes, under_way, weight


def status_line(rollout: Rollout, evidence: Mapping[str, float]) -> str:
    """One sentence. `evidence`: the latest, as in the journal."""
    version, share = f"Version {rollout.version}", f"{percent(weight(rollout))} of {units(rollout)}"
    if rollout.strategy is Strategy.SHADOW and rollout.step >= 0 and under_way(rollout):
        return _shadow(rollout, evidence)
    if rollout.strategy is Strategy.ONLINE and (said := _checkpoint(rollout, evidence)):
        return said
    if rollout.contestants and (said := _contest(rollout)):
        return said
    match rollout.phase:
        case Phase.PREPARING:
            return f"{version} is being loaded by the workers; nobody meets it yet."
        case Phase.PREVIEW:
            return f"{version} answers those who ask for it and nobody else; {switch_clause(rollout)}."
        case Phase.PROGRESSING:
            return f"{version} takes {share}; {proven_clause(rollout, evidence)}."
        case Phase.AWAITING:
            return f"{version} takes {share} and is proven there; {yes_clause(rollout)}. The guard against harm goes on."
        case Phase.PAUSED:
            return f"{version} is paused at {share}; {proven_clause(rollout, evidence)}. The guard against harm goes on."
        case Phase.HOLDING:
            return f"{version} is held at {share}: {_why_held(rollout)}. A person must resume, promote or abort it."
        case Phase.PROMOTED:
            return _promoted(rollout)
        case Phase.ABORTED:
            return _aborted(rollout)


def _why_held(rollout: Rollout) -> str:
    fault = rollout.verdict is JudgeVerdict.ROUTER_FAULT
    return "units do not meet it as declared" if fault else "the evidence does not suffice"


def _shadow(rollout: Rollout, evidence: Mapping[str, float]) -> str:
    asked = f"Version {rollout.version} is asked what version {rollout.baseline} is asked, {standing(rollout)}"
    if rollout.phase is Phase.HOLDING:
        return f"{asked}, and held: the evidence does not suffice. A person must resume, promote or abort it."
    paused = " It is paused: harm still ends it, a proof does not promote it." if rollout.phase is Phase.PAUSED else ""
    return f"{asked}; nobody gets its answers; {proven_clause(rollout, evidence)}.{paused}"


def _checkpoint(rollout: Rollout, evidence: Mapping[str, float]) -> str:
    """Empty where a checkpoint is like any other version."""
    version, before = f"Version {rollout.version}", f"version {rollout.baseline}"
    if under_way(rollout) and rollout.step >= 0:
        paused = " It is paused: harm still ends it, a proof does not promote it." if rollout.phase is Phase.PAUSED else ""
        asked = f"{version} and {before} score each row before its truth is learned"
        return f"{asked}; nobody gets its answers; {proven_clause(rollout, evidence)}.{paused}"
    if rollout.phase is Phase.ABORTED and rollout.outcome and rollout.outcome.verdict is JudgeVerdict.INCONCLUSIVE:
        return f"{version} was neither proven safe nor harmful within {rollout.judge.max_units} rows; {before} answers everybody."
    return ""


def _contest(rollout: Rollout) -> str:
    """Empty where a contest is like any other rollout."""
    left = [str(one.version) for one in rollout.contestants[1:] if not one.figures.dropped]
    named = f"Version{'s' * (len(left) > 1)} {enumerated(left)}"
    if rollout.phase is Phase.PROMOTED:
        won = " It won the contest." if rollout.winner else ""
        return f"Version {entering(rollout)} serves {place(rollout)}, in place of version {rollout.baseline}.{won}"
    if rollout.phase is Phase.ABORTED and rollout.winner == rollout.baseline:
        return f"Version {rollout.baseline} won against its challengers and answers {everybody(rollout)}."
    if rollout.phase is Phase.ABORTED and not left:
        why = " or could not be loaded" if any(one.gone for one in rollout.contestants) else ""
        return f"Every challenger did harm{why} and was sent home; version {rollout.baseline} answers {everybody(rollout)}."
    if rollout.phase is Phase.PREPARING:
        return f"{named} {'are' if len(left) > 1 else 'is'} being loaded by the workers; nobody meets them yet."
    if rollout.phase is Phase.ABORTED or rollout.step < 0:
        return ""
    waits = {
        Phase.PAUSED: " It is paused: harm still drops a version, no winner is promoted.",
        Phase.HOLDING: " It is held: a person must resume, promote or abort it.",
    }.get(rollout.phase, "")
    share = f"{percent(weight(rollout))} of {units(rollout)}"
    return f"{named} answer {share} beside version {rollout.baseline}; nobody has won yet.{waits}"


def standing(rollout: Rollout) -> str:
    """`at 25 %`; of a shadow `about 25 % of requests`; of a checkpoint `beside version 4`."""
    if rollout.strategy is Strategy.ONLINE:
        return f"beside version {rollout.baseline}"
    if rollout.strategy is Strategy.SHADOW:
        return f"about {percent(met(rollout))} of {units(rollout)}"
    return f"at {percent(weight(rollout))}"


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


def switch_clause(rollout: Rollout) -> str:
    """`all are switched to it when a person says so`: of a rollout in its preview."""
    ends = preview_ends(rollout)
    when = f"at {moment(ends)}, or " if ends else ""
    return f"all are switched to it {when}when a person says so"


def yes_clause(rollout: Rollout) -> str:
    """`ben said yes to its step of 25 %, 1 more must`: of a rollout that asks people."""
    step = awaited_step(rollout)
    if step is None:
        return "nobody is asked for more"
    missing, said, what = asked_for(rollout, step), said_yes(rollout, step), f"its step of {percent(rollout.steps[step])}"
    if said:
        return f"{enumerated(said)} said yes to {what}, {missing} more must"
    return f"{missing} {'people' if missing > 1 else 'person'} must say yes to {what}"


def approve_command(rollout: Rollout) -> str:
    """What a person types to say yes to the step that is asked for, and to no other."""
    step = awaited_step(rollout)
    share = "" if step is None else f" --share {format_share(rollout.steps[step])}"
    return f"lockgate rollout approve {rollout.id}{share}"


def _promoted(rollout: Rollout) -> str:
    if rollout.falls_back:
        return f"Segment {rollout.segment} fell back to the general champion, version {rollout.version}."
    came = f"Version {rollout.version} serves {place(rollout)}"
    after = f", in place of version {rollout.baseline}" if rollout.baseline is not None else ", as its first version"
    outcome = rollout.outcome
    if outcome and outcome.verdict is JudgeVerdict.SAFE and outcome.metrics:
        return f"{came}{after}: proven safe on {enumerated(outcome.metrics)}."
    return f"{came}{after}."


def _aborted(rollout: Rollout) -> str:
    home = f"version {rollout.baseline} answers {everybody(rollout)}" if rollout.baseline is not None else "it serves nobody"
    outcome = rollout.outcome
    if outcome and outcome.verdict is JudgeVerdict.HARM:
        what = f" on {enumerated(outcome.metrics)}" if outcome.metrics else ""
        if rollout.strategy in (Strategy.SHADOW, Strategy.ONLINE):
            return f"Version {rollout.version} would do harm{what} and is asked no more; nobody got its answers, and {home}."
        return f"Version {rollout.version} did harm{what} and was sent home; {home}."
    return f"The rollout of version {rollout.version} was aborted; {home}."


def units(rollout: Rollout) -> str:
    """`requests`; `units of segment JFK`."""
    return ("requests" if rollout.unit == "request" else "units") + (f" of segment {rollout.segment}" if rollout.segment else "")


def place(rollout: Rollout) -> str:
    """`production`, `production, segment JFK`: where the rollout brings its version."""
    return f"{rollout.environment}, segment {rollout.segment}" if rollout.segment else rollout.environment


def everybody(rollout: Rollout) -> str:
    return f"everybody in segment {rollout.segment}" if rollout.segment else "everybody"


def alpha_clause(rollout: Rollout) -> str:
    """`what the year's 10 % leaves of the plan's 1 %`, with a warning where that is little; empty where it has all of it."""
    alpha, whole, yearly = rollout.judge.alpha, rollout.plan_alpha, rollout.judge.alpha_per_year
    if whole is None or yearly is None:
        return ""
    said = f"what the year's {percent(yearly)} leaves of the plan's {percent(whole)}"
    if alpha >= whole / 10:
        return said
    return f"{said}. Warning: less than a tenth; harm must show {log(alpha) / log(whole):.2g} times the evidence"


def moment(at: datetime) -> str:
    """To the second, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def percent(share: float) -> str:
    """`25 %`, `2.5 %`: no digits that say nothing."""
    return f"{share * 100:.3g} %"


def enumerated(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:  # noqa: PLR2004
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
