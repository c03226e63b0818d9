"""The packages of this worker, by digest: being loaded, ready, asleep, or failed with the reason."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from lockgate.boundary.acknowledgements import PackageState, Readiness
from lockgate.kernel.clock import Clock
from lockgate.kernel.digest import short
from lockgate.kernel.errors import LockgateError, Unavailable
from lockgate.serving.gateway.package import Engine, Package

FIRST_RETRY = 1.0  # seconds; a failed package is tried again as long as the table names it, less and less often
LONGEST_RETRY = 60.0
_LINGER = 1.0  # seconds until a package that nobody names is freed

log = logging.getLogger(__name__)
_LOADING = PackageState(Readiness.LOADING)
_READY = PackageState(Readiness.READY)


class Loader(Protocol):
    async def load(self, digest: str) -> Package:
        """Raises LockgateError if it cannot be loaded."""
        ...

    def free(self, package: Package) -> None:
        """Let go of what runs its model."""
        ...

    def forget(self, digest: str) -> None:
        """It is not wanted any more, and was not loaded (yet)."""
        ...


@dataclass
class _Place:
    state: PackageState = _LOADING
    package: Package | None = None
    failures: int = 0
    retry_at: float | None = None
    waking: asyncio.Task[None] | None = None


class Shelf:
    """Used by the event loop only. on_change is called when a package became ready or failed.

    A package that sleeps counts as ready: whoever asks for it waits for it to wake up.
    """

    def __init__(self, loader: Loader, clock: Clock, on_change: Callable[[], None]) -> None:
        self._loader = loader
        self._clock = clock
        self._on_change = on_change
        self._places: dict[str, _Place] = {}
        self._loads: set[asyncio.Task[None]] = set()

    def want(self, digests: Iterable[str]) -> None:
        """Load what is missing, in this order; let go of what is not named."""
        wanted = dict.fromkeys(digests)
        for digest in [digest for digest in self._places if digest not in wanted]:
            self._let_go(digest, self._places.pop(digest))
        for digest in wanted:
            if digest not in self._places:
                self._places[digest] = _Place()
                self._start(digest, self._places[digest])

    def retry(self) -> None:
        """Try again what failed and has waited long enough."""
        now = self._clock.monotonic()
        for digest, place in self._places.items():
            if place.retry_at is not None and now >= place.retry_at:
                place.retry_at = None
                self._start(digest, place)

    def sleep_idle(self, seconds: float) -> None:
        """Put to sleep what nobody has asked for so long."""
        now = self._clock.monotonic()
        for digest, place in self._places.items():
            if place.package is not None and now - place.package.engine.asked_at > seconds:
                self.sleep(digest)

    def sleep(self, digest: str) -> None:
        """Free what runs a package's model; the next request for it wakes it up."""
        place = self._places.get(digest)
        package = place.package if place is not None else None
        if place is None or package is None or package.engine.asleep or place.waking is not None:
            return
        engine = package.engine
        awake = Package(digest, package.manifest, package.decoder, package.encoder, package.scorer, _moved(engine))
        engine.wake = partial(self.wake, digest)
        self._loader.free(awake)
        log.info("package sleeps", extra={"package": short(digest)})

    async def wake(self, digest: str) -> None:
        """Returns when the package can answer.

        Raises:
            LockgateError: it cannot be loaded.
        """
        place = self._places.get(digest)
        if place is None or place.package is None:
            raise Unavailable(place.state.reason if place is not None else "this version is not served any more")
        if not place.package.engine.asleep:
            return
        if place.waking is None:
            place.waking = asyncio.get_running_loop().create_task(self._wake(digest, place, place.package.engine))
        await asyncio.shield(place.waking)

    def lost(self, digest: str, reason: str) -> None:
        """What runs a package elsewhere is gone for now, and is being started again: it is not ready until then."""
        place = self._places.get(digest)
        if place is not None and place.package is not None and place.state.readiness is Readiness.READY:
            place.state = PackageState(Readiness.FAILED, reason)
            self._on_change()

    def found(self, digest: str) -> None:
        """It is there again."""
        place = self._places.get(digest)
        if place is not None and place.package is not None and place.state.readiness is Readiness.FAILED:
            place.state = _READY
            self._on_change()

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

    def _start(self, digest: str, place: _Place) -> None:
        task = asyncio.get_running_loop().create_task(self._fetch(digest, place))
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)

    async def _fetch(self, digest: str, place: _Place) -> None:
        if self._places.get(digest) is not place:
            return  # let go of before it was begun
        begun = self._clock.monotonic()
        try:
            place.package = await self._loader.load(digest)
        except LockgateError as error:
            self._failed(digest, place, error.message)
        else:
            place.state = _READY
            place.package.engine.asked_at = self._clock.monotonic()
            seconds = round(self._clock.monotonic() - begun, 3)
            log.info("package ready", extra={"package": short(digest), "seconds": seconds})
        self._ended(digest, place)

    async def _wake(self, digest: str, place: _Place, engine: Engine) -> None:
        begun = self._clock.monotonic()
        try:
            loaded = await self._loader.load(digest)
        except LockgateError as error:
            self._failed(digest, place, error.message)
            self._ended(digest, place)
            raise
        finally:
            place.waking = None
        engine.inline, engine.remote = loaded.engine.inline, loaded.engine.remote
        engine.asked_at = self._clock.monotonic()
        if self._places.get(digest) is not place:  # the table let go of it meanwhile
            self._let_go(digest, place)
        seconds = round(engine.asked_at - begun, 3)
        log.info("package awake", extra={"package": short(digest), "seconds": seconds})

    def _failed(self, digest: str, place: _Place, reason: str) -> None:
        if place.state.reason != reason:
            log.warning("package failed", extra={"package": short(digest), "reason": reason})
        place.state = PackageState(Readiness.FAILED, reason)
        place.package = None
        place.retry_at = self._clock.monotonic() + min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(place.failures, 10))
        place.failures += 1

    def _ended(self, digest: str, place: _Place) -> None:
        """A load has come to an end, and the table may have let go of its package meanwhile."""
        if self._places.get(digest) is place:
            self._on_change()
        else:
            self._let_go(digest, place)

    def _let_go(self, digest: str, place: _Place) -> None:
        """By then no plan holds it any more. What failed goes on being wanted elsewhere until it is forgotten."""
        if place.package is None:
            if digest not in self._places:
                self._loader.forget(digest)
        elif not place.package.engine.asleep:
            asyncio.get_running_loop().call_later(_LINGER, self._loader.free, place.package)


def _moved(engine: Engine) -> Engine:
    """What runs the model, taken out of an engine, which sleeps from now on."""
    moved = Engine(engine.inline, engine.remote)
    engine.inline = engine.remote = None
    return moved
