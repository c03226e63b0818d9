"""verify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lockgate.entrypoints.cli import DONE, SAID_NO
from lockgate.entrypoints.cli.session import Session, as_json, verb
from lockgate.entrypoints.reading.forms import size_clause
from lockgate.entrypoints.reading.predicates import builder, libraries, part, sources

if TYPE_CHECKING:
    from lockgate.boundary.checking import Checked, CheckedPackage, Step
    from lockgate.boundary.trust import Trust, TrustedKey

_LIBRARIES = 8  # that are named


@verb()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--key",
    "keys",
    metavar="KEY|FILE",
    multiple=True,
    help="A public key whose signature counts, or a file with such; without it those of the home.",
)
@click.option("--rows", is_flag=True, help="Also have it answer its golden rows, where nothing is but the file.")
def verify(session: Session, file: Path, keys: Sequence[str], *, rows: bool) -> int:
    """Check a wheel, a data file or an image: who signed it, what it is made of, from what, and that nothing was altered.

    The file and a public key suffice: no home is needed or made. Exit code 3 if anything does not hold.
    """
    from lockgate.boundary.checking import Step
    from lockgate.wiring.verification import check, named_keys

    trust = named_keys(keys) if keys else _trusted_here(session)
    checked = check(file, trust)
    steps = [*checked.steps, *(_answered(session, file, checked, trust) if rows and checked.ok else ())]
    if rows and not checked.ok:
        steps.append(Step("golden rows", ok=False, said="not asked: what does not hold is not run"))
    ok = all(one.ok for one in steps)
    if session.as_json:
        click.echo(
            as_json({"ok": ok, "kind": checked.kind, "file": checked.file, "digest": checked.digest, **_data(checked, steps)})
        )
    else:
        _show(file, checked, steps)
    return DONE if ok else SAID_NO


def _trusted_here(session: Session) -> Trust:
    from lockgate.usecases.find_trust import find_trust

    if not session.home.exists:
        raise click.UsageError(
            "Say whose signature counts: --key ed25519:… or --key FILE. Its home prints it: lockgate key show."
        )
    return find_trust(session.world)


def _answered(session: Session, file: Path, checked: Checked, trust: Trust) -> Iterator[Step]:
    from lockgate.boundary.checking import Step
    from lockgate.boundary.trusted_types import TrustedTypes
    from lockgate.kernel.errors import LockgateError
    from lockgate.usecases.list_trusted_types import list_trusted_types
    from lockgate.wiring.verification import golden_rows

    trusted = list_trusted_types(session.world.state) if session.home.exists else TrustedTypes()
    try:
        found = golden_rows(file, checked, trust, trusted)
    except LockgateError as error:
        yield Step("golden rows", ok=False, said=error.message)
        return
    for parity, asked in found:
        said = f"{len(parity.expected)} as the original, at most {parity.differences.max():.2g} apart, in {asked.environment}"
        yield Step("golden rows", ok=parity.holds, said=said if parity.holds else str(parity))


def _data(checked: Checked, steps: Sequence[Step]) -> dict[str, Any]:
    packages = [{name: getattr(one, name) for name in ("release", "signer", "provenance", "bill")} for one in checked.packages]
    known = {name: getattr(checked, name) for name in ("kind", "file", "digest", "signer")}
    return {**known, "steps": steps, "packages": packages}


def _show(file: Path, checked: Checked, steps: Sequence[Step]) -> None:
    from lockgate.boundary.checked_archives import DATA

    size = file.stat().st_size
    what = "data file" if checked.kind == DATA else checked.kind
    click.echo(f"{checked.file}: {what}, {size_clause(size)}, {checked.digest or 'of no known digest'}")
    for package in checked.packages:
        _show_package(package, checked.signer)
    width = max(len(one.what) for one in steps)
    for one in steps:
        mark = click.style("✓", fg="green") if one.ok else click.style("✗", fg="red", bold=True)
        click.echo(f"{mark} {_plain(one.what):{width}}  {_plain(one.said)}")


def _show_package(package: CheckedPackage, signer: TrustedKey | None) -> None:
    if package.release is None:
        return
    lines = [("version", str(package.release)), ("signed by", _named(signer))]
    if package.provenance is not None:
        lines += [("made by", _builder(package.provenance)), ("made from", _sources(package.provenance))]
    if package.bill is not None:
        lines += [("made of", _libraries(package.bill))]
    for name, text in lines:
        click.echo(f"  {name:10} {_plain(text)}")


def _plain(text: str) -> str:
    """What stands in a file may be meant for the terminal that shows it."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _named(key: TrustedKey | None) -> str:
    if key is None:
        return "nobody who is trusted"
    from lockgate.boundary.public_keys import short_id

    return (f"{key.name} ({key.key})" if key.name else key.key) + f", id {short_id(key.key)}"


def _builder(provenance: dict[str, Any]) -> str:
    ran = part(part(provenance, "runDetails"), "metadata")
    return f"{builder(provenance)}, {ran.get('invocationId', 'unknown run')}, {ran.get('finishedOn', 'at no known time')}"


def _sources(provenance: dict[str, Any]) -> str:
    named = [f"{name} {digits[:12]}" for name, digits in sources(provenance)]
    dirty = part(part(provenance, "buildDefinition"), "internalParameters").get("dirty") is True
    return ", ".join(named or ["nothing that is named"]) + (" (with changes that were not committed)" if dirty else "")


def _libraries(bill: dict[str, Any]) -> str:
    named = list(libraries(bill))
    more = f" and {len(named) - _LIBRARIES} more" if len(named) > _LIBRARIES else ""
    return f"{len(named)} libraries: {', '.join(named[:_LIBRARIES])}{more}" if named else "no libraries that are named"
