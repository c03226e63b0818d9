"""A process of its own that works on a database, for tests that run several or kill one: `state_process.py VERB URL`.

It says "ready" when it has loaded, waits for a line on its standard input, and does its verb.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from lockgate.integrations.sql.state import SqlState
from lockgate.ports.state import LEASES, VERSIONS, Lease
from lockgate.testing import builders as a


def count(url: str) -> None:
    """Read, add one, write, fifty times."""
    state = SqlState.open(url)
    for _ in range(50):
        with state.write() as writer:
            lease = writer.get(LEASES, "counter") or Lease("counter", "", 0)
            writer.put(LEASES, replace(lease, until=lease.until + 1))
            writer.record(a.happened(details={"until": lease.until}))


def hang(url: str) -> None:
    """Change much and never commit."""
    state = SqlState.open(url)
    with state.write() as writer:
        writer.add_all(VERSIONS, [a.version(number) for number in range(2, 2000)])
        writer.remove(VERSIONS, a.MODEL, 1)
        writer.record(a.happened())
        _say("inside")
        sys.stdin.readline()


def commit(url: str) -> None:
    """Commit one version after the other, and tell each when it is."""
    state = SqlState.open(url)
    number = 0
    while True:
        number += 1
        with state.write() as writer:
            writer.add(VERSIONS, a.version(number))
            writer.record(a.happened(version=number))
        _say(str(number))


def migrate(url: str) -> None:
    """Open what nobody has opened before, and leave a mark."""
    state = SqlState.open(url)
    with state.write() as writer:
        writer.record(a.happened())
    state.close()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _, verb, its_url = sys.argv
    _say("ready")
    sys.stdin.readline()
    {"count": count, "hang": hang, "commit": commit, "migrate": migrate}[verb](its_url)
