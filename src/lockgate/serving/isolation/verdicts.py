"""What examining a package came to, kept by digest, so that a restart need not do it again.

A verdict holds for the libraries with which it was found: another version of any of them, or of lockgate, makes it void.
"""

from __future__ import annotations

import logging
import sys
from importlib.metadata import distributions
from pathlib import Path

import msgspec

from lockgate.kernel.digest import digest_json, digits
from lockgate.serving.isolation.orders import Loaded

log = logging.getLogger(__name__)


class Verdict(msgspec.Struct, frozen=True):
    """report: if the package is sound, what loading it takes; else `reason` says why it must not be loaded here.

    lasting: it would come out the same again.
    """

    reason: str = ""
    report: Loaded | None = None
    lasting: bool = True

    @property
    def ok(self) -> bool:
        return self.report is not None


class _Kept(msgspec.Struct, frozen=True):
    environment: str
    verdict: Verdict


class Verdicts:
    def __init__(self, folder: Path, environment: str) -> None:
        self._folder = folder
        self._environment = environment
        self._known: dict[str, Verdict] = {}

    def get(self, digest: str) -> Verdict | None:
        if digest not in self._known and (kept := self._read(digest)) is not None:
            self._known[digest] = kept
        return self._known.get(digest)

    def keep(self, digest: str, verdict: Verdict) -> None:
        """In memory, and on disk if it is lasting. A disk that refuses costs one more examination after a restart."""
        self._known[digest] = verdict
        if not verdict.lasting:
            return
        path = self._path(digest)
        draft = path.with_suffix(".draft")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(_Kept(self._environment, verdict)))
            draft.replace(path)
        except OSError as error:
            log.warning("verdict not kept", extra={"path": str(path), "reason": str(error)})

    def _read(self, digest: str) -> Verdict | None:
        try:
            kept = msgspec.json.decode(self._path(digest).read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError):
            return None  # not there, or of another version: it is found out again
        return kept.verdict if kept.environment == self._environment else None

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digits(digest)}.json"


def environment() -> str:
    """A digest of everything that is installed here."""
    installed = sorted({f"{one.name} {one.version}" for one in distributions()})
    return digest_json({"python": sys.version, "installed": installed})
