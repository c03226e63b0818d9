"""The packages of this worker, by digest: being loaded, ready, or failed with the reason. Loading happens in another thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

from lockgate.boundary.acknowledgements import PackageState, Readiness
from lockgate.kernel.clock import Clock
from lockgate.kernel.digest import short
from lockgate.kernel.errors import LockgateError
from lockgate.serving.gateway.package import Package

FIRST_RETRY = 1.0  # seconds; a failed package is tried again as long as the table names it, less and less often
LONGEST_RETRY = 60.0
_LINGER = 1.0  # seconds until a package that nobody names is freed, off the event loop

log = logging.getLogger(__name__)
_LOADING = PackageState(Readiness.LOADING)
_READY = PackageState(Readiness.READY)


@dataclass
class _Place:
    state: PackageState = _LOADING
    package: Package | None = None
    failures: int = 0
    retry_at: float | None = None


class Shelf:
    """Used by the event loop only.

    load: reads and tries a package, raising LockgateError. on_change is called when a package became ready or failed.
    """

    def __init__(self, load: Callable[[str], Package], loader: Executor, clock: Clock, on_change: Callable[[], None]) -> None:
        self._load = load
        self._loader = loader
        self._clock = clock
        self._on_change = on_change
        self._places: dict[str, _Place] = {}
        self._loads: set[asyncio.Task[None]] = set()

    def want(self, digests: Iterable[str]) -> None:
        """Load what is missing, in this order; let go of what is not named."""
        wanted = dict.fromkeys(digests)
        for digest in [digest for digest in self._places if digest not in wanted]:
            self._let_go(self._places.pop(digest))
        for digest in wanted:
            if digest not in self._places:
                self._places[digest] = _Place()
                self._start(digest)

    def retry(self) -> None:
        """Try again what failed and has waited long enough."""
        now = self._clock.monotonic()
        for digest, place in self._places.items():
            if place.retry_at is not None and now >= place.retry_at:
                place.retry_at = None
                self._start(digest)

    async def settled(self, patience: float) -> None:
        """Wait until nothing is being loaded, at most so many seconds."""
        if self._loads:
            await asyncio.wait(set(self._loads), timeout=patience)

    @property
    def ready(self) -> dict[str, Package]:
        return {digest: place.package for digest, place in self._places.items() if place.package is not None}

    @property
    def states(self) -> dict[str, PackageState]:
        return {digest: place.state for digest, place in self._places.items()}

    def _start(self, digest: str) -> None:
        task = asyncio.get_running_loop().create_task(self._fetch(digest))
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)

    async def _fetch(self, digest: str) -> None:
        place = self._places[digest]
        begun = self._clock.monotonic()
        try:
            place.package = await asyncio.get_running_loop().run_in_executor(self._loader, self._load, digest)
        except LockgateError as error:
            self._failed(digest, place, error.message)
        else:
            place.state = _READY
            seconds = round(self._clock.monotonic() - begun, 3)
            log.info("package ready", extra={"package": short(digest), "seconds": seconds})
        if self._places.get(digest) is place:
            self._on_change()

    def _failed(self, digest: str, place: _Place, reason: str) -> None:
        if place.state.reason != reason:
            log.warning("package failed", extra={"package": short(digest), "reason": reason})
        place.state = PackageState(Readiness.FAILED, reason)
        place.retry_at = self._clock.monotonic() + min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(place.failures, 10))
        place.failures += 1

    def _let_go(self, place: _Place) -> None:
        """Freeing a large session takes a while: by then no plan holds it any more, and the loader's thread frees it."""
        asyncio.get_running_loop().call_later(_LINGER, self._loader.submit, id, place)
