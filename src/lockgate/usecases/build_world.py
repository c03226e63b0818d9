"""What building needs of the world, beside what every use case needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockgate.ports.datasets import Datasets
from lockgate.ports.executor import Executors, Values
from lockgate.ports.libraries import Libraries
from lockgate.ports.package_server import PackageServer
from lockgate.ports.records import RecordSource
from lockgate.ports.run_folders import RunFolders
from lockgate.ports.runtimes import Runtime
from lockgate.ports.source import Source
from lockgate.ports.vulnerabilities import VulnerabilityScanner


@dataclass(frozen=True, slots=True)
class BuildWorld:
    """packager, checker: functions as `module:function`, called in a worker.

    packager: (model, split, evaluation, label event or None, ports.executor.Packing) → domain.packages.Packaged.
    natives: library → function that puts its models into the library's own format, for the packager (see `ports.natives`).
    checker: (frame, contract, Unix seconds) → a sentence for each rule that is broken.
    runtimes: what a stored package is asked with before it is registered, and the champion about the candidate's held-out rows.
    records: what production was asked; None: nothing is recorded here.
    server: what serves a package for a moment, to see what it costs. scanner: who knows of vulnerabilities; None: nobody.
    """

    executors: Executors
    values: Values
    source: Source
    datasets: Datasets
    folders: RunFolders
    libraries: Libraries
    packager: str
    checker: str
    server: PackageServer
    runtimes: tuple[Runtime, ...] = ()
    natives: Mapping[str, str] = field(default_factory=dict)
    records: RecordSource | None = None
    scanner: VulnerabilityScanner | None = None
