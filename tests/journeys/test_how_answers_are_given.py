"""How requests are answered, from the project file to the table in force: republished with the record, told by the status."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lockgate.boundary.routes import OnFailure, Revision, Route
from lockgate.domain.events import Action
from lockgate.domain.models import Stage
from lockgate.domain.people import Actor
from lockgate.domain.projects import Answers, Deployment, Environment, ProjectRecord, TrafficRule
from lockgate.entrypoints.reading.live import Live, answering_clause, live_models
from lockgate.ports.state import MODELS, PROJECTS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.apply_stage import apply_stage
from lockgate.usecases.find_things import version_of
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.register_version import register_version, remember_project
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.world import World

ADA = Actor("ada")
STRICT = Answers(OnFailure.ERROR, 2.0, ("email",), (TrafficRule(("yes",), "staging", header="x-preview"),))


def project(answers: Answers = Answers(), **fields: Any) -> ProjectRecord:  # noqa: B008 - it cannot be changed
    return a.project(environments={"production": Environment(a.canary_plan(), answers=answers)}, **fields)


@pytest.fixture
def world() -> World:
    """Version 1 in Production; nothing is said about how it answers."""
    made = World(MemoryState(), MemoryArtifacts(), VirtualClock())
    with made.state.write() as tx:
        remember_project(tx, project(), ADA, made.clock.now())
        tx.put(MODELS, a.registered_model(latest_version=1))
        tx.put(VERSIONS, a.version(1, stage=Stage.PRODUCTION))
        publish_routes(tx, a.MODEL)
    return made


def register(world: World, project: ProjectRecord) -> None:
    digest = world.artifacts.put(b"a package")
    run = a.run(id="run-2")
    register_version(world, run, ADA, digest=digest, evaluation=a.digest("e"), reference=a.digest("r"), project=project)


def published(world: World) -> tuple[Revision, Route]:
    with world.state.read() as tx:
        table = route_table(tx)
    found = table.route(a.MODEL)
    assert found is not None
    return table.revision, found


def said(world: World) -> list[dict[str, Any]]:
    with world.state.read() as tx:
        return [one.happened.details for one in tx.events() if one.happened.action is Action.ANSWERS_SET]


def live(world: World) -> Live:
    with world.state.read() as tx:
        return live_models(tx, [a.MODEL])[a.MODEL]


def into_staging(world: World, version: int) -> None:
    with world.state.write() as tx:
        apply_stage(tx, version_of(tx, a.MODEL, version), Stage.STAGING, ADA, world.clock.now())
        publish_routes(tx, a.MODEL)


def test_a_run_that_changes_how_requests_are_answered_changes_the_table_in_force(world: World) -> None:
    before, _ = published(world)
    register(world, project(STRICT))
    revision, route = published(world)
    assert revision > before
    assert (route.on_failure, route.timeout, route.redacted) == (OnFailure.ERROR, 2.0, ("email",))
    assert [arm.version for arm in route.arms] == [1]
    [changed] = said(world)
    assert changed["from"]["on_failure"] == "champion"
    assert changed["to"]["on_failure"] == "error"
    assert list(changed["to"]["redacted"]) == ["email"]


def test_a_run_that_changes_nothing_of_it_leaves_the_table_alone(world: World) -> None:
    register(world, project(STRICT))
    before = published(world)
    register(world, project(STRICT, deployment=Deployment.MANUAL, watch={"drift": {"window": 50}}))
    assert published(world) == before
    assert len(said(world)) == 1


def test_record_and_table_change_together_or_not_at_all(world: World) -> None:
    before = published(world)
    with pytest.raises(RuntimeError):
        _change_and_fail(world)
    assert published(world) == before
    with world.state.read() as tx:
        assert tx.get(PROJECTS, a.MODEL) == project()


def _change_and_fail(world: World) -> None:
    with world.state.write() as tx:
        remember_project(tx, project(STRICT), ADA, world.clock.now())
        found = route_table(tx).route(a.MODEL)
        assert found is not None
        assert found.on_failure is OnFailure.ERROR
        raise RuntimeError("what comes after it in the transaction fails")


def test_a_change_in_the_middle_of_a_canary_keeps_its_share_and_its_evidence(world: World) -> None:
    with world.state.write() as tx:
        second = a.version(2)
        tx.put(VERSIONS, second)
        tx.put(MODELS, a.registered_model(latest_version=2))
        opened = open_rollout(tx, second, "production", ADA, world.clock.now())
    _, before = published(world)
    register(world, project(STRICT))
    _, after = published(world)
    assert (after.rollout, after.salt, after.unit, after.arms) == (opened.id, before.salt, before.unit, before.arms)
    assert after.redacted == ("email",)


def test_a_rule_is_in_force_while_its_version_is_served(world: World) -> None:
    register(world, project(STRICT))
    assert published(world)[1].rules == ()
    into_staging(world, 2)
    assert [(one.version, one.header, one.values) for one in published(world)[1].rules] == [(2, "x-preview", ("yes",))]
    with world.state.write() as tx:
        apply_stage(tx, version_of(tx, a.MODEL, 2), Stage.ARCHIVED, ADA, world.clock.now())
        publish_routes(tx, a.MODEL)
    assert published(world)[1].rules == ()


def test_the_status_says_what_is_not_usual_and_which_rules_are_left_out(world: World) -> None:
    assert answering_clause(live(world)) == ""
    other = TrafficRule(("JFK", "LGA"), 9, field="origin")
    register(world, project(replace(STRICT, rules=(*STRICT.rules, other))))
    assert answering_clause(live(world)) == (
        "on failure error, timeout 2s, redacts email,"
        " x-preview is yes → the version in Staging, which is not served: the rule is left out,"
        " origin is JFK or LGA → version 9, which is not served: the rule is left out"
    )
    into_staging(world, 2)
    assert "x-preview is yes → version 2, origin" in answering_clause(live(world))
    assert [one.leads_to for one in live(world).rules] == [2, None]
