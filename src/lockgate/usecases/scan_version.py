"""Hold what a registered version needs to run against what is known of it now: once for one, or for all that serve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lockgate.boundary.manifest import decode
from lockgate.domain.distributions import Distribution
from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.people import Actor
from lockgate.domain.vulnerabilities import Found, Scan, Vulnerability
from lockgate.kernel.errors import LockgateError, Unavailable
from lockgate.ports.state import SCANS, VERSIONS
from lockgate.ports.vulnerabilities import VulnerabilityScanner
from lockgate.stages.decide.gates.supply_chain import known_names, too_old
from lockgate.usecases.find_things import version_of
from lockgate.usecases.list_needs import needs_of
from lockgate.usecases.record_scan import record_scan
from lockgate.usecases.world import World

SERVING = (Stage.PRODUCTION, Stage.STAGING)


@dataclass(frozen=True, slots=True)
class Scanned:
    """fresh: weaknesses that neither the gate nor an earlier scan had found under any of their names. why_not: where there is no
    scan; hint: what to do about that.
    """

    model: str
    version: int
    scan: Scan | None
    fresh: tuple[Vulnerability, ...] = ()
    why_not: str = ""
    hint: str = ""


def scan_version(world: World, scanner: VulnerabilityScanner, model: str, number: int, actor: Actor) -> Scanned:
    """
    Raises:
        NotFound: there is no such version. Unavailable: nobody could tell, or only by knowledge that is older than the version's
        gate allows. NotFound, Corrupt, Invalid, MissingExtra: what it needs to run cannot be listed.
    """  # noqa: D212 - there is nothing else to say
    with world.state.read() as tx:
        version = version_of(tx, model, number)
    return _scan(world, _Remembering(scanner), version, actor)


def scan_serving(world: World, scanner: VulnerabilityScanner, actor: Actor) -> Iterator[Scanned]:
    """Every version that stands in Production or Staging. One that cannot be scanned does not stop the rest."""
    remembering = _Remembering(scanner)
    with world.state.read() as tx:
        versions = [one for stage in SERVING for one in tx.find(VERSIONS, stage=stage.value)]
    for version in versions:
        try:
            yield _scan(world, remembering, version, actor)
        except LockgateError as error:
            yield Scanned(version.model, version.version, None, why_not=error.message, hint=error.hint or "")


@dataclass(frozen=True, slots=True)
class _Remembering:
    """Versions that need the same are looked up once."""

    scanner: VulnerabilityScanner
    _found: dict[tuple[Distribution, ...], Found] = field(default_factory=dict)

    def scan(self, packages: Sequence[Distribution]) -> Found:
        needed = tuple(packages)
        if needed not in self._found:
            self._found[needed] = self.scanner.scan(needed)
        return self._found[needed]


def _scan(world: World, scanner: VulnerabilityScanner, version: ModelVersion, actor: Actor) -> Scanned:
    if world.distributions is None:
        raise Unavailable("nothing is known here of what is installed")
    needs = needs_of(world.artifacts, world.distributions, decode(world.artifacts.get(version.digest), version.digest))
    found = scanner.scan(needs)
    now = world.clock.now()
    if old := too_old(version.gates, found, now):
        raise Unavailable(f"{version.model} {version.version}: {old}")
    scan = Scan(
        model=version.model,
        version=version.version,
        tool=found.tool,
        found=found.vulnerabilities,
        report=world.artifacts.put(found.report),
        at=now,
        by=actor.name,
        database=found.database,
        subject=f"{len(needs)} distributions",
    )
    with world.state.read() as tx:
        before = known_names(version.gates, tx.find(SCANS, model=version.model, version=version.version))
    record_scan(world, scan, actor)
    return Scanned(scan.model, scan.version, scan, tuple(one for one in scan.found if before.isdisjoint(one.names)))
