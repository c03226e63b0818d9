"""What it takes to come into a stage, and who is meant by the people that a rule speaks of."""

from __future__ import annotations

from datetime import datetime

from lockgate.domain.environments import ENVIRONMENT_OF
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.people import POLICY, Actor, folded
from lockgate.domain.projects import ApprovalPolicy
from lockgate.kernel.errors import Refused
from lockgate.ports.state import RUNS, USERS, WAIVERS, Reader
from lockgate.stages.decide.approvals import check_may_decide
from lockgate.stages.decide.entry import EntryRule, entry_rule, missing_edge
from lockgate.stages.decide.waiving import unpassed
from lockgate.usecases.check_signature import against_signature
from lockgate.usecases.find_gates import gates_of
from lockgate.usecases.find_nodes import nodes_of
from lockgate.usecases.find_things import environment_of, policy_of


def rule_for(tx: Reader, model: str, stage: Stage) -> EntryRule:
    """Of the platform's policy and the project file, the stricter."""
    return entry_rule(policy_of(tx).stages.get(stage.value), approvals_of(tx, model, stage))


def approvals_of(tx: Reader, model: str, stage: Stage) -> ApprovalPolicy | None:
    """What the project file asks for; None of a stage of which it says nothing."""
    return environment_of(tx, model, ENVIRONMENT_OF[stage]).approvals if stage in ENVIRONMENT_OF else None


def check_person(tx: Reader, rule: EntryRule, version: ModelVersion, requester: str, actor: Actor, what: str) -> None:
    """Let pass or raise. The policy itself is neither requester nor author, whatever it asked for.

    Raises:
        Refused: the rule excludes the actor, or asks for a role or a proof of the name that they have not.
    """
    people = {} if actor == POLICY else {"requester": {folded(requester)}, "author": authors_of(tx, version)}
    check_may_decide(rule, policy_of(tx), actor, known_as(tx, actor), people, what)


def known_as(tx: Reader, actor: Actor) -> frozenset[str]:
    """The actor's name and e-mail address, and those of every user with whom either is shared: they are one person. Folded."""
    users = [{folded(one) for one in (user.name, user.email) if one} for user in tx.find(USERS)]
    names = {folded(actor.name)}
    while more := [one for one in users if not names.isdisjoint(one) and not one <= names]:
        names.update(*more)
    return frozenset(names)


def authors_of(tx: Reader, version: ModelVersion) -> frozenset[str]:
    """Name and e-mail address of whoever wrote the commit, as git has them; of a graph also those of its nodes. Folded."""
    run = tx.get(RUNS, version.run)
    own = {folded(one) for one in (version.author, run.author_email if run else "") if one}
    return frozenset(own).union(*(authors_of(tx, node) for node in nodes_of(tx, version).values() if node))


def check_move(tx: Reader, version: ModelVersion, to_stage: Stage) -> None:
    """
    Raises:
        Refused: the policy has no such move.
    """  # noqa: D212 - there is nothing else to say
    against = missing_edge(policy_of(tx).edges, version.stage, to_stage)
    if against is not None:
        raise Refused(f"{version.model} {version.version}: {against}", hint="See the moves that there are: lockgate policy show")


def moves_from(tx: Reader, version: ModelVersion) -> list[Stage]:
    """The stages that the policy lets the version go to from where it stands."""
    edges = policy_of(tx).edges
    return [one for one in Stage if one is not version.stage and missing_edge(edges, version.stage, one) is None]


def goal_from(tx: Reader, stage: Stage) -> Stage | None:
    """Where a version that stands there may go next, as near to Production as the policy lets it; None: nowhere."""
    edges = policy_of(tx).edges
    goals = (Stage.PRODUCTION, Stage.STAGING)
    return next((goal for goal in goals if goal is not stage and missing_edge(edges, stage, goal) is None), None)


def check_gates(tx: Reader, version: ModelVersion, rule: EntryRule, to_stage: Stage, now: datetime) -> None:
    """Let pass or raise. A waiver counts while it holds, whatever held when the version was registered.

    Raises:
        Refused: a gate that the policy requires was never asked, or one has neither passed nor is waived now.
    """
    missing = missing_gates(tx, version, rule, to_stage, now)
    if missing:
        raise Refused(
            f"{version.model} {version.version} may not come into {to_stage.value}: {'; '.join(missing)}",
            hint=f"Build one that passes, or ask for a waiver: lockgate waive {version.model} GATE --version {version.version}",
        )


def missing_gates(tx: Reader, version: ModelVersion, rule: EntryRule, to_stage: Stage, now: datetime) -> list[str]:
    """What is missing, in words; only environments ask."""
    if to_stage not in ENVIRONMENT_OF:
        return []
    found = {result.gate for result in gates_of(tx, version)}
    never = [f"the policy requires gate {gate!r}, which it was not judged by" for gate in rule.gates if gate not in found]
    return never + unpassed_gates(tx, version, now)


def unpassed_gates(tx: Reader, version: ModelVersion, now: datetime) -> list[str]:
    """Which results neither passed nor are waived now, in words. A graph answers for every version in it, however deep."""
    left = unpassed(gates_of(tx, version), tx.find(WAIVERS, model=version.model), version.version, now)
    found = [f"gate {one.gate!r} ({one.rule}) said {one.verdict.value} and no waiver holds" for one in left]
    for name, node in nodes_of(tx, version).items():
        told = unpassed_gates(tx, node, now) if node else ["it was deleted, so nobody can say what its gates found"]
        found += [f"node {name}: {one}" for one in told]
    return found


def left_to_people(tx: Reader, version: ModelVersion, to_stage: Stage, now: datetime) -> str | None:
    """Why the policy cannot let the version in by itself, `deployment: automatic` or not; None: it can."""
    platform, rule = policy_of(tx).stages.get(to_stage.value), rule_for(tx, version.model, to_stage)
    if rule.roles:
        named = ", ".join(dict.fromkeys(role for group in rule.roles for role in group))
        return f"{to_stage.value} wants the word of people: {named}"
    if platform is not None and platform.need > 1:
        return f"{to_stage.value} wants the word of {platform.need} people"
    if platform is not None and "requester" in platform.excluded:
        return f"{to_stage.value} wants the word of somebody else than asks, and the policy is who asks"
    missing = [*missing_gates(tx, version, rule, to_stage, now)]
    if to_stage in ENVIRONMENT_OF and (why := against_signature(tx, version)):
        missing.append(why)
    return "; ".join(missing) or missing_edge(policy_of(tx).edges, version.stage, to_stage)
