"""How long a tick of the controller takes, with many rollouts under way: `python -m benchmarks.controller`.

Real SQLite on the disk of a temporary home. Each tick takes in one block with both arms' cells of every rollout, journals it,
lets the judge look, and commits: what production does five times a second.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from pathlib import Path

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.histogram import bucket
from lockgate.boundary.observations import Block, Cell, UnitOutcome
from lockgate.boundary.routes import RouteTable
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Strategy
from lockgate.kernel.digest import digest_bytes
from lockgate.ports.state import INBOX, MODELS, ROLLOUTS, VERSIONS, WORKERS, Received, Worker, Writer
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world

ADA = Actor("ada")
TICKS = 60
REQUESTS = 50  # of each model in a block: 250 a second


def begin(world: World, models: int, unit: str) -> None:
    """So many models, each with a canary of version 2 beside version 1."""
    plan = Plan(Strategy.CANARY, (0.1, 0.5), unit, JudgePolicy(metrics=("errors", "latency")))
    with world.state.write() as tx:
        for number in range(models):
            name, now = f"model-{number}", world.clock.now()
            tx.put(MODELS, RegisteredModel(name, now))
            for version, stage in ((1, Stage.PRODUCTION), (2, Stage.NONE)):
                digest = digest_bytes(f"{name}/{version}".encode())
                tx.put(VERSIONS, ModelVersion(name, version, digest, f"run-{version}", "ada", now, dirty=False, stage=stage))
            publish_routes(tx, name)
            open_rollout(tx, tx.get(VERSIONS, name, 2), "production", ADA, now, plan=plan)


def acknowledge(tx: Writer, table: RouteTable, now: float) -> None:
    packages = {digest: PackageState(Readiness.READY) for digest in table.digests()}
    tx.put(WORKERS, Worker("w", now, Acknowledgement("0", "w", table.revision, now, packages)))


def block(table: RouteTable, sequence: int, now: float, chance: random.Random, *, sticky: bool) -> Block:
    """Both arms of every model, one request in a hundred failed."""
    cells = []
    for route in table.routes:
        for arm in route.arms:
            completed = round(REQUESTS * arm.weight)
            if not completed:
                continue
            failed = int(chance.random() < 0.01 * completed)
            latency = {bucket(chance.uniform(0.005, 0.015)): completed}
            timed = (0, 0, 0) if route.thresholds else ()
            units = tuple(UnitOutcome(chance.getrandbits(64), 0) for _ in range(completed)) if sticky else ()
            failures = {"error": failed} if failed else {}
            identity = route.thresholds.id if route.thresholds else 0
            cells.append(Cell(route.model, arm.version, table.revision, completed, failures, latency, identity, timed, units))
    return Block("0", "w", sequence, now, now, tuple(cells))


def ticks(models: int, unit: str) -> list[float]:
    """Seconds of each tick."""
    chance, judges, took = random.Random(1), Judges(), []
    with tempfile.TemporaryDirectory() as folder:
        world = open_world(Home(Path(folder)))
        begin(world, models, unit)
        for sequence in range(TICKS + 2):
            now = world.clock.now().timestamp()
            with world.state.write() as tx:
                table = route_table(tx)
                acknowledge(tx, table, now)
                made = block(table, sequence, now, chance, sticky=unit != "request")
                tx.put(INBOX, Received(made.worker, made.incarnation, made.sequence, made))
            begun = time.perf_counter()
            advance_rollouts(world, judges)
            took.append(time.perf_counter() - begun)
        with world.state.read() as tx:
            under_way = tx.count(ROLLOUTS, phase=Phase.PROGRESSING.value)
    if under_way < 0.9 * models:  # one may be called harmful by chance
        raise SystemExit(f"{under_way} of {models} rollouts are under way at the end: nothing was measured")
    return sorted(took[2:])


def main() -> None:
    print(f"A tick of the controller, SQLite, {REQUESTS} requests of each model in it; ms, {TICKS} ticks")
    for unit in ("request", "header:x-user-id"):
        for models in (1, 10, 100):
            took = ticks(models, unit)
            median, late = 1e3 * statistics.median(took), 1e3 * took[int(0.99 * len(took))]
            print(f"  unit {unit:18s} {models:4} rollouts   median {median:7.1f}   p99 {late:7.1f}", flush=True)


if __name__ == "__main__":
    main()
