"""A rollout that is judged by labels which never come: people are told, once, and again when they stop coming."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockgate.domain.events import Action
from lockgate.domain.rollouts import JudgePolicy, Phase, Rollout
from lockgate.entrypoints.reading.live import live_models
from lockgate.ports.state import PROJECTS
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.note_missing_labels import missing_labels, note_missing_labels
from lockgate.usecases.pair_labels import pair_labels
from lockgate.usecases.world import World
from tests.journeys.test_shadow import LABELLED, UNLABELLED, Service, begin, look, run

HOUR, DAY = 3600.0, 86_400.0


def declare(world: World, delay: str) -> None:
    with world.state.write() as tx:
        project = tx.get(PROJECTS, "m")
        assert project is not None
        tx.put(PROJECTS, replace(project, watch={"labels": {"delay": delay}}))


def wait(world: World, seconds: float) -> None:
    world.clock.advance(seconds)  # type: ignore[attr-defined]
    advance_rollouts(world, Judges())
    note_missing_labels(world)


def told(world: World) -> list[str]:
    with world.state.read() as tx:
        events = [event.happened for event in tx.events()]
    return [str(one.details["detail"]) for one in events if one.action is Action.LABELS_MISSING]


def said(world: World, rollout: Rollout) -> str:
    with world.state.read() as tx:
        return missing_labels(tx, look(world, rollout))


def paired(world: World, service: Service, requests: int) -> list[str]:
    ids = service.answer(requests)
    pair_labels(world, service.records)
    advance_rollouts(world, Judges())
    note_missing_labels(world)
    return ids


def test_after_a_day_without_a_label_people_are_told_once_what_to_do() -> None:
    world, rollout, service = begin(LABELLED)
    paired(world, service, 1200)
    wait(world, DAY - 60)
    assert (told(world), said(world, rollout)) == ([], "")
    wait(world, 120)
    wait(world, HOUR)
    [once] = told(world)
    assert once.startswith("1,200 pairs wait for their labels; none has come since ")
    assert "send them to /v2/models/m/feedback, or abort it, leave labels out of judge: metrics" in once
    assert said(world, rollout) == once
    with world.state.read() as tx:
        assert live_models(tx, ["m"])["m"].missing_labels == (f"version 2: {once}",)
    assert look(world, rollout).phase is Phase.PROGRESSING


def test_where_the_delay_is_declared_twice_as_long_is_waited() -> None:
    world, _, service = begin(LABELLED)
    declare(world, "2h")
    paired(world, service, 10)
    wait(world, 4 * HOUR - 60)
    assert told(world) == []
    wait(world, 120)
    assert len(told(world)) == 1


def test_labels_that_come_end_it_and_their_end_is_told_again() -> None:
    world, rollout, service = begin(LABELLED)
    ids = paired(world, service, 100)
    wait(world, DAY + 60)
    service.label(ids[:50])
    wait(world, 1)
    assert said(world, rollout) == ""
    wait(world, DAY + 60)
    assert [one.split(";")[0] for one in told(world)] == [
        "100 pairs wait for their labels",
        "50 pairs wait for their labels",
    ]


@pytest.mark.parametrize("policy", [UNLABELLED, LABELLED])
def test_what_needs_no_labels_and_what_has_no_pairs_misses_nothing(policy: JudgePolicy) -> None:
    world, rollout, service = begin(policy)
    if policy is UNLABELLED:
        run(world, rollout, service, 3)
    wait(world, 3 * DAY)
    assert told(world) == []


def test_who_aborts_it_waits_for_nothing() -> None:
    world, rollout, service = begin(LABELLED)
    paired(world, service, 100)
    wait(world, DAY + 60)
    ended = replace(look(world, rollout), phase=Phase.ABORTED, ended_at=world.clock.now())
    with world.state.read() as tx:
        assert missing_labels(tx, ended) == ""
