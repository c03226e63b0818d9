"""Another process that wants versions in Production: `registry_process.py URL VERSION…`.

It says `ready`, waits for a line, and says then how many of them it has brought on their way.
"""

from __future__ import annotations

import sys
from contextlib import suppress

from lockgate.domain.models import Stage
from lockgate.domain.people import Actor
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.errors import LockgateError
from lockgate.testing import builders as a
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.clock import VirtualClock
from lockgate.usecases.transition_directly import transition_directly
from lockgate.usecases.world import World


def main() -> None:
    url, *versions = sys.argv[1:]
    world, won = World(SqlState.open(url), MemoryArtifacts(), VirtualClock()), 0
    print("ready", flush=True)
    sys.stdin.readline()
    for version in versions:
        with suppress(LockgateError):
            transition_directly(world, a.MODEL, int(version), Stage.PRODUCTION, Actor(f"process-{version}"))
            won += 1
    print(won, flush=True)


if __name__ == "__main__":
    main()
