"""Take a release up: fetch what is missing of it, see who vouches for it, and load it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lockgate.boundary.manifest import decode, verify
from lockgate.boundary.releases import Release, check_provenance
from lockgate.client.fetching import Fetching
from lockgate.client.kept import Kept
from lockgate.client.keyring import Keyring
from lockgate.client.loading import load
from lockgate.embedded.model import Model
from lockgate.kernel.digest import digest_file
from lockgate.kernel.errors import Corrupt, LockgateError, NotFound

LARGEST_PAPER = 16 << 20  # bytes: of a manifest, whose golden rows it holds, or of a signed statement


class Taking:
    def __init__(self, kept: Kept, fetching: Fetching, keyring: Keyring) -> None:
        self._kept = kept
        self._fetch_one = fetching.fetch
        self._keyring = keyring

    def at_hand(self, release: Release) -> None:
        """Have all of it here, vouched for.

        Raises:
            LockgateError: it cannot be had, or nobody that is trusted vouches for it; what was damaged here is gone.
        """
        with self._mended(release):
            self._fetch(release)
            self.check(release)

    def load(self, release: Release) -> Model:
        """The model of a release that is at hand, vouched for and loaded.

        Raises:
            LockgateError: as `at_hand` and `loading.load`.
        """
        with self._mended(release):
            self.check(release)
            return load(self._kept.artifacts, release)

    def _fetch(self, release: Release) -> None:
        """The signature first: what nobody vouches for is not fetched."""
        fetch = self._fetch_one
        if release.provenance:
            fetch(release.provenance, LARGEST_PAPER)
        self.check(release)
        manifest = decode(fetch(release.digest, LARGEST_PAPER).read_bytes(), release.digest)
        for file in manifest.files:
            fetch(file.digest, file.size, file.size)
        if release.sbom:
            fetch(release.sbom, LARGEST_PAPER)

    def check(self, release: Release) -> None:
        """
        Raises:
            Refused: nobody that is trusted now vouches for it. NotFound, Corrupt: the paper is gone, or damaged.
        """  # noqa: D212 - there is nothing else to say
        what, content = f"the provenance of {release}", None
        if release.provenance:
            try:
                content = self._kept.path(release.provenance).read_bytes()
            except OSError as error:
                raise NotFound(f"{what} cannot be read: {error.strerror}") from error
            verify(content, release.provenance, what)
        check_provenance(release, content, self._keyring.trust)

    @contextmanager
    def _mended(self, release: Release) -> Iterator[None]:
        """What is damaged here is removed, so that the next try fetches it again."""
        try:
            yield
        except Corrupt:
            self._drop_damaged(release)
            raise

    def _drop_damaged(self, release: Release) -> None:
        for digest in self.digests(release):
            path = self._kept.path(digest)
            with suppress(OSError):
                if digest_file(path) != digest:
                    path.unlink()

    def digests(self, release: Release) -> set[str]:
        """All that it is made of, as far as that is known here."""
        found = {one for one in (release.digest, release.provenance, release.sbom) if one}
        try:
            manifest = decode(self._kept.path(release.digest).read_bytes(), release.digest)
        except (OSError, LockgateError):
            return found
        return found | {file.digest for file in manifest.files}
