"""What it takes to come into a stage, and who is meant by the people that a rule speaks of."""

from __future__ import annotations

from datetime import datetime

from lockgate.domain.environments import ENVIRONMENT_OF
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.people import POLICY, Actor
from lockgate.domain.projects import ApprovalPolicy
from lockgate.kernel.errors import Refused
from lockgate.ports.state import RUNS, USERS, WAIVERS, Reader
from lockgate.stages.decide.approvals import check_may_decide
from lockgate.stages.decide.entry import EntryRule, entry_rule, missing_edge
from lockgate.stages.decide.waiving import unpassed
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
    people = {} if actor == POLICY else {"requester": {requester}, "author": authors_of(tx, version)}
    check_may_decide(rule, policy_of(tx), actor, known_as(tx, actor), people, what)


def known_as(tx: Reader, actor: Actor) -> frozenset[str]:
    """The actor's name, and the e-mail address of the user of that name."""
    user = tx.get(USERS, actor.name)
    return frozenset({actor.name, user.email.lower()} if user and user.email else {actor.name})


def authors_of(tx: Reader, version: ModelVersion) -> frozenset[str]:
    """The names of whoever wrote the version's commit: as git has it, and the e-mail address."""
    run = tx.get(RUNS, version.run)
    return frozenset({version.author, run.author_email.lower()} if run and run.author_email else {version.author})


def check_move(tx: Reader, version: ModelVersion, to_stage: Stage) -> None:
    """
    Raises:
        Refused: the policy has no such move.
    """  # noqa: D212 - there is nothing else to say
    against = missing_edge(policy_of(tx).edges, version.stage, to_stage)
    if against is not None:
        raise Refused(f"{version.model} {version.version}: {against}", hint="See the moves that there are: lockgate policy show")


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
    found = {result.gate for result in version.gates}
    left = unpassed(version.gates, tx.find(WAIVERS, model=version.model), version.version, now)
    never = [f"the policy requires gate {gate!r}, which it was not judged by" for gate in rule.gates if gate not in found]
    return never + [f"gate {one.gate!r} ({one.rule}) said {one.verdict.value} and no waiver holds" for one in left]


def left_to_people(tx: Reader, version: ModelVersion, to_stage: Stage, now: datetime) -> str | None:
    """Why the policy cannot let the version in by itself, `deployment: automatic` or not; None: it can."""
    platform, rule = policy_of(tx).stages.get(to_stage.value), rule_for(tx, version.model, to_stage)
    if rule.roles:
        named = ", ".join(dict.fromkeys(role for group in rule.roles for role in group))
        return f"{to_stage.value} wants the word of people: {named}"
    if platform is not None and platform.need > 1:
        return f"{to_stage.value} wants the word of {platform.need} people"
    missing = missing_gates(tx, version, rule, to_stage, now)
    return "; ".join(missing) or missing_edge(policy_of(tx).edges, version.stage, to_stage)
