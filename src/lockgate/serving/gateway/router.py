"""The plan in force, and how the next one comes about: one assignment swaps it, so no request ever sees half of a change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor

from lockgate.boundary.acknowledgements import PackageState
from lockgate.boundary.routes import Arm, Route, RouteTable
from lockgate.kernel.clock import Clock
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.tally import Tally
from lockgate.serving.gateway.package import Package
from lockgate.serving.gateway.plan import Plan, make_plan
from lockgate.serving.gateway.shelf import Shelf

log = logging.getLogger(__name__)


class Router:
    """Used by the event loop only. `on_change` is called when there is something to acknowledge."""

    def __init__(
        self, load: Callable[[str], Package], loader: Executor, ledger: Ledger, clock: Clock, on_change: Callable[[], None]
    ) -> None:
        self.plan = Plan()
        self.applied_at: float | None = None  # Unix seconds; None until there was a table
        self._ledger = ledger
        self._clock = clock
        self._on_change = on_change
        self._shelf = Shelf(load, loader, clock, self._rebuild)
        self._orphaned = False

    @property
    def ready(self) -> bool:
        return self.applied_at is not None and self.plan.ready

    @property
    def packages(self) -> dict[str, PackageState]:
        return self._shelf.states

    def apply(self, table: RouteTable) -> None:
        """Route by a table from now on. A table that is not newer than the one in force is passed over."""
        if self.applied_at is not None and table.revision <= self.plan.revision:
            return
        self.applied_at = self._clock.now().timestamp()
        self._shelf.want(arm.digest for arm in _most_needed_first(table))
        self._swap(table)
        log.info("routes applied", extra={"revision": str(table.revision), "models": len(table.routes)})

    async def settled(self, patience: float) -> None:
        """Wait until every package of the table is ready or failed, at most so many seconds."""
        await self._shelf.settled(patience)

    def retry(self) -> None:
        """Try failed packages again when their time has come."""
        self._shelf.retry()

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

        def new_tally(route: Route, arm: Arm, *, assigned: bool) -> Tally:
            return self._ledger.tally(revision, route, arm, assigned=assigned)

        self.plan = make_plan(table, self._shelf.ready, self.plan, new_tally, orphaned=self._orphaned)
        self._on_change()


def _most_needed_first(table: RouteTable) -> list[Arm]:
    return sorted((arm for route in table.routes for arm in route.arms), key=lambda arm: -arm.weight)
