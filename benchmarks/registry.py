"""Pages, listings and the audit log of a registry with 10,000 versions and 1,000,000 events: `python -m benchmarks.registry`.

Through the real application, in this process, on SQLite in a temporary folder and on a PostgreSQL server of its own (`--only`
takes one of both; a minute or three to fill each). Each address is asked a few times to warm up, then `--times`
times; `processor` tells of a loaded machine what the clock cannot (without PostgreSQL's own share). The walk
is that of `lockgate audit verify`; the transitions are 50 threads that want 50 versions of one model in Production at once.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from urllib.parse import quote

from fastapi.testclient import TestClient

from benchmarks.registry_filled import EACH, EVERY, fill
from lockgate.domain.models import Stage
from lockgate.domain.people import Actor
from lockgate.entrypoints.api.app import create_app
from lockgate.integrations.local.artifacts import LocalArtifacts
from lockgate.integrations.sql.state import SqlState
from lockgate.kernel.clock import SystemClock
from lockgate.ports.state import VERSIONS
from lockgate.testing.clock import START
from lockgate.testing.postgres import postgres_server
from lockgate.usecases.apply_stage import apply_stage
from lockgate.usecases.find_things import version_of
from lockgate.usecases.read_audit import verify_audit
from lockgate.usecases.world import World

MODEL = "model-07"
WARM = 3
AT_ONCE = 50


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--filled", type=Path, help="a database that `fill` has filled before (SQLite)")
    asked = parser.parse_args()
    for name in ("sqlite", "postgresql") if asked.only is None else (asked.only,):
        with _database(name, asked.filled) as (where, is_filled), tempfile.TemporaryDirectory() as folder:
            if not is_filled:
                fill(where, asked.events)
            state = SqlState.open(where)
            world = World(state, LocalArtifacts(Path(folder)), SystemClock())
            print(f"\n{name}, {asked.events} events")
            _pages(world, asked.events, asked.times)
            _walk(world)
            _transitions(world)
            state.close()


@contextmanager
def _database(name: str, filled: Path | None) -> Iterator[tuple[str, bool]]:
    if name == "sqlite" and filled:
        yield str(filled), True
    elif name == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield str(Path(folder) / "state.db"), False
    else:
        with postgres_server() as where:
            yield where, False


def addresses(events: int) -> list[str]:
    some_time = quote((START + events // 2 * EVERY + timedelta(seconds=1)).isoformat())
    return [
        "/",
        f"/models/{MODEL}",
        f"/models/{MODEL}?page=10",
        f"/models/{MODEL}/versions/{EACH // 2}",
        f"/models/{MODEL}/versions/{EACH - 1}",
        "/runs",
        "/runs?page=200",
        "/findings",
        "/audit",
        f"/audit?before={events // 2}",
        f"/audit?model={MODEL}",
        "/audit?action=rollout:*",
        "/audit?action=request:*&actor=person-3",
        f"/audit?action=policy:*&model={MODEL}",
        "/audit?actor=auditor",
        f"/audit?since={some_time}&actor=person-3",
        f"/audit?until={some_time}&action=model:stage:*",
        f"/audit/at?time={some_time}&model={MODEL}",
        f"/audit/at?time={some_time}",
        "/api/v1/status",
        "/api/v1/models",
        f"/api/v1/models/{MODEL}",
        f"/api/v1/models/{MODEL}/versions?limit=200",
        f"/api/v1/models/{MODEL}/versions?stage=Production",
        "/api/v1/requests?limit=200",
        "/api/v1/requests?state=open",
        "/api/v1/rollouts?limit=200",
        "/api/v1/runs?limit=200",
        "/api/v1/runs?limit=200&offset=9000",
        "/api/v1/events?limit=200",
        f"/api/v1/events?limit=200&after={events // 2}",
        "/api/v1/events?limit=200&action=model:stage:*&newest_first=true",
        f"/api/v1/audit/at?time={some_time}",
        "/metrics",
    ]


def _pages(world: World, events: int, times: int) -> None:
    app = create_app(world, home=None, control_token="benchmark")  # noqa: S106 - nobody comes by the control channel here
    with TestClient(app, base_url="http://127.0.0.1:7070") as client:
        print(f"{'median':>9} {'p95':>9} {'processor':>9} {'kB':>7}")
        for address in addresses(events):
            answers = [_timed(client, address) for _ in range(WARM + times)][WARM:]
            seconds = [one for one, _, _ in answers]
            figures = (median(seconds), quantiles(seconds, n=20)[-1], median(worked for _, worked, _ in answers))
            print(*(f"{one * 1000:6.1f} ms" for one in figures), f"{answers[0][2] / 1000:7.1f}  {address}")


def _timed(client: TestClient, address: str) -> tuple[float, float, int]:
    """Seconds by the clock and of this processor; bytes."""
    begin, worked = perf_counter(), process_time()
    answer = client.get(address)
    seconds, worked = perf_counter() - begin, process_time() - worked
    answer.raise_for_status()
    return seconds, worked, len(answer.content)


def _walk(world: World) -> None:
    begin, worked = perf_counter(), process_time()
    audit = verify_audit(world)
    seconds, worked = perf_counter() - begin, process_time() - worked
    print(f"audit verify: {audit.events / seconds:,.0f} events/s by the clock, {audit.events / worked:,.0f} by the processor")


def _transitions(world: World) -> None:
    """Each in a transaction of its own, all at once: they take turns, and one stands in Production in the end."""

    def move(number: int) -> None:
        with world.state.write() as tx:
            version = version_of(tx, MODEL, number)
            apply_stage(tx, version, Stage.PRODUCTION, Actor(f"person-{number}"), world.clock.now())

    threads = [threading.Thread(target=move, args=(number,)) for number in range(1, AT_ONCE + 1)]
    begin = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = perf_counter() - begin
    with world.state.read() as tx:
        standing = tx.count(VERSIONS, model=MODEL, stage=Stage.PRODUCTION.value)
    print(f"{AT_ONCE} transitions at once: {seconds * 1000:.0f} ms, {standing} stands in Production")


if __name__ == "__main__":
    main()
