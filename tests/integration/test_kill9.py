"""kill -9 of any process at any time, `lockgate up` again: the story ends as if nothing had happened, the log says the same."""

from __future__ import annotations

import random
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lockgate.domain.events import Action
from lockgate.usecases.read_audit import verify_audit
from lockgate.usecases.replay_rollout import replay_rollout
from tests.integration.installation import Installation, Traffic

PROCESSES = ("supervisor", "control", "controller", "runner", "learner", "notifier", "gateway", "worker")
KILLS = 20  # of each
VERSIONS = 5

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]


def one_version_after_the_other(here: Installation, versions: int) -> None:
    """Ask for a version when the one before is in Production; end when the last is."""
    for number in range(1, versions + 1):
        here.ask_for(number)
        here.wait(partial(_is_champion, here, number), 90, f"version {number} is in Production")


def _is_champion(here: Installation, number: int) -> bool:
    return here.champion() == number


def told(here: Installation) -> list[tuple[Any, ...]]:
    """The audit log without what differs from telling to telling: times, ids, digests."""
    with here.world.state.read() as tx:
        events = [event.happened for event in tx.events()]
    passed_over = {"request", "run", "digest", "evidence", "detail", "key", "provenance", "sbom"}
    return [
        (
            one.action,
            one.actor,
            one.model,
            one.version,
            {key: value for key, value in one.details.items() if key not in passed_over},
        )
        for one in events
    ]


class Killer:
    """Kills one process after the other, at random moments, until each was killed often enough."""

    def __init__(self, here: Installation, seed: int) -> None:
        self._here = here
        self._random = random.Random(seed)
        self.kills: Counter[str] = Counter()

    def strike(self) -> bool:
        """False when there is nothing left to do."""
        left = [name for name in PROCESSES if self.kills[name] < KILLS]
        if not left:
            return False
        time.sleep(self._random.uniform(0.0, 0.6))
        name = self._random.choice(left)
        if self._here.kill(name):
            self.kills[name] += 1
        return True


def test_a_story_with_kills_of_every_process_ends_like_one_without(tmp_path: Path) -> None:
    calm = Installation(tmp_path / "calm")
    calm.up()
    with Traffic(calm.data_port) as traffic:
        one_version_after_the_other(calm, VERSIONS)
    calm.down()
    assert traffic.failed == []

    stormy = Installation(tmp_path / "stormy")
    stormy.up()
    killer = Killer(stormy, seed=11)
    asked = 0
    with Traffic(stormy.data_port) as traffic:
        while killer.strike() or (stormy.champion() or 0) < VERSIONS:
            if asked < VERSIONS and (stormy.champion() or 0) == asked:
                asked += 1
                stormy.ask_for(asked)
            time.sleep(0.02)
    stormy.wait(lambda: len(stormy.pids()) == len(PROCESSES), 60, "all processes run again")
    stormy.down()

    assert traffic.failed == []
    assert min(killer.kills.values()) >= KILLS
    assert told(stormy) == told(calm)
    assert verify_audit(stormy.world).broken is None
    with stormy.world.state.read() as tx:
        rollouts = {event.happened.subject for event in tx.events() if event.happened.action is Action.ROLLOUT_STARTED}
    assert all(replay_rollout(stormy.world, rollout).same for rollout in rollouts)
