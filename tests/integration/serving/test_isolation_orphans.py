"""Nothing outlives a supervisor that was killed: not a host that answers, and not one whose model holds the interpreter."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lockgate.serving.isolation.client import Hosts
from lockgate.serving.isolation.keeper import keeper_socket
from tests.integration.serving import isolation_models as models
from tests.integration.serving.isolation_keeping import Packages, children, feeds, kind_of, lives, pids, run, until

pytestmark = pytest.mark.integration
SOON = 5.0
KEEPER = """
import asyncio, sys
from pathlib import Path
from msgspec.structs import replace
from lockgate.kernel.clock import SystemClock
from lockgate.serving.isolation.keeper import Keeper
from tests.integration.serving.isolation_keeping import SETTINGS

async def main():
    home, artifacts = map(Path, sys.argv[1:])
    await Keeper(home, artifacts, replace(SETTINGS, shared=(str(home.parent),)), SystemClock()).start()
    await asyncio.sleep(1000)

asyncio.run(main())
"""


@contextmanager
def supervisor(home: Path, artifacts: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", KEEPER, str(home), str(artifacts)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("poison", [1.0, models.HOLD])
def test_hosts_end_with_the_supervisor_and_with_what_they_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, poison: float
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    packages = Packages(tmp_path / "artifacts")
    digest = packages.make(pids=str(tmp_path / "pids"), load="fork")

    async def main() -> None:
        with supervisor(tmp_path / "home", packages.path) as process:
            hosts = Hosts(keeper_socket(tmp_path / "home"))
            hosts.start()
            model = await hosts.open(digest)
            asked = asyncio.ensure_future(kind_of(model.run(feeds(poison), SOON)))
            await asyncio.sleep(0.2)
            (host,) = pids(tmp_path / "pids")
            (started,) = children(host)
            os.kill(process.pid, signal.SIGKILL)
            await until(lambda: not lives(host), "the host has ended")
            assert await asked == ("ok" if poison == 1.0 else "crashed")
            if poison == 1.0:
                await until(lambda: not lives(started), "what it had started has ended")
            else:
                os.kill(started, signal.SIGKILL)
            hosts.stop()

    run(main)
