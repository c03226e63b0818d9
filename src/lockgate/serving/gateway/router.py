"""The plan in force, and how the next one comes about: one assignment swaps it, so no request ever sees half of a change."""

from __future__ import annotations

import logging
from collections.abc import Callable

from lockgate.boundary.acknowledgements import PackageState, Readiness
from lockgate.boundary.routes import Arm, Route, RouteTable, Shadow
from lockgate.kernel.clock import Clock
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.tally import Tally
from lockgate.serving.gateway.plan import Packages, Plan, make_plan
from lockgate.serving.gateway.shelf import Loader, Shelf

_WORST = (Readiness.READY, Readiness.LOADING, Readiness.FAILED)  # last

log = logging.getLogger(__name__)


class Router:
    """Used by the event loop only. `on_change` is called when there is something to acknowledge, `on_table` with each table
    before anything of it is loaded.
    """

    def __init__(
        self,
        loader: Loader,
        shadow_loader: Loader,
        ledger: Ledger,
        clock: Clock,
        on_change: Callable[[], None],
        on_table: Callable[[RouteTable], None] = lambda _: None,
    ) -> None:
        self.plan = Plan()
        self.applied_at: float | None = None  # Unix seconds; None until there was a table
        self._ledger = ledger
        self._clock = clock
        self._on_change = on_change
        self._on_table = on_table
        self._shelf = Shelf(loader, clock, self._rebuild)
        self._shadows = Shelf(shadow_loader, clock, self._rebuild)
        self._orphaned = False

    @property
    def ready(self) -> bool:
        return self.applied_at is not None and self.plan.ready

    @property
    def packages(self) -> dict[str, PackageState]:
        """By digest. A package that is to answer and is asked as a shadow too has the worse of its two states."""
        told = dict(self._shadows.states)
        for digest, state in self._shelf.states.items():
            told[digest] = max(told.get(digest, state), state, key=lambda one: _WORST.index(one.readiness))
        return told

    @property
    def loaded(self) -> frozenset[str]:
        """The digests of what can answer or be asked."""
        return frozenset((*self._shelf.ready, *self._shadows.ready))

    def apply(self, table: RouteTable) -> None:
        """Route by a table from now on. A table that is not newer than the one in force is passed over."""
        if self.applied_at is not None and table.revision <= self.plan.revision:
            return
        self.applied_at = self._clock.now().timestamp()
        self._on_table(table)
        self._shelf.want([*_most_needed_first(table), *self._champions()])
        self._shadows.want(shadow.digest for route in table.routes for one in route.with_parts for shadow in one.shadows)
        self._swap(table)
        log.info("routes applied", extra={"revision": str(table.revision), "models": len(table.routes)})

    async def settled(self, patience: float) -> None:
        """Wait until every package of the table is ready or failed, at most so many seconds."""
        await self._shelf.settled(patience)

    def retry(self) -> None:
        """Try failed packages again when their time has come."""
        self._shelf.retry()
        self._shadows.retry()

    def heard_of_host(self, digest: str, reason: str, *, shadow: bool, ready: bool) -> None:
        """What became of a process that runs a package. It goes on being wanted, so it is started again."""
        shelf = self._shadows if shadow else self._shelf
        if ready:
            shelf.found(digest)
        else:
            shelf.lost(digest, reason)

    def sleep_idle(self, seconds: float) -> None:
        """Put to sleep what nobody has asked for so long."""
        self._shelf.sleep_idle(seconds)

    async def wake(self, model: str) -> None:
        """Load what of a model sleeps.

        Raises:
            LockgateError: it cannot be loaded.
        """
        for digest in self._digests(model):
            await self._shelf.wake(digest)

    def sleep(self, model: str) -> None:
        """Free a model's memory until it is asked for again."""
        for digest in self._digests(model):
            self._shelf.sleep(digest)

    def _digests(self, model: str) -> list[str]:
        plan = self.plan.routes.get(model)
        return [arm.digest for one in plan.route.with_parts for arm in one.arms] if plan is not None else []

    def orphan(self, *, orphaned: bool) -> None:
        """The control plane is lost for too long, or is back."""
        if orphaned != self._orphaned:
            self._orphaned = orphaned
            log.warning("control plane lost: canaries go home" if orphaned else "control plane is back")
            self._rebuild()

    def _rebuild(self) -> None:
        """The same table, another plan."""
        self._swap(self.plan.table)

    def _swap(self, table: RouteTable) -> None:
        revision = table.revision

        def new_tally(route: Route, arm: Arm | Shadow, *, assigned: bool, segment: str = "") -> Tally:
            return self._ledger.tally(revision, route, arm, assigned=assigned, segment=segment)

        packages = Packages(self._shelf.ready, self._shadows.ready)
        self.plan = make_plan(table, packages, self.plan, new_tally, orphaned=self._orphaned)
        self._shelf.want([*_most_needed_first(table), *self._champions()])
        self._on_change()

    def _champions(self) -> list[str]:
        """Of the plan in force: one that the table names no more stands in until the next one can answer."""
        plans = [one for plan in self.plan.routes.values() for one in (plan, *(plan.parts or {}).values())]
        return [plan.champion.package.digest for plan in plans if plan.champion is not None]


def _most_needed_first(table: RouteTable) -> list[str]:
    routes = [one for route in table.routes for one in route.with_parts]
    arms = sorted((arm for route in routes for arm in route.arms), key=lambda arm: -arm.weight)
    return [arm.digest for arm in arms]
