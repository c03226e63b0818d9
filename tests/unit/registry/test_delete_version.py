"""A version that stands nowhere is taken out of the registry; what stands, serves, or may be returned to is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lockgate.domain.events import Action
from lockgate.domain.models import Alias, RequestState, Stage
from lockgate.domain.rollouts import Phase
from lockgate.kernel.errors import Conflict, NotFound, Refused
from lockgate.ports.state import ALIASES, COMMENTS, LEARNINGS, NOTES, REQUESTS, ROLLOUTS, VERSIONS
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.builders import ANNA, BEN, MODEL, digest, learning, rollout
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.add_comment import add_comment
from lockgate.usecases.delete_version import delete_version
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.set_notes import set_notes
from lockgate.usecases.world import World
from tests.samples.asgi import client_of
from tests.samples.company import register
from tests.samples.story import tell


@pytest.fixture
def world(state: MemoryState, artifacts: MemoryArtifacts, clock: VirtualClock) -> World:
    world = World(state, artifacts, clock)
    for number in (1, 2, 3):
        register(world, number)
    return world


def numbers(world: World) -> list[int]:
    with world.state.read() as tx:
        return [one.version for one in tx.find(VERSIONS, model=MODEL)]


def actions(world: World) -> list[Action]:
    with world.state.read() as tx:
        return [one.happened.action for one in tx.events(subject=f"{MODEL}/2")]


def test_it_goes_with_what_was_written_beside_it(world: World) -> None:
    add_comment(world, MODEL, 2, ANNA, "hm")
    add_comment(world, MODEL, 3, ANNA, "this stays")
    set_notes(world, MODEL, 2, ANNA, tags={"a": "b"})
    asked = request_transition(world, MODEL, 2, Stage.STAGING, ANNA)
    with world.state.write() as tx:
        tx.put(ALIASES, Alias(MODEL, "best", 2))
    delete_version(world, MODEL, 2, BEN)
    assert numbers(world) == [1, 3]
    with world.state.read() as tx:
        assert [one.version for one in tx.find(COMMENTS)] == [3]
        assert (tx.find(NOTES), tx.find(ALIASES)) == ([], [])
        request = tx.get(REQUESTS, asked.id)
        last = tx.events(newest_first=True, limit=1)[0].happened
    assert request is not None
    assert request.state is RequestState.CANCELLED
    assert actions(world)[-3:] == [Action.REQUEST_CANCELLED, Action.ALIAS_REMOVED, Action.VERSION_DELETED]
    assert (last.actor, last.details) == (BEN.name, {"digest": last.details["digest"]})


def test_its_number_is_never_used_again(world: World) -> None:
    delete_version(world, MODEL, 3, ANNA)
    assert register(world, 4).version == 4
    assert numbers(world) == [1, 2, 4]
    with pytest.raises(NotFound):
        delete_version(world, MODEL, 3, ANNA)


@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PRODUCTION])
def test_what_stands_somewhere_stays(world: World, stage: Stage) -> None:
    with world.state.write() as tx:
        tx.put(VERSIONS, replace(tx.find(VERSIONS, model=MODEL)[1], stage=stage))
    with pytest.raises(Refused, match=stage.value) as refused:
        delete_version(world, MODEL, 2, ANNA)
    assert "Archive" in str(refused.value.hint)
    assert numbers(world) == [1, 2, 3]


@pytest.mark.parametrize("place", [{"version": 2, "baseline": 1}, {"version": 3, "baseline": 2}])
def test_what_takes_part_in_a_rollout_stays(world: World, place: dict[str, int]) -> None:
    with world.state.write() as tx:
        tx.put(ROLLOUTS, rollout(**place))
    with pytest.raises(Conflict, match="takes part"):
        delete_version(world, MODEL, 2, ANNA)


def test_the_champion_of_a_segment_stays(world: World) -> None:
    with world.state.write() as tx:
        tx.put(ALIASES, Alias(MODEL, "champion:AA", 2))
    with pytest.raises(Conflict, match="'AA'"):
        delete_version(world, MODEL, 2, ANNA)


def test_what_a_segments_roll_back_would_return_to_stays_also_where_the_segment_is_not_in_force(world: World) -> None:
    ended = rollout(version=3, baseline=2, baseline_digest=digest("package 2"), segment="AA", own=True, phase=Phase.PROMOTED)
    with world.state.write() as tx:
        tx.put(ROLLOUTS, ended)
        tx.put(ALIASES, Alias(MODEL, "champion:AA", 3))
    with pytest.raises(Refused, match="roll-back"):
        delete_version(world, MODEL, 2, ANNA)
    delete_version(world, MODEL, 1, ANNA)


def test_a_step_of_what_was_learned_stays(world: World) -> None:
    with world.state.write() as tx:
        tx.put(LEARNINGS, learning())
    with pytest.raises(Refused, match="learns online"):
        delete_version(world, MODEL, 2, ANNA)


def test_in_the_told_story_only_what_was_sent_home_can_go_and_pages_still_tell_of_it() -> None:
    story = tell()
    for number, kind in ((1, Refused), (2, Refused), (4, Conflict)):  # kept warm, in Production, on trial
        with pytest.raises(kind):
            delete_version(story.world, MODEL, number, ANNA)
    delete_version(story.world, MODEL, 3, ANNA)
    assert numbers(story.world) == [1, 2, 4]
    client = client_of(story)
    for path in (
        "/",
        f"/models/{MODEL}",
        f"/rollouts/{story.rollout(3).id}",
        "/audit",
        f"/api/v1/rollouts/{story.rollout(3).id}",
    ):
        assert client.page(path).status == 200, path
    assert client.page(f"/models/{MODEL}/versions/3").status == 404
