"""A step that needs people's yes: asked for when the one before is proven, given by those who may, and bound to that step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockgate.domain.access import User
from lockgate.domain.events import Action
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import ApprovalPolicy, Deployment, Environment, ProjectRecord
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Rollout, Signal, Strategy
from lockgate.kernel.errors import Conflict, LockgateError, NotFound, Refused
from lockgate.ports.state import MODELS, PROJECTS, ROLLOUTS, ROUTES, USERS, VERSIONS
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.approve_step import approve_step
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.steer_rollout import steer
from lockgate.usecases.world import World
from tests.journeys.test_canary import Service, look, run

ADA, BEN, CLEO, EVE = Actor("ada"), Actor("ben"), Actor("cleo"), Actor("eve")
JUDGE = JudgePolicy(metrics=("errors",), requests_per_unit=1)
STEPS, YES = (0.1, 0.3, 0.5), (0, 2)


def begin(policy: ApprovalPolicy = ApprovalPolicy()) -> tuple[World, Rollout]:  # noqa: B008 - it cannot be changed
    """A canary of version 2, which eve wrote, ada requested and dan approved; its second step needs two people."""
    world = World(MemoryState(), MemoryArtifacts(), VirtualClock())
    now = world.clock.now()
    plan = Plan(Strategy.CANARY, STEPS, "request", JUDGE, yes=YES)
    with world.state.write() as tx:
        tx.put(MODELS, RegisteredModel("m", now, 2))
        tx.put(PROJECTS, ProjectRecord("m", "/p", Deployment.MANUAL, {"production": Environment(plan, policy)}))
        tx.put(VERSIONS, ModelVersion("m", 1, "sha256:1", "run-1", "ada", now, dirty=False, stage=Stage.PRODUCTION))
        tx.put(VERSIONS, ModelVersion("m", 2, "sha256:2", "run-2", "eve", now, dirty=False))
        publish_routes(tx, "m")
    approve_request(world, request_transition(world, "m", 2, Stage.PRODUCTION, ADA).id, Actor("dan"))
    with world.state.write() as tx:
        rollout = replace(tx.find(ROLLOUTS)[0], salt="salt")  # who meets the canary is no chance here
        tx.put(ROLLOUTS, rollout)
        publish_routes(tx, "m")
    Service(world).acknowledge()
    advance_rollouts(world, Judges())
    return world, look(world, rollout)


def asking(policy: ApprovalPolicy = ApprovalPolicy()) -> tuple[World, Rollout, Service]:  # noqa: B008
    """The first step is proven, and nobody has said yes to the second."""
    world, rollout = begin(policy)
    service = Service(world)
    judges = Judges()
    for _ in range(200):
        found = run(world, rollout, service, 1, judges=judges)
        if found.phase is not Phase.PROGRESSING:
            return world, found, service
    raise AssertionError("it was never asked for")


def actions(world: World, rollout: Rollout) -> list[Action]:
    with world.state.read() as tx:
        return [event.happened.action for event in tx.events(subject=rollout.id)]


def canary_share(world: World) -> float:
    with world.state.read() as tx:
        published = tx.get(ROUTES, "current")
    assert published is not None
    return published.table.routes[0].arms[0].weight


def refused(
    world: World, rollout: Rollout, actor: Actor, kind: type[LockgateError], said: str, share: float | None = None
) -> None:
    """The attempt is refused in words that say what to do, and nothing has changed by it."""
    before, happened = look(world, rollout), actions(world, rollout)
    with pytest.raises(kind, match=said) as error:
        approve_step(world, rollout.id, actor, share=share)
    assert error.value.hint
    assert (look(world, rollout), actions(world, rollout)) == (before, happened)


def test_a_proven_step_waits_for_the_yes_of_two_and_the_second_yes_begins_the_next() -> None:
    world, rollout, service = asking()
    assert (rollout.phase, rollout.step, canary_share(world)) == (Phase.AWAITING, 0, 0.1)
    assert actions(world, rollout)[-1] is Action.ROLLOUT_AWAITING
    assert run(world, rollout, service, 20).phase is Phase.AWAITING, "proof alone does not do"
    assert approve_step(world, rollout.id, BEN, "the labels look right").phase is Phase.AWAITING
    assert canary_share(world) == 0.1
    begun = approve_step(world, rollout.id, CLEO)
    assert (begun.phase, begun.step, canary_share(world)) == (Phase.PROGRESSING, 1, 0.3)
    assert actions(world, rollout)[-3:] == [Action.ROLLOUT_APPROVED, Action.ROLLOUT_APPROVED, Action.ROLLOUT_STEPPED]
    with world.state.read() as tx:
        first, second = (one.happened for one in tx.events(subject=rollout.id) if one.happened.action is Action.ROLLOUT_APPROVED)
    assert first.details == {
        "step": 1,
        "share": 0.3,
        "still_needed": 1,
        "comment": "the labels look right",
        "digest": "sha256:2",
    }
    assert (first.actor, second.actor, second.details["still_needed"]) == ("ben", "cleo", 0)
    assert run(world, rollout, service, 400).phase is Phase.PROMOTED, "the third step asks nobody"


def test_the_requester_and_the_author_may_not_and_whoever_approved_the_request_may() -> None:
    world, rollout, _ = asking()
    refused(world, rollout, ADA, Refused, "ada is the requester of rollout")
    refused(world, rollout, EVE, Refused, "eve is the author of rollout")
    assert approve_step(world, rollout.id, Actor("dan")).approvals[0].by == "dan"


@pytest.mark.parametrize(("excluded", "may"), [((), {"ada", "eve"}), (("author",), {"ada"}), (("requester",), {"eve"})])
def test_the_environment_says_who_may_not(excluded: tuple[str, ...], may: set[str]) -> None:
    world, rollout, _ = asking(ApprovalPolicy(excluded=excluded))
    for actor in (ADA, EVE):
        if actor.name in may:
            approve_step(world, rollout.id, actor)
        else:
            refused(world, rollout, actor, Refused, f"{actor.name} is the")


def test_nobody_counts_twice() -> None:
    world, rollout, _ = asking()
    approve_step(world, rollout.id, BEN)
    refused(world, rollout, BEN, Conflict, "ben has already said yes to the step of 30%")


def test_nobody_counts_twice_under_two_names() -> None:
    world, rollout, _ = asking()
    with world.state.write() as tx:
        for name, email in (("ben", "ben@corp.org"), ("b.second", "Ben@corp.org")):
            tx.put(USERS, User(name, world.clock.now(), email=email))
    approve_step(world, rollout.id, BEN)
    refused(world, rollout, Actor("b.second"), Conflict, "b.second has already said yes")


def test_a_yes_that_was_not_asked_for_does_not_count() -> None:
    world, rollout = begin()
    refused(world, rollout, BEN, Conflict, "is progressing: it asks for nobody's yes")


def test_a_yes_to_one_step_is_none_to_another() -> None:
    world, rollout, _ = asking()
    refused(world, rollout, BEN, Conflict, "asks for a yes to its step of 30%, not of 50%", share=0.5)
    assert approve_step(world, rollout.id, BEN, share=0.3).approvals[0].step == 1


def test_harm_ends_a_rollout_that_waits_for_people_and_their_yes_comes_too_late() -> None:
    world, rollout, service = asking()
    approve_step(world, rollout.id, BEN)
    service.failing = {2: 0.5}
    assert run(world, rollout, service, 200).phase is Phase.ABORTED
    refused(world, rollout, CLEO, Conflict, "is aborted: it asks for nobody's yes")


def test_after_an_abort_nobody_says_yes() -> None:
    world, rollout, _ = asking()
    steer(world, rollout.id, Signal.ABORT, ADA)
    refused(world, rollout, BEN, Conflict, "is aborted")


def test_a_yes_is_to_the_package_that_the_rollout_brings() -> None:
    world, rollout, _ = asking()
    with world.state.write() as tx:
        tx.put(VERSIONS, ModelVersion("m", 2, "sha256:other", "run-2", "eve", world.clock.now(), dirty=False))
    refused(world, rollout, BEN, Conflict, "brings sha256:2, version 2 is sha256:other now")


def test_nobody_promotes_past_the_people_who_are_to_be_asked() -> None:
    world, rollout = begin()
    with pytest.raises(Refused, match=r"the step of 30% of rollout \S+ needs the yes of 2 more"):
        steer(world, rollout.id, Signal.PROMOTE, ADA)
    world, rollout, _ = asking()
    with pytest.raises(Refused, match="needs the yes of 2 more"):
        steer(world, rollout.id, Signal.PROMOTE, ADA)
    approve_step(world, rollout.id, BEN)
    approve_step(world, rollout.id, CLEO)
    assert steer(world, rollout.id, Signal.PROMOTE, ADA).phase is Phase.PROMOTED, "those who were to be asked have said yes"


def test_there_is_no_such_rollout() -> None:
    world, _ = begin()
    with pytest.raises(NotFound):
        approve_step(world, "rollout-none", BEN)
