"""Many want different versions in Production at the same moment: one of them wins, and nobody ever sees none there, or two."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from lockgate.domain.events import Action
from lockgate.domain.models import Stage
from lockgate.domain.people import Actor
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.errors import Conflict
from lockgate.ports.state import ROLLOUTS, VERSIONS, State
from lockgate.stages.decide.audit import verify
from lockgate.testing import builders as a
from lockgate.usecases.decide_request import approve_request
from lockgate.usecases.request_transition import request_transition
from lockgate.usecases.transition_directly import transition_directly
from lockgate.usecases.world import World
from tests.samples.databases import postgres_databases, sqlite_databases
from tests.samples.registry import ADA, registry, settle, stages

MANY, PROCESSES = 50, 3
_PROGRAM = Path(__file__).parent / "registry_process.py"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_databases(tmp_path)()
    return postgres_databases(request.getfixturevalue("postgres"), f"parallel_{abs(hash(tmp_path)):x}")()


@pytest.fixture
def world(url: str) -> Iterator[World]:
    """Version 1 is in Production, many others want to be."""
    with closing(SqlState.open(url)) as state:
        world = registry(MANY + 1, state)
        transition_directly(world, a.MODEL, 1, Stage.PRODUCTION, ADA)
        settle(world)
        yield world


@contextmanager
def watching(state: State) -> Iterator[set[int]]:
    """How many versions were seen in Production, by a reader that looks all the time."""
    seen: set[int] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.001):
            with state.read() as tx:
                seen.add(tx.count(VERSIONS, model=a.MODEL, stage=Stage.PRODUCTION.value))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        yield seen
    finally:
        stop.set()
        reader.join()


def at_once(acts: list[Callable[[], object]]) -> int:
    """How many were done, of those that began at the same moment; each of the others met a conflict."""
    gate, done, odd = threading.Barrier(len(acts)), [], []

    def run(act: Callable[[], object]) -> None:
        gate.wait()
        try:
            done.append(act())
        except Conflict:
            return
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            odd.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert odd == []
    return len(done)


def test_one_of_fifty_versions_wins_and_production_is_never_empty_or_double(world: World) -> None:
    with watching(world.state) as seen:
        wanted = range(2, MANY + 2)
        won = at_once([lambda number=number: move(world, number, f"p{number}") for number in wanted])  # type: ignore[misc]
        settle(world)
    assert won == 1
    assert seen == {1}
    check(world)


def test_one_of_fifty_approvals_of_one_request_opens_the_way(world: World) -> None:
    request = request_transition(world, a.MODEL, 2, Stage.PRODUCTION, ADA, if_digest=a.digest("package 2"))
    people = [Actor(f"p{number}") for number in range(MANY)]
    assert at_once([lambda who=who: approve_request(world, request.id, who) for who in people]) == 1  # type: ignore[misc]
    with watching(world.state) as seen:
        settle(world)
    assert seen <= {1}
    check(world)


def test_processes_race_for_production_and_one_wins(url: str, world: World) -> None:
    share = MANY // PROCESSES
    with ExitStack() as stack, watching(world.state) as seen:
        numbers = [range(2 + share * one, 2 + share * (one + 1)) for one in range(PROCESSES)]
        begun = [stack.enter_context(_process(url, list(mine))) for mine in numbers]
        for process in begun:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        won = [process.communicate()[0] for process in _told_to_go(begun)]
        settle(world)
    assert sum(map(int, won)) == 1
    assert seen == {1}
    check(world)


def move(world: World, number: int, who: str) -> object:
    return transition_directly(world, a.MODEL, number, Stage.PRODUCTION, Actor(who))


def check(world: World) -> None:
    """Exactly one other version came in, by one rollout, and the log tells it."""
    assert sorted(stages(world).values()).count(Stage.PRODUCTION) == 1
    with world.state.read() as tx:
        assert tx.count(ROLLOUTS) == 2
        assert len(tx.events(actions=(Action.STAGE_APPLIED,))) == 2
        assert verify(lambda after, limit: tx.written(after=after, limit=limit)).broken is None


def _process(url: str, versions: list[int]) -> subprocess.Popen[str]:
    command = [sys.executable, str(_PROGRAM), url, *map(str, versions)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _told_to_go(processes: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    """All at the same moment."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes
