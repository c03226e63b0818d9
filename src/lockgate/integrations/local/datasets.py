"""Data files in a project's folder. A file's digest is remembered under its size, times and inode."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from lockgate.domain.data import DatasetVersion, dataset_digest
from lockgate.kernel.clock import Clock
from lockgate.kernel.digest import digest_file

_SETTLED = 2.0  # seconds: a file that changed less than this ago may change again without its times telling


@dataclass(frozen=True, slots=True)
class LocalDatasets:
    """A ports.datasets.Datasets. `index` is a file in the home; losing it costs time and nothing else."""

    index: Path
    clock: Clock

    def version(self, folder: Path, name: str, pattern: str) -> DatasetVersion | None:
        paths = sorted(path for path in folder.glob(pattern) if path.is_file())
        if not paths:
            return None
        known = self._read()
        entries = {path: _entry(path) for path in paths}
        digests = {path: known.get(f"{path} {entry}") or digest_file(path) for path, entry in entries.items()}
        fresh = {f"{path} {entry}": digests[path] for path, entry in entries.items() if self._settled(path)}
        if fresh.items() - known.items():
            self._write(known, fresh)
        files = {path.relative_to(folder).as_posix(): digest for path, digest in digests.items()}
        size = sum(path.stat().st_size for path in paths)
        return DatasetVersion(name, dataset_digest(files), tuple(files), size)

    def _settled(self, path: Path) -> bool:
        status = path.stat()
        return self.clock.now().timestamp() - max(status.st_mtime, status.st_ctime) > _SETTLED

    def _read(self) -> dict[str, str]:
        try:
            known = json.loads(self.index.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _write(self, known: dict[str, str], fresh: dict[str, str]) -> None:
        """One entry for each file: what a path was before is of no use."""
        paths = {key.rsplit(" ", 1)[0] for key in fresh}
        kept = {key: digest for key, digest in known.items() if key.rsplit(" ", 1)[0] not in paths}
        self.index.parent.mkdir(parents=True, exist_ok=True)
        draft = self.index.with_name(f".{self.index.name}.{os.getpid()}")
        draft.write_text(json.dumps(kept | fresh))
        draft.replace(self.index)


def _entry(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"
