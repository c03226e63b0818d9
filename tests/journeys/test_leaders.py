"""Who leads, and what becomes of the lead when its holder dies, breaks, or lives by another clock."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lockgate.entrypoints.controller.__main__ import Loop
from lockgate.entrypoints.runner.__main__ import serve
from lockgate.kernel.errors import Corrupt
from lockgate.ports.state import LEASES
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import START, VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.hold_lease import SKEW, hold_lease
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world


def new_world() -> World:
    return World(MemoryState(), MemoryArtifacts(), VirtualClock())


def set_back(world: World, seconds: float) -> World:
    return replace(world, clock=VirtualClock(START - timedelta(seconds=seconds)))


def test_one_holds_the_lease_until_it_runs_out() -> None:
    world = new_world()
    assert hold_lease(world, "controller", "a", 3.0)
    assert not hold_lease(world, "controller", "b", 3.0)
    world.clock.advance(3.1)  # type: ignore[attr-defined]
    assert hold_lease(world, "controller", "b", 3.0)
    assert not hold_lease(world, "controller", "a", 3.0)


def test_a_clock_that_is_set_back_makes_nobody_wait_for_the_time_that_was() -> None:
    world = new_world()
    assert hold_lease(world, "controller", "died since", 3.0)
    before = set_back(world, 3600.0)
    assert hold_lease(before, "controller", "next", 3.0)
    with before.state.read() as tx:
        lease = tx.get(LEASES, "controller")
    assert lease is not None
    assert lease.until == before.clock.now().timestamp() + 3.0


def test_a_clock_that_is_a_little_behind_takes_nothing_away() -> None:
    world = new_world()
    assert hold_lease(world, "controller", "a", 3.0)
    assert not hold_lease(set_back(world, SKEW / 2), "controller", "b", 3.0)


def test_a_loop_that_breaks_takes_the_others_along_so_that_the_lead_is_free() -> None:
    stopping = threading.Event()

    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Loop("rollouts", 0.0, broken).run(new_world(), "a", stopping)
    assert stopping.is_set()


def test_a_loop_goes_on_after_what_can_be_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.entrypoints.controller.__main__.PAUSE_AFTER_ERROR", 0.0)
    stopping, turns = threading.Event(), 0

    def damaged_at_first() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise Corrupt("a row was altered")
        stopping.set()

    Loop("watch", 0.0, damaged_at_first).run(new_world(), "a", stopping)
    assert turns == 2


def test_a_runner_that_breaks_does_not_go_on_holding_the_lease(tmp_path: Path) -> None:
    home = Home(tmp_path)
    world = open_world(home)
    with closing(sqlite3.connect(home.database)) as database, database:
        database.execute("INSERT INTO jobs (id, model, state, body) VALUES ('job-1', 'm', 'queued', 'damaged')")
    with pytest.raises(Corrupt):
        serve(home, world, threading.Event())
    end = time.monotonic() + 5.0
    while any(thread.name == "lease" for thread in threading.enumerate()) and time.monotonic() < end:
        time.sleep(0.01)
    assert not any(thread.name == "lease" for thread in threading.enumerate())
    with world.state.read() as tx:
        assert tx.get(LEASES, "runner") is None
