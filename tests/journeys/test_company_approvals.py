"""Requests in company: roles, quorum, several requests for the same, expiry, and what a yes is bound to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lockgate.domain.access import User
from lockgate.domain.events import Action
from lockgate.domain.models import RequestState, Stage
from lockgate.domain.people import Actor
from lockgate.domain.policy import Policy, StageRule
from lockgate.domain.projects import ApprovalPolicy
from lockgate.kernel.errors import Conflict, Refused
from lockgate.ports.state import PROJECTS, ROLLOUTS, RUNS, USERS, VERSIONS
from lockgate.testing import builders as a
from lockgate.usecases.decide_request import approve_request, cancel_request, reject_request
from lockgate.usecases.expire_requests import expire_requests
from lockgate.usecases.register_version import remember_project
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.set_policy import roles_of_nobody, set_policy
from lockgate.usecases.transition_directly import transition_directly
from lockgate.usecases.world import World
from tests.samples.registry import (
    ADA,
    BEN,
    CARL,
    FREE,
    OLGA,
    POLICY_FILE,
    approve,
    ask,
    clock_of,
    events,
    found,
    registry,
    rule_by,
    settle,
    stages,
    version,
)


@pytest.fixture
def world() -> World:
    """Production needs two of the approvers, neither requester nor author; release managers may break the glass."""
    world = registry(2)
    set_policy(world, POLICY_FILE, OLGA)
    return world


# The quorum


def test_two_of_the_role_let_it_in(world: World) -> None:
    request = ask(world)
    with pytest.raises(Refused, match=r"olga has none of the roles that may decide request .*: approvers"):
        approve_request(world, request.id, OLGA)
    assert approve(world, request, BEN).state is RequestState.OPEN
    with pytest.raises(Conflict, match="already decided"):
        approve_request(world, request.id, BEN)
    assert approve(world, request, CARL).state is RequestState.APPROVED
    settle(world)
    assert stages(world)[1] is Stage.PRODUCTION


def test_a_member_of_a_group_has_its_role(world: World) -> None:
    set_policy(world, POLICY_FILE.replace("[ben, carl]", '[ben, "group:leads"]'), OLGA)
    request = approve(world, ask(world), BEN, Actor("dora", groups=("leads",)))
    assert request.state is RequestState.APPROVED


def test_neither_requester_nor_author_decides_also_by_their_mail_address(world: World) -> None:
    with world.state.write() as tx:
        tx.put(RUNS, a.run(id="run-1", author_email="Carl@Example.org"))
        tx.put(USERS, User("carl", world.clock.now(), email="CARL@example.org"))
    with pytest.raises(Refused, match="ben is the requester"):
        approve(world, ask(world, BEN), BEN)
    with pytest.raises(Refused, match="carl is the author"):
        approve(world, ask(world), CARL)


def test_a_name_that_was_only_given_does_not_count_where_the_policy_says_so(world: World) -> None:
    rule_by(world, Policy(stages={Stage.PRODUCTION.value: StageRule(authenticated=True)}))
    request = ask(world)
    with pytest.raises(Refused, match="nobody has checked that ben is ben"):
        approve(world, request, BEN)
    assert approve(world, request, Actor("ben", authenticated=True)).state is RequestState.APPROVED


def test_the_project_may_ask_for_more_than_the_platform(world: World) -> None:
    project = a.project(environments={"production": a.project().environments["staging"]})
    stricter = replace(project.environments["production"], approvals=ApprovalPolicy(1, (), ("release-managers",)))
    with world.state.write() as tx:
        tx.put(PROJECTS, replace(project, environments={"production": stricter}))
        told = roles_of_nobody(tx, Policy(roles={"approvers": ("ben",)}))
    assert told == ["flight-delay asks for role 'release-managers' in environments.production.approvals.from"]
    with pytest.raises(Refused, match=r"ben has none of the roles .*: release-managers"):
        approve(world, ask(world), BEN)


# Several requests for the same


def test_several_may_ask_for_the_same_and_one_yes_answers_them_all(world: World) -> None:
    rule_by(world, FREE)
    first, second, elsewhere = ask(world, ADA), ask(world, CARL), ask(world, ADA, stage=Stage.STAGING)
    with pytest.raises(Conflict, match=f"{first.id} by ada already asks"):
        ask(world, ADA)
    approve(world, first, BEN)
    assert [found(world, one).state.value for one in (first, second, elsewhere)] == ["approved", "approved", "open"]
    said = events(world, Action.REQUEST_APPROVED)
    assert [(one.happened.subject, one.happened.details.get("approved_by")) for one in said] == [
        (first.id, None),
        (second.id, first.id),
    ]
    with world.state.read() as tx:
        assert tx.count(ROLLOUTS) == 1


def test_a_no_closes_one_request_only(world: World) -> None:
    first, second = ask(world, ADA), ask(world, OLGA)
    assert reject_request(world, first.id, BEN).state is RequestState.REJECTED
    assert found(world, second).state is RequestState.OPEN


def test_who_is_pushed_out_of_a_stage_need_not_be_archived_any_more(world: World) -> None:
    rule_by(world, FREE)
    transition_directly(world, a.MODEL, 1, Stage.STAGING, ADA)
    settle(world)
    request = ask(world, BEN, 1, Stage.ARCHIVED)
    transition_directly(world, a.MODEL, 2, Stage.STAGING, ADA)
    settle(world)
    assert stages(world) == {1: Stage.ARCHIVED, 2: Stage.STAGING}
    assert found(world, request).state is RequestState.CANCELLED


# Expiry


def test_a_request_that_nobody_decides_expires_and_can_be_asked_again(world: World) -> None:
    request, other = ask(world), ask(world, OLGA)
    assert request.expires_at == world.clock.now() + timedelta(days=14)
    clock_of(world).advance(14 * 86400 - 1)
    assert expire_requests(world) == 0
    clock_of(world).advance(1)
    with pytest.raises(Conflict, match="expired, it can no longer be decided"):
        approve(world, request, BEN)
    assert [found(world, one).state for one in (request, other)] == [RequestState.EXPIRED] * 2
    with pytest.raises(Conflict, match="expired, it can no longer be cancelled"):
        cancel_request(world, request.id, ADA)
    assert expire_requests(world) == 0, "once"
    assert len(events(world, Action.REQUEST_EXPIRED)) == 2
    assert ask(world).state is RequestState.OPEN


# Binding


def test_another_policy_voids_what_was_said_under_the_one_before(world: World) -> None:
    request = approve(world, ask(world), BEN)
    set_policy(world, POLICY_FILE + "# two of three, from now on\n", OLGA)
    assert found(world, request).decisions == ()
    [voided] = events(world, Action.APPROVAL_VOIDED)
    assert voided.happened.details == {"by": "ben", "given_to": request.binding, "now": found(world, request).binding}
    assert approve(world, request, CARL).state is RequestState.OPEN, "carl's is the first that counts"
    set_policy(world, POLICY_FILE, OLGA)
    assert found(world, request).decisions == (), "what was void stays void, also when the old rules come back"
    assert approve(world, request, BEN, CARL).state is RequestState.APPROVED


def test_the_same_policy_again_changes_nothing(world: World) -> None:
    request = approve(world, ask(world), BEN)
    set_policy(world, POLICY_FILE, CARL)
    assert len(found(world, request).decisions) == 1
    assert len(events(world, Action.POLICY_SET)) == 1
    with pytest.raises(Conflict, match="the policy in force is sha256"):
        set_policy(world, POLICY_FILE + "\n", OLGA, if_digest="")


def test_other_approvals_in_the_project_file_void_too_and_other_plans_do_not(world: World) -> None:
    request = approve(world, ask(world), BEN)
    with world.state.write() as tx:
        project = tx.get(PROJECTS, a.MODEL)
        assert project
        remember_project(tx, replace(project, folder="/elsewhere"), ADA, world.clock.now())
    assert len(found(world, request).decisions) == 1
    strict = replace(project.environments["production"], approvals=ApprovalPolicy(2))
    with world.state.write() as tx:
        remember_project(tx, replace(project, environments={"production": strict}), ADA, world.clock.now())
    assert found(world, request).decisions == ()


def test_another_package_or_evidence_is_another_question(world: World) -> None:
    request = approve(world, ask(world), BEN)
    with world.state.write() as tx:
        tx.put(VERSIONS, replace(version(world), evidence=a.digest("other evidence")))
    assert approve(world, request, BEN).state is RequestState.OPEN, "ben may say it again, and counts once"
    assert len(events(world, Action.APPROVAL_VOIDED)) == 1


def test_who_saw_another_version_changes_nothing(world: World) -> None:
    seen = version(world).digest
    with pytest.raises(Conflict, match="is not what was seen"):
        request_transition(world, a.MODEL, 1, Stage.PRODUCTION, ADA, if_digest=a.digest("other"))
    request = request_transition(world, a.MODEL, 1, Stage.PRODUCTION, ADA, if_digest=seen)
    set_policy(world, POLICY_FILE + "\n", OLGA)
    with pytest.raises(Conflict, match="is not what was seen"):
        approve_request(world, request.id, BEN, if_digest=request.binding)
    assert approve_request(world, request.id, BEN, if_digest=found(world, request).binding).state is RequestState.OPEN
    assert approve_request(world, request.id, CARL, if_digest=seen).state is RequestState.APPROVED
