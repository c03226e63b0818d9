"""package."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from lockgate.domain.forms import BuiltForm, Form
from lockgate.entrypoints.cli.session import Session, as_json, verb
from lockgate.entrypoints.reading.forms import parity_clause, size_clause
from lockgate.kernel.digest import short

if TYPE_CHECKING:
    from lockgate.usecases.package_version import PackagedForm

ALL = "all"
FOLDER = "dist"


def _named(_context: click.Context, _option: click.Parameter, names: Sequence[str]) -> list[tuple[str, str]]:
    """`MODEL:VERSION`, as models and versions by name."""
    pairs = [name.rpartition(":") for name in names]
    for name, (model, _, version) in zip(names, pairs, strict=True):
        if not (model and version):
            raise click.BadParameter(f"{name!r} found, MODEL:VERSION expected, such as flight-delay:3")
    return [(model, version) for model, _, version in pairs]


def _forms(_context: click.Context, _option: click.Parameter, names: Sequence[str]) -> list[Form]:
    """Each once, in the order of the enumeration."""
    return [form for form in Form if ALL in names or form.value in names]


@verb(who="--actor")
@click.argument("model")
@click.argument("version")
@click.option(
    "--as",
    "forms",
    multiple=True,
    type=click.Choice([*(form.value for form in Form), ALL]),
    callback=_forms,
    help="What it is to become; several times for several.",
)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    default=FOLDER,
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the files are put.",
)
@click.option("--push", metavar="REF", help="Push the image, as REGISTRY/NAME:TAG.")
@click.option("--base", metavar="REF|FILE", help="What the image stands on: a reference in a registry, or an OCI archive.")
@click.option("--with", "others", metavar="MODEL:VERSION", multiple=True, callback=_named, help="A further model in the image.")
@click.option(
    "--dockerfile",
    "exported",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write what the image is built from into a new folder, for a build service of your own.",
)
def package(
    session: Session,
    model: str,
    version: str,
    *,
    forms: list[Form],
    folder: Path,
    others: list[tuple[str, str]],
    exported: Path | None,
    **said: Any,
) -> None:
    """Build VERSION of MODEL, a number or an alias such as champion, as a wheel, a data file, or a container image.

    What was built is asked the version's golden rows where nothing else is, and is kept only if it answers as the original model
    did. The same version makes the same bytes. Who acts is said before the verb: lockgate --as NAME package …
    """
    _check(forms, exported, {**said, "with": others})
    versions = _versions(session, [(model, version), *others])
    packaged = []
    for form in forms:
        packaged.append(_package(session, form, versions if form is Form.IMAGE else versions[:1], folder, said))
        if not session.as_json:  # the next may fail, and this one is there
            _show(packaged[-1])
    dockerfile = _export(session, versions, exported, said["base"]) if exported is not None else None
    if session.as_json:
        click.echo(as_json({"forms": [_data(one) for one in packaged], "dockerfile": str(dockerfile) if dockerfile else None}))
    elif dockerfile:
        click.echo(f"written: {dockerfile}. What is built by it was not asked anything yet.")


def _check(forms: Sequence[Form], exported: Path | None, said: dict[str, Any]) -> None:
    if not forms and exported is None:
        raise click.UsageError(f"Say what it is to become: --as {' or --as '.join(form.value for form in Form)}.")
    if said["push"] and Form.IMAGE not in forms:
        raise click.UsageError("--push found, which goes with --as image only.")
    for option in ("base", "with"):
        if said[option] and Form.IMAGE not in forms and exported is None:
            raise click.UsageError(f"--{option} found, which goes with --as image and --dockerfile only.")


def _versions(session: Session, named: Sequence[tuple[str, str]]) -> list[tuple[str, int]]:
    from lockgate.usecases.find_things import version_named

    with session.world.state.read() as tx:
        return [(model, version_named(tx, model, version).version) for model, version in named]


def _package(
    session: Session, form: Form, versions: Sequence[tuple[str, int]], folder: Path, said: dict[str, Any]
) -> PackagedForm:
    from lockgate.integrations.local.outbox import LocalOutbox
    from lockgate.usecases.package_version import package_version
    from lockgate.wiring.forms import open_builder, open_push

    builder = open_builder(session.home, session.world, form, said["base"])
    push = open_push(said["push"]) if form is Form.IMAGE and said["push"] else None
    with _Phases(form.value) as tell:
        return package_version(session.world, builder, versions, LocalOutbox(folder), session.actor, push=push, tell=tell)


def _export(session: Session, versions: Sequence[tuple[str, int]], folder: Path, base: str | None) -> Path:
    from lockgate.integrations.local.outbox import LocalOutbox
    from lockgate.usecases.export_image import export_image
    from lockgate.wiring.forms import open_export

    with _Phases("dockerfile") as tell:
        tell("writing what the image is built from")
        export = open_export(session.home, session.world, folder, base)
        return export_image(session.world, versions, LocalOutbox(folder.parent), export)


def _data(packaged: PackagedForm) -> dict[str, Any]:
    return {"path": str(packaged.path), "same": packaged.same, "versions": packaged.built}


def _show(packaged: PackagedForm) -> None:
    first = packaged.built[0]
    click.echo(f"{first.form.value:6} {packaged.path}  {size_clause(first.size)}, {first.digest}")
    for built in packaged.built:
        click.echo(f"       {built.model} {built.version}: {parity_clause(built)}; first answer after {built.cold_start:.2g} s")
    click.echo(f"       asked in {first.environment}")
    if packaged.before is not None:
        click.echo(f"       {_beside(packaged, packaged.before)}")
    if first.pushed:
        click.echo(f"       pushed as {first.pushed}")


def _beside(packaged: PackagedForm, before: BuiltForm) -> str:
    when = f"{before.at:%Y-%m-%d %H:%M} UTC by {before.by}"
    if packaged.same:
        return f"the same bytes as on {when}"
    made = "another Lockgate, Python, base image, release key or paper"
    return f"other bytes than on {when} ({short(before.digest)}): {made} went into it"


class _Phases:
    """On a terminal, what is being done, on a line that is gone at the end."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> Self:
        return self

    def __call__(self, phase: str) -> None:
        self._write(f"{self._what}: {phase} …")

    def __exit__(self, *_: object) -> None:
        self._write("")

    def _write(self, text: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[2K{text}", nl=False, err=True)
