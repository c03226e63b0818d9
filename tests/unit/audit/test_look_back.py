"""What stood where at a time is what a plain fold over all events says, and pages of the log together are the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.domain.events import Action, Event, Happened
from lockgate.domain.models import Stage
from lockgate.entrypoints.reading.log_pages import log_page
from lockgate.kernel.errors import Invalid
from lockgate.ports.state import MODELS, VERSIONS, Reader
from lockgate.testing import builders as a
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import START, VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases import look_back as looking
from lockgate.usecases.apply_stage import apply_stage
from lockgate.usecases.decide_request import cancel_request, reject_request
from lockgate.usecases.find_events import Sought, actions_like, find_events, last_event_at
from lockgate.usecases.find_things import version_of
from lockgate.usecases.look_back import look_back
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.world import World

_MODELS = ("a", "b")
_moves = st.lists(
    st.tuples(st.sampled_from(_MODELS), st.integers(1, 3), st.sampled_from(Stage), st.integers(0, 3)), min_size=1, max_size=12
)


def _world() -> World:
    world = World(MemoryState(), MemoryArtifacts(), VirtualClock())
    with world.state.write() as tx:
        for model in _MODELS:
            tx.add(MODELS, a.registered_model(name=model, latest_version=3))
            tx.add_all(VERSIONS, [a.version(number, model=model) for number in (1, 2, 3)])
    return world


def _moved(world: World, model: str, number: int, stage: Stage) -> None:
    with world.state.write() as tx:
        apply_stage(tx, version_of(tx, model, number), stage, a.BEN, world.clock.now())


@given(moves=_moves, place=st.integers(-1, 40))
@settings(deadline=None)
def test_production_at_any_time_is_what_was_written_down_then(moves: list[tuple[str, int, Stage, int]], place: int) -> None:
    """Beside the log a diary is kept, of what the state itself says after each move."""
    world = _world()
    diary: list[tuple[datetime, dict[str, int]]] = []
    for model, number, stage, pause in moves:
        assert isinstance(world.clock, VirtualClock)
        world.clock.advance(pause)
        _moved(world, model, number, stage)
        with world.state.read() as tx:
            here = {one.model: one.version for one in tx.find(VERSIONS, stage=Stage.PRODUCTION.value)}
        diary.append((world.clock.now(), here))
    moment = START + timedelta(seconds=place)
    expected = next((here for at, here in reversed(diary) if at <= moment), {})
    past = look_back(world, moment)
    assert {one.model: one.version for one in past.stages if one.stage is Stage.PRODUCTION} == expected
    assert {one.model: one.version for one in past.aliases if one.alias == "champion"} == expected
    of_one = look_back(world, moment, "a")
    assert of_one.stages == [one for one in past.stages if one.model == "a"]


def test_requests_are_open_from_their_asking_to_their_end() -> None:
    world = _world()
    assert isinstance(world.clock, VirtualClock)
    clock = world.clock
    first = request_transition(world, "a", 1, Stage.STAGING, a.ANNA, "please")
    clock.advance(10)
    second = request_transition(world, "b", 2, Stage.STAGING, a.ANNA, "please")
    clock.advance(10)
    reject_request(world, first.id, a.BEN, "no")
    clock.advance(10)
    cancel_request(world, second.id, a.ANNA)
    open_then = [[one.request for one in look_back(world, START + timedelta(seconds=s)).requests] for s in (-1, 5, 15, 25, 35)]
    assert open_then == [[], [first.id], [first.id, second.id], [second.id], []]
    [waiting] = look_back(world, START + timedelta(seconds=5)).requests
    assert (waiting.model, waiting.version, waiting.to, waiting.requester) == ("a", 1, "Staging", a.ANNA.name)


def test_many_moves_are_folded_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "PAGE", 2)
    world = _world()
    for number in (1, 2, 3, 1):
        _moved(world, "a", number, Stage.PRODUCTION)
    past = look_back(world, world.clock.now())
    assert [(one.version, one.stage) for one in past.stages] == [
        (1, Stage.PRODUCTION),
        (2, Stage.ARCHIVED),
        (3, Stage.ARCHIVED),
    ]


_happenings = st.builds(
    lambda action, actor, model, later: (later, a.happened(action=action, actor=actor, model=model)),
    st.sampled_from([Action.STAGE_APPLIED, Action.STAGE_ARCHIVED, Action.ROLLOUT_STEPPED]),
    st.sampled_from(["anna", "ben"]),
    st.sampled_from(_MODELS),
    st.integers(0, 2),
)


def _log(happenings: list[tuple[int, Happened]]) -> tuple[MemoryState, list[Event]]:
    state, at = MemoryState(), START
    with state.write() as tx:
        for later, said in happenings:
            at += timedelta(seconds=later)
            tx.record(replace(said, at=at))
    with state.read() as tx:
        return state, tx.events()


@given(
    happenings=st.lists(_happenings, max_size=25),
    pattern=st.sampled_from(["", "*", "model:*", "*:applied", "rollout:weight:set"]),
    actor=st.none() | st.sampled_from(["anna", "zoe"]),
    model=st.none() | st.sampled_from(_MODELS),
    since=st.none() | st.integers(-1, 30),
    until=st.none() | st.integers(-1, 30),
)
def test_pages_back_and_forth_are_the_events_sought(
    happenings: list[tuple[int, Happened]],
    pattern: str,
    actor: str | None,
    model: str | None,
    since: int | None,
    until: int | None,
) -> None:
    state, events = _log(happenings)
    start, end = (None if one is None else START + timedelta(seconds=one) for one in (since, until))
    sought = Sought(actions_like(pattern), actor, model, since=start, until=end)
    expected = [
        event
        for event in reversed(events)
        if (not sought.actions or event.happened.action in sought.actions)
        and actor in (None, event.happened.actor)
        and model in (None, event.happened.model)
        and (start is None or event.happened.at >= start)
        and (end is None or event.happened.at <= end)
    ]
    with state.read() as tx:
        there = _walk_back(tx, sought)
        assert [event for page in there for event in page] == expected
        assert find_events(tx, sought, limit=3) == expected[::-1][:3]


def _walk_back(tx: Reader, sought: Sought) -> list[list[Event]]:
    """To the last page by Older; from each, Newer leads to the page before."""
    pages = [log_page(tx, sought, before=None, after=None, size=4)]
    assert pages[0].newer is None
    while pages[-1].older is not None:
        pages.append(log_page(tx, sought, before=pages[-1].older, after=None, size=4))
        back = log_page(tx, sought, before=None, after=pages[-1].newer, size=4)
        assert back.events == pages[-2].events
    return [list(page.events) for page in pages]


@given(pauses=st.lists(st.integers(0, 2), max_size=20), place=st.integers(-1, 45))
def test_the_last_event_at_a_time_is_found_by_halving(pauses: list[int], place: int) -> None:
    state, events = _log([(pause, a.happened()) for pause in pauses])
    moment = START + timedelta(seconds=place)
    with state.read() as tx:
        assert last_event_at(tx, moment) == sum(event.happened.at <= moment for event in events)


def test_a_pattern_that_names_nothing_is_refused() -> None:
    assert actions_like("rollout:plan:promoted") == (Action.ROLLOUT_PROMOTED,)
    assert Action.ALIAS_SET in actions_like("*:set")
    with pytest.raises(Invalid, match="no action is like 'rolout:"):
        actions_like("rolout:*")


def test_a_time_without_events_has_nothing() -> None:
    past = look_back(_world(), datetime(1999, 1, 1, tzinfo=UTC))
    assert (past.event, past.stages, past.aliases, past.requests) == (0, [], [], [])
