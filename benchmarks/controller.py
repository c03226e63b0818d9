"""How long a tick of the controller takes, with many rollouts under way: `python -m benchmarks.controller`.

Real SQLite on the disk of a temporary home, in virtual time. First the worst tick: one block holds news of every rollout, each is
journaled and looked at, and all of it is committed. Then a minute as it may be: four workers, each sends a block every 200 ms,
requests at random; between two ticks the controller waits as it does in production. Also in processor time, because what else
runs on the machine counts in the other.

By cProfile a tick with 100 rollouts was once spent like this: 52 % on the judges' reports, one after the other (a fifth of these
on intervals that nobody read, the rest on NumPy's price for a call, some 200 in each report), 19 % on writing rows (half of it
the standard library's JSON, which tells NaN from None), 10 % on reading rollouts three times, 10 % on adding up and folding. So
judges are asked together now, intervals are worked out where they are read, and JSON is asked again only where there may be a
NaN. Of what is left, a fifth or a quarter, reports, folding, reading and writing have about as much each.
"""

from __future__ import annotations

import gc
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from lockgate.boundary.acknowledgements import Acknowledgement, PackageState, Readiness
from lockgate.boundary.histogram import bucket
from lockgate.boundary.observations import Block, Cell, UnitOutcome
from lockgate.boundary.routes import RouteTable
from lockgate.domain.models import ModelVersion, RegisteredModel, Stage
from lockgate.domain.people import Actor
from lockgate.domain.rollouts import JudgePolicy, Phase, Plan, Strategy
from lockgate.entrypoints.controller.__main__ import ROLLOUTS_EVERY
from lockgate.kernel.digest import digest_bytes
from lockgate.ports.state import INBOX, MODELS, ROLLOUTS, VERSIONS, WORKERS, Received, Worker, Writer
from lockgate.testing.clock import VirtualClock
from lockgate.usecases.advance_rollouts import Judges, advance_rollouts
from lockgate.usecases.publish_routes import publish_routes, route_table
from lockgate.usecases.start_rollout import open_rollout
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world

ADA = Actor("ada")
TICKS = 60
REQUESTS = 50  # of each model in a block
FOUR = ("w0", "w1", "w2", "w3")
EVERY = 0.2  # seconds from block to block
RATE = 10.0  # requests a second of each model in the minute


@dataclass
class Controller:
    """One that leads in a home of its own, and how long its ticks took: seconds by the clock on the wall and of the processor."""

    world: World
    clock: VirtualClock
    sticky: bool
    judges: Judges = field(default_factory=Judges)
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    took: list[tuple[float, float]] = field(default_factory=list)
    sent: int = 0

    def send(self, workers: tuple[str, ...], requests: float, *, at_random: bool = False) -> None:
        """A block of each of the workers, with so many requests of each model."""
        now = self.clock.now().timestamp()
        with self.world.state.write() as tx:
            table = route_table(tx)
            for worker in workers:
                self.sent += 1
                acknowledge(tx, table, worker, now)
                made = block(table, worker, self.sent, now, self.chance, requests, sticky=self.sticky, at_random=at_random)
                tx.put(INBOX, Received(made.worker, made.incarnation, made.sequence, made))

    def tick(self) -> float:
        begun = perf_counter(), process_time()
        advance_rollouts(self.world, self.judges)
        self.took.append((perf_counter() - begun[0], process_time() - begun[1]))
        return self.took[-1][0]

    def under_way(self) -> int:
        with self.world.state.read() as tx:
            return tx.count(ROLLOUTS, phase=Phase.PROGRESSING.value)


@contextmanager
def controller(models: int, unit: str, workers: tuple[str, ...]) -> Iterator[Controller]:
    """With a canary of each model under way."""
    with tempfile.TemporaryDirectory() as folder:
        clock = VirtualClock()
        made = Controller(replace(open_world(Home(Path(folder))), clock=clock), clock, unit != "request")
        begin(made.world, models, unit)
        for _ in range(2):
            made.send(workers, 0)
            made.tick()
        made.took.clear()
        gc.freeze()  # as the controller does
        yield made
        if made.under_way() < 0.9 * models:  # one may be called harmful by chance
            raise SystemExit(f"{made.under_way()} of {models} rollouts are under way at the end: nothing was measured")


def begin(world: World, models: int, unit: str) -> None:
    """So many models, each with a canary of version 2 beside version 1."""
    plan = Plan(Strategy.CANARY, (0.1, 0.5), unit, JudgePolicy(metrics=("errors", "latency"), min_units=10**6))
    with world.state.write() as tx:
        for number in range(models):
            name, now = f"model-{number}", world.clock.now()
            tx.put(MODELS, RegisteredModel(name, now))
            for version, stage in ((1, Stage.PRODUCTION), (2, Stage.NONE)):
                digest = digest_bytes(f"{name}/{version}".encode())
                tx.put(VERSIONS, ModelVersion(name, version, digest, f"run-{version}", "ada", now, dirty=False, stage=stage))
            publish_routes(tx, name)
            open_rollout(tx, tx.get(VERSIONS, name, 2), "production", ADA, now, plan=plan)


def acknowledge(tx: Writer, table: RouteTable, worker: str, now: float) -> None:
    packages = {digest: PackageState(Readiness.READY) for digest in table.digests()}
    tx.put(WORKERS, Worker(worker, now, Acknowledgement(worker, "0", table.revision, now, packages)))


def block(
    table: RouteTable,
    worker: str,
    sequence: int,
    now: float,
    chance: random.Random,
    requests: float,
    *,
    sticky: bool,
    at_random: bool,
) -> Block:
    """Both arms of every model that had requests, one in a hundred failed. requests: of each model; at random: on average."""
    cells = []
    counts = np.random.default_rng(chance.getrandbits(32))
    for route in table.routes:
        for arm in route.arms:
            completed = int(counts.poisson(requests * arm.weight)) if at_random else round(requests * arm.weight)
            if not completed:
                continue
            failed = int(chance.random() < 0.01 * completed)
            latency = {bucket(chance.uniform(0.005, 0.015)): completed}
            timed = (0, 0, 0) if route.thresholds else ()
            units = tuple(UnitOutcome(chance.getrandbits(64), 0) for _ in range(completed)) if sticky else ()
            failures = {"error": failed} if failed else {}
            identity = route.thresholds.id if route.thresholds else 0
            cells.append(
                Cell(route.model, arm.version, table.revision, completed, failures, latency, identity, timed, units, last_at=now)
            )
    return Block(worker, "0", sequence, now, now, tuple(cells))


def worst(models: int, unit: str) -> None:
    with controller(models, unit, ("w0",)) as made:
        for _ in range(TICKS):
            made.clock.advance(EVERY)
            made.send(("w0",), REQUESTS)
            made.tick()
        print(f"  unit {unit:18s} {models:4} rollouts   {_figures(made)}", flush=True)


def minute(models: int, unit: str) -> None:
    with controller(models, unit, FOUR) as made:
        passed, due = 0.0, [EVERY * (1 + number) / len(FOUR) for number in range(len(FOUR))]
        while passed < 60.0:
            workers = tuple(worker for worker, at in zip(FOUR, due, strict=True) if at <= passed)
            made.send(workers, RATE * EVERY / len(FOUR), at_random=True)
            due = [at + EVERY if at <= passed else at for at in due]
            turn = made.tick() + ROLLOUTS_EVERY
            made.clock.advance(turn)
            passed += turn
        busy = sum(processor for _, processor in made.took) / passed
        print(
            f"  unit {unit:18s} {models:4} rollouts   {_figures(made)}   {len(made.took)} ticks, {busy:.0%} of a core", flush=True
        )


def _figures(made: Controller) -> str:
    took = 1e3 * np.array(made.took)
    (wall, processor), (late, _) = np.median(took, axis=0), np.quantile(took, 0.99, axis=0)
    return f"median {wall:6.1f}   mean {took[:, 0].mean():6.1f}   p99 {late:6.1f}   processor, median {processor:6.1f}"


def main() -> None:
    print(f"A tick of the controller, SQLite; ms, {TICKS} ticks, each with {REQUESTS} requests of every model")
    for unit in ("request", "header:x-user-id"):
        for models in (1, 10, 100):
            worst(models, unit)
    print(f"A minute: {len(FOUR)} workers, a block of each every {EVERY} s, {RATE:g} requests a second of each model")
    for unit in ("request", "header:x-user-id"):
        minute(100, unit)


if __name__ == "__main__":
    main()
