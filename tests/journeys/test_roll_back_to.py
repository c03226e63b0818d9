"""A roll-back that names its goal: while a rollout runs, nothing ends before it is clear that the model may go there."""

from __future__ import annotations

import pytest

from lockgate.domain.models import Stage
from lockgate.kernel.errors import NotFound, Refused
from lockgate.ports.state import PROJECTS
from lockgate.testing import builders as a
from lockgate.usecases.find_rollouts import rollouts_under_way
from lockgate.usecases.roll_back import roll_back
from lockgate.usecases.world import World
from tests.samples.registry import ADA, BEN, CARL, approve, ask, registry, settle, stages


def _into_production(world: World, number: int) -> None:
    approve(world, ask(world, ADA, number), BEN)
    settle(world)


@pytest.fixture
def world() -> World:
    """Version 2 is the champion, 1 is kept warm, 3 is a canary, and 4 stood nowhere."""
    world = registry(4)
    _into_production(world, 1)
    _into_production(world, 2)
    with world.state.write() as tx:
        tx.put(PROJECTS, a.project())
    _into_production(world, 3)
    assert _running(world) == [3]
    return world


def _running(world: World) -> list[int]:
    with world.state.read() as tx:
        return [one.version for one in rollouts_under_way(tx, a.MODEL)]


@pytest.mark.parametrize(("to", "error"), [(77, NotFound), (4, Refused), (3, Refused)])
def test_where_it_may_not_go_the_rollout_goes_on(world: World, to: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        roll_back(world, a.MODEL, CARL, to=to)
    assert _running(world) == [3]


@pytest.mark.parametrize(("to", "champion"), [(None, 2), (2, 2), (1, 1)])
def test_where_it_may_go_the_rollout_ends(world: World, to: int | None, champion: int) -> None:
    roll_back(world, a.MODEL, CARL, to=to)
    assert _running(world) == []
    assert stages(world)[champion] is Stage.PRODUCTION
