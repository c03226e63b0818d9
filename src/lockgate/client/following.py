"""One turn after the other: what does the channel say now, is all of it here, can it answer? Only then is it answered by.

Whatever goes wrong leaves in force what was good before, and is told as a fault for as long as it lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

from lockgate.boundary.pointers import Pointer, follow
from lockgate.boundary.releases import Release
from lockgate.client.faults import Faults
from lockgate.client.fetching import Fetching
from lockgate.client.kept import Kept, Seen, seen_in
from lockgate.client.keyring import Keyring
from lockgate.client.pointed import answering_versions, check_consistent, in_order, unverified
from lockgate.client.sources import Source
from lockgate.client.taking import Taking
from lockgate.embedded.model import Model
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import LockgateError, Refused

LONGEST_RETRY = 60.0  # seconds between two tries to get a version that cannot be had
_FIRST_RETRY = 0.5
_VERSION = "version "

OnChange = Callable[[Pointer, dict[int, Model]], None]


@dataclass
class _Following:
    """A pointer that was believed. content: as it was signed. models: those of its versions that are ready."""

    pointer: Pointer
    content: bytes
    models: dict[int, Model] = field(default_factory=dict)


def is_ready(wanted: _Following) -> bool:
    """Whether it can be answered by: whatever else fails, the champion answers."""
    champion = wanted.pointer.route.champion
    return champion is not None and champion.version in wanted.models


class Follower:
    """Used by one thread. on_change: told whenever there is something else to answer by."""

    def __init__(
        self,
        channel: str,
        source: Source,
        keyring: Keyring,
        kept: Kept,
        faults: Faults,
        on_change: OnChange,
        stopping: Event,
        clock: Clock,
    ) -> None:
        self._channel = channel
        self._source = source
        self._keyring = keyring
        self._kept = kept
        self._faults = faults
        self._on_change = on_change
        self._stopping = stopping
        self._clock = clock
        self._taking = Taking(kept, Fetching(kept, source, stopping.is_set), keyring)
        self._seen = Seen()
        self._tag = ""
        self._current: _Following | None = None  # what answers
        self._wanted: _Following | None = None  # what should
        self._retries: dict[str, tuple[int, float]] = {}  # by digest: how often it failed, and when it is tried again
        self.heard_at = clock.monotonic()  # seconds: when the source said last where the channel points, and was believed

    def resume(self) -> None:
        """Answer by what was good when this program ended."""
        with self._watched("seen"):
            self._seen = self._kept.seen()
        with self._watched("kept"):
            self._resume()
        self.heard_at = self._clock.monotonic()

    def turn(self, wait: float) -> None:
        """Look for a pointer, for up to `wait` seconds where the source can wait, and do what it says.

        Raises:
            LockgateError: there is no news to be had now; what it is about stands among the faults.
        """
        self.look_at_keys()
        with self._raised("source"):
            offered = self._source.pointer(self._channel, self._tag, wait)
        self.look_at_keys()
        with self._raised("pointer"):
            if offered is not None:
                self._believe(offered.content)
                self._tag = offered.tag
        self.heard_at = self._clock.monotonic()
        if self._wanted is not None and self._due() and not self._stopping.is_set():
            with self._raised("disk"), self._kept.locked(self._stopping):
                self._work_on(self._wanted)

    def next_try(self) -> float | None:
        """Seconds until a version that failed is tried again; None if none did."""
        dues = [due for _, due in self._retries.values()]
        return max(0.0, min(dues) - self._clock.monotonic()) if dues else None

    def _resume(self) -> None:
        """By the newer of the two pointers that were kept whose champion answers.

        Raises:
            LockgateError: it is not the newest, or none.
        """
        errors: list[LockgateError] = []
        for content in self._kept.pointers():
            try:
                found = _Following(follow(content, self._channel, self._keyring.trust), content)
                self._make_ready(found, offline=True)
            except LockgateError as error:
                errors.append(error)
                continue
            if is_ready(found):
                self._swap(found)
                self._wanted = found
                self._seen = max(self._seen, seen_in(found.pointer))
                break
        if errors:
            raise errors[0]

    def _believe(self, content: bytes) -> None:
        """Take over what came, if it is signed and no older than anything that was shown before."""
        with self._watched("seen"):  # another subscriber that shares the folder may have seen more
            self._seen = max(self._seen, self._kept.seen())
        pointer = follow(content, self._channel, self._keyring.trust, self._seen.revision)
        shown = seen_in(pointer)
        if shown < self._seen:
            raise Refused(f"the pointer of {self._channel}: an earlier one of revision {pointer.revision} was put back")
        if self._wanted is not None and self._wanted.content == content:
            return
        check_consistent(pointer)
        if shown > self._seen:
            with self._raised("disk"), self._kept.locked(self._stopping):
                self._kept.note(content)
            self._faults.end("seen")
            self._seen = shown
        self._wanted = _Following(pointer, content, dict(self._still_good(pointer)))
        self._retries.clear()

    def _still_good(self, pointer: Pointer) -> Iterator[tuple[int, Model]]:
        """What is loaded already and named again; whoever was taken up once is not asked for its papers again."""
        for one in pointer.releases if self._current is not None else ():
            model = self._current.models.get(one.version) if self._current is not None else None
            if model is not None and model.digest == one.digest:
                yield one.version, model

    def _due(self) -> bool:
        due = self.next_try()
        return due == 0.0 if due is not None else self._wanted is not self._current

    def _work_on(self, wanted: _Following) -> None:
        if not any(arm.weight > 0 for arm in wanted.pointer.route.arms):
            self._faults.begin("empty", f"{self._channel} names no version any more; the last one goes on answering")
            return
        self._faults.end("empty")
        self._make_ready(wanted, offline=False)
        if is_ready(wanted) and not self._stopping.is_set():
            self._kept.keep(wanted.content)  # first, so that no restart goes back
            self._faults.end("kept")
            self._swap(wanted)
            self._sweep()

    def _make_ready(self, wanted: _Following, *, offline: bool) -> None:
        """Fetch, check and load what the route names, the champion first. Of the others each may fail by itself."""
        answering = answering_versions(wanted.pointer.route)
        releases = in_order(wanted.pointer)
        for release in releases:
            if self._stopping.is_set():
                return
            about = f"{_VERSION}{release.version}"
            try:
                if release.version not in wanted.models:
                    self._take(wanted, release, loaded=release.version in answering, offline=offline)
            except LockgateError as error:
                if self._stopping.is_set():
                    return
                self._faults.begin(about, error)
                self._later(release.digest)
            else:
                self._faults.end(about)
                self._retries.pop(release.digest, None)
        self._faults.end_all_but(_VERSION, frozenset(f"{_VERSION}{one.version}" for one in releases))

    def _take(self, wanted: _Following, release: Release, *, loaded: bool, offline: bool) -> None:
        if not offline:
            self._taking.at_hand(release)
        if loaded:
            wanted.models[release.version] = self._taking.load(release)

    def _swap(self, wanted: _Following) -> None:
        self._current = wanted
        self._on_change(wanted.pointer, dict(wanted.models))

    def _sweep(self) -> None:
        """Keep what any channel here names, now or before."""
        named: set[str] = set()
        for content in self._kept.all_pointers():
            found = unverified(content)
            if found is None:
                return  # what cannot be read may name anything
            for release in found.releases:
                named |= self._taking.digests(release)
        self._kept.sweep(frozenset(named))

    def _later(self, digest: str) -> None:
        failures = self._retries.get(digest, (0, 0.0))[0] + 1
        pause = min(LONGEST_RETRY, _FIRST_RETRY * 2.0 ** min(failures - 1, 20))
        self._retries[digest] = failures, self._clock.monotonic() + pause

    def look_at_keys(self) -> bool:
        """Whether they changed. A key that is revoked takes nothing out of service that runs, and lets nothing in."""
        changed = False
        with self._watched("keys"):
            changed = self._keyring.look()
            if changed and self._current is not None:
                self._check_current(self._current)
        return changed

    def _check_current(self, current: _Following) -> None:
        try:
            follow(current.content, self._channel, self._keyring.trust)
            for release in current.pointer.releases:
                if release.version in current.models:
                    self._taking.check(release)
        except LockgateError as error:
            self._faults.begin("revoked", f"goes on answering as before: {error.message}")
        else:
            self._faults.end("revoked")
        self._tag = ""  # what was refused may be taken now, and the other way round

    @contextmanager
    def _raised(self, about: str) -> Iterator[None]:
        try:
            yield
        except LockgateError as error:
            self._faults.begin(about, error)
            raise
        self._faults.end(about)

    @contextmanager
    def _watched(self, about: str) -> Iterator[None]:
        try:
            yield
        except LockgateError as error:
            self._faults.begin(about, error)
        else:
            self._faults.end(about)
