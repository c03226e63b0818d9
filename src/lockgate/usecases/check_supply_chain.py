"""Hold what a candidate needs to run against what is known of it, and see whether its papers could be made."""

from __future__ import annotations

from lockgate.boundary.manifest import Manifest
from lockgate.domain.distributions import Distribution
from lockgate.domain.verdicts import GateResult
from lockgate.kernel.errors import LockgateError
from lockgate.ports.vulnerabilities import VulnerabilityScanner
from lockgate.stages.decide.gates.supply_chain import SBOM, SIGNATURE, judge_paper, judge_scan, unscanned
from lockgate.stages.decide.supply_chain_spec import SupplyChainSpec, VulnerabilitiesSpec
from lockgate.usecases.list_needs import needs_of
from lockgate.usecases.world import World

_PROBE = b"lockgate: may this key sign?"


def check_supply_chain(
    world: World, scanner: VulnerabilityScanner | None, spec: SupplyChainSpec, manifest: Manifest
) -> tuple[GateResult, ...]:
    """A result for each rule and each weakness that counts. What could not be told is an ERROR with what to do.

    The papers themselves are signed when the version is registered, which does not happen where that fails.
    """
    found: tuple[GateResult, ...] = ()
    needs, why_not = _needs(world, manifest)
    if spec.signature:
        found += (_signable(world),)
    if spec.sbom:
        found += (_listable(world, needs, why_not),)
    if spec.vulnerabilities is not None:
        found += _scanned(world, scanner, spec.vulnerabilities, needs) if needs else unscanned(spec.vulnerabilities, why_not)
    return found


def _needs(world: World, manifest: Manifest) -> tuple[tuple[Distribution, ...], str]:
    """Or, if there are none, why not."""
    if world.distributions is None:
        return (), "nothing is known here of what is installed"
    try:
        return needs_of(world.artifacts, world.distributions, manifest), ""
    except LockgateError as error:
        return (), f"what it needs to run cannot be listed: {_told(error)}"


def _signable(world: World) -> GateResult:
    if world.signer is None:
        return judge_paper(SIGNATURE, "there is no key here to sign with", possible=False)
    try:
        key, signature = world.signer.public_key, world.signer.sign(_PROBE)
        works = world.signer.genuine(key, _PROBE, signature)
    except (LockgateError, OSError) as error:
        return judge_paper(SIGNATURE, f"the key cannot be used: {_told(error)}", possible=False)
    said = f"it will be signed by {key}" if works else f"what the key {key} signs is not genuine: restore the key"
    return judge_paper(SIGNATURE, said, possible=works)


def _listable(world: World, needs: tuple[Distribution, ...], why_not: str) -> GateResult:
    if not needs:
        return judge_paper(SBOM, why_not, possible=False)
    if world.signer is None:
        return judge_paper(SBOM, "there is no key here to sign the bill with", possible=False)
    return judge_paper(SBOM, f"it will name {len(needs)} distributions", possible=True)


def _scanned(
    world: World, scanner: VulnerabilityScanner | None, spec: VulnerabilitiesSpec, needs: tuple[Distribution, ...]
) -> tuple[GateResult, ...]:
    if scanner is None:
        return unscanned(spec, "nothing here knows of vulnerabilities")
    try:
        found = scanner.scan(needs)
    except LockgateError as error:
        return unscanned(spec, f"nobody could tell: {_told(error)}")
    return judge_scan(spec, len(needs), found, world.artifacts.put(found.report), world.clock.now())


def _told(error: LockgateError | OSError) -> str:
    hint = getattr(error, "hint", None)
    return f"{getattr(error, 'message', error)}{f'. {hint}' if hint else ''}"
