"""scan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.domain.models import ModelVersion
from lockgate.domain.vulnerabilities import Scan
from lockgate.entrypoints.cli import DONE, FAILED, SAID_NO
from lockgate.entrypoints.cli.session import Session, verb

if TYPE_CHECKING:
    from lockgate.entrypoints.reading.scans import ScanNow, Weak
    from lockgate.usecases.scan_version import Scanned

_COLUMNS = ("severity", "package", "version", "weakness", "mended in", "stands")


@verb()
@click.argument("model", required=False)
@click.argument("version", type=click.IntRange(1), required=False)
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take in what Trivy, Grype or Clair wrote as JSON, or any scanner as SARIF 2.1.0. Nobody is asked then.",
)
@click.option("--image", metavar="FILE", help="An image of the version: a file, or where it lies; for Trivy, Grype, Clair.")
@click.option("--all", "every", is_flag=True, help="Look up every version in Production and Staging again, as a cron job does.")
def scan(
    session: Session, model: str | None, version: int | None, reports: tuple[Path, ...], image: str | None, *, every: bool
) -> int:
    """Look up what is known against VERSION of MODEL, or take in another scanner's report.

    What is found counts at every edge from now on, by the limits of the version's supply_chain gate. Exit codes: 0 nothing
    stands in its way, 3 something does; with --all: 3 something new was found, 1 a version could not be looked up.
    """
    if every and (model or reports or image):
        raise click.UsageError("--all stands alone: it looks up every version that serves")
    if every:
        return _all(session)
    if model is None or version is None:
        raise click.UsageError("MODEL and VERSION expected, or --all")
    return _one(session, model, version, list(_taken(session, model, version, reports, image)))


def _taken(session: Session, model: str, version: int, reports: tuple[Path, ...], image: str | None) -> Iterator[Scan]:
    """Each scan that was recorded. Files are read before anything is recorded."""
    from lockgate.stages.decide.scans.reports import LARGEST
    from lockgate.usecases.scan_version import scan_version
    from lockgate.usecases.take_scan_report import take_scan_report
    from lockgate.wiring.scanners import open_image_scanners, open_scanner

    contents = [_read(path, LARGEST) for path in reports]
    if image is not None:
        contents += open_image_scanners().reports(image)
    for content in contents:
        yield take_scan_report(session.world, model, version, content, session.actor)
    if not contents:
        scanner = open_scanner(session.home, session.world.clock)
        looked = scan_version(session.world, scanner, model, version, session.actor)
        if looked.scan is not None:
            yield looked.scan


def _read(path: Path, most: int) -> bytes:
    """Up to one byte more than may be."""
    with path.open("rb") as file:
        return file.read(most + 1)


def _one(session: Session, model: str, number: int, taken: list[Scan]) -> int:
    from lockgate.entrypoints.reading.scans import scans_now
    from lockgate.usecases.find_things import version_of

    now = session.world.clock.now()
    with session.world.state.read() as tx:
        version = version_of(tx, model, number)
        shown = [one for one in scans_now(tx, version, now) if one.scan in taken]
    against = _against(session, version)

    def show() -> None:
        for one in shown:
            _show(session, one)
        for line in against:
            click.echo(f"{click.style('in its way', fg='red')}: {line}")

    session.answer({"scans": taken, "against": against}, show)
    return SAID_NO if against else DONE


def _against(session: Session, version: ModelVersion) -> list[str]:
    """What of the gate neither passed nor is waived."""
    from lockgate.domain.verdicts import PASSED
    from lockgate.entrypoints.reading.gates import gates_now
    from lockgate.stages.decide.gates.supply_chain import GATE

    with session.world.state.read() as tx:
        gates = gates_now(tx, version, session.world.clock.now())
    missed = (one.result for one in gates if one.result.gate == GATE and one.verdict not in PASSED)
    return [f"{one.rule}: {one.detail}" for one in missed]


def _show(session: Session, one: ScanNow) -> None:
    rows = [
        (
            weak.severity,
            weak.found.package,
            weak.found.version,
            weak.found.id,
            ", ".join(weak.found.fixed_in) or "–",
            _stands(weak),
        )
        for weak in one.weak
    ]
    known = f" ({one.scan.database})" if one.scan.database else ""
    session.table(f"{one.scan.tool}: {one.scan.subject}{known}", _COLUMNS, rows, "nothing is known against it")


def _stands(weak: Weak) -> str:
    from lockgate.entrypoints.reading.words import moment

    if weak.until is not None:
        return f"waived until {moment(weak.until)}"
    return "counts" if weak.counts else "does not count"


def _all(session: Session) -> int:
    from lockgate.usecases.scan_version import scan_serving
    from lockgate.wiring.scanners import open_scanner

    found = list(scan_serving(session.world, open_scanner(session.home, session.world.clock), session.actor))

    def show() -> None:
        for one in found:
            click.echo(_line(one))
        if not found:
            click.echo("no version stands in Production or Staging")

    session.answer(found, show)
    if any(one.fresh for one in found):
        return SAID_NO
    return FAILED if any(one.scan is None for one in found) else DONE


def _line(one: Scanned) -> str:
    name = f"{one.model} {one.version}"
    if one.scan is None:
        hint = f"\n  next: {one.hint}" if one.hint else ""
        return f"{name}: {click.style('could not be looked up', fg='yellow')}: {one.why_not}{hint}"
    if not one.fresh:
        return f"{name}: nothing new ({len(one.scan.found)} known)"
    fresh = ", ".join(f"{weak.id} in {weak.package} {weak.version} ({weak.severity.name.lower()})" for weak in one.fresh)
    return f"{name}: {click.style('new', fg='red')}: {fresh}"
