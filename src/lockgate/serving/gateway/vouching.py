"""Whether somebody trusted vouches for a package, looked at each time before one is loaded.

The control plane lays the keys down in the data plane's home where its policy asks for signatures: see boundary.trust. What it
lays down, changes or takes away holds from the next load on; what is loaded already goes on answering, and the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from lockgate.boundary import trust
from lockgate.boundary.releases import Release, check_provenance
from lockgate.boundary.routes import Arm, RouteTable, Shadow
from lockgate.boundary.trust import Trust
from lockgate.kernel.digest import digits, short
from lockgate.kernel.errors import Corrupt, LockgateError, Refused, Unavailable

LOOK_EVERY = 1.0  # seconds between two looks at the file
_LONGEST = 16 << 20  # bytes of one statement

log = logging.getLogger(__name__)


class Vouching:
    """`heed` and `look` belong to the event loop; `check` may be called by any thread. folder: the data plane's home."""

    def __init__(self, folder: Path, artifacts: Path) -> None:
        self._folder = folder
        self._artifacts = artifacts
        self._releases: dict[str, list[Release]] = {}  # of one package there may be several versions
        self._seen: bytes | None = None
        self._looked_at: float | None = None

    def heed(self, table: RouteTable) -> None:
        """What the table says of the papers of its packages, from now on."""
        named: dict[str, list[Release]] = {}
        for release in _releases(table):
            named.setdefault(release.digest, []).append(release)
        self._releases = named

    def check(self, digest: str) -> None:
        """Let pass or raise.

        Raises:
            Refused: keys are laid down, and by none of them anybody vouches for the package. Corrupt: its papers are damaged.
            Invalid: the keys cannot be read: nothing is loaded then.
        """
        trusted = self._trusted()
        if trusted is None:
            return
        refused: LockgateError = Refused(f"{short(digest)} is in no table, so nobody can say who signed it")
        for release in self._releases.get(digest, []):
            try:
                check_provenance(release, self._provenance(release), trusted)
            except (Refused, Corrupt) as error:
                refused = error
            else:
                return
        raise refused

    def check_model(self, digest: str, model: str) -> None:
        """Let pass or raise. model: what the package's manifest calls it. What no table names may have been named before.

        Raises:
            Refused: only routes of other models name it: a signature says of which model a package is, and that holds.
        """
        routed = {release.model for release in self._releases.get(digest, [])}
        if routed and model not in routed:
            raise Refused(f"{short(digest)} is a package of {model!r:.120}, and the table routes {min(routed)!r:.120} to it")

    def look(self, loaded: Collection[str], now: float) -> None:
        """Say of what is loaded, and would not be loaded any more, that it is so. Called often; it looks once in a while."""
        if self._looked_at is not None and now - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = now
        content = _content(self._folder / trust.FILE)
        if content == self._seen:
            return
        self._seen = content
        for digest in loaded:
            try:
                self.check(digest)
            except LockgateError as error:
                facts = {"package": short(digest), "reason": error.message}
                log.error("nobody vouches for a package that answers; it will not be loaded again", extra=facts)  # noqa: TRY400

    def _trusted(self) -> Trust | None:
        path = self._folder / trust.FILE
        return trust.read(path) if path.exists() else None

    def _provenance(self, release: Release) -> bytes | None:
        if not release.provenance:
            return None
        name = digits(release.provenance)
        try:
            with (self._artifacts / name[:2] / name[2:]).open("rb") as file:
                content = file.read(_LONGEST + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"the provenance of {release} cannot be read: {error.strerror}") from error
        if len(content) > _LONGEST:
            raise Corrupt(f"the provenance of {release} is larger than {_LONGEST} bytes")
        return content


def _releases(table: RouteTable) -> Iterator[Release]:
    for route in table.routes:
        for one in route.with_parts:
            arms: tuple[Arm | Shadow, ...] = (*one.arms, *one.shadows)
            for arm in arms:
                yield Release(one.model, arm.version, arm.digest, arm.provenance)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
