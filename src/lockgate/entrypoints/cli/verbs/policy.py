"""policy show, policy check, policy set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.domain.access import Scope
from lockgate.domain.policy import Policy, PolicyRecord
from lockgate.entrypoints.cli import Sentences
from lockgate.entrypoints.cli.session import Session, verb
from lockgate.kernel.errors import NotFound

if TYPE_CHECKING:
    from lockgate.usecases.set_policy import PolicySet

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=Sentences)
def policy() -> None:
    """Show, check or set the platform's policy: who may let a version go where."""


@verb()
def show(session: Session) -> None:
    """Show the policy in force."""
    from lockgate.domain.policy import CURRENT
    from lockgate.ports.state import POLICIES

    with session.world.state.read() as tx:
        found = tx.get(POLICIES, CURRENT)
    session.answer(found, lambda: _show(found))


def _show(found: PolicyRecord | None) -> None:
    from lockgate.entrypoints.reading.words import moment

    if found is None:
        click.echo("No policy is set: what the project files ask for holds. Next: lockgate policy set FILE")
        return
    click.echo(f"# set by {found.set_by} at {moment(found.set_at)}, {found.digest}")
    click.echo(found.text, nl=not found.text.endswith("\n"))


@verb()
@click.argument("file", type=FILE)
def check(session: Session, file: Path) -> None:
    """Say what is wrong with the policy in FILE; nothing is set."""
    from lockgate.project.policy import parse_policy

    found = parse_policy(_read(file), file.name)
    if session.home.exists:
        _warn(session, found)
    session.answer(found, lambda: click.echo(f"{file} has no faults"))


@verb("set", makes_home=True, scope=Scope.ADMIN)
@click.argument("file", type=FILE)
def set_(session: Session, file: Path) -> None:
    """Let the policy in FILE be in force from now on. Approvals that were given under the one before count no more."""
    from lockgate.usecases.set_policy import set_policy

    made = set_policy(session.world, _read(file), session.actor, file.name)
    _warn(session, made.record.policy)
    _warn_of_unsigned(session)
    session.answer(made.record, lambda: _show_set(made))


def _read(file: Path) -> str:
    from lockgate.project.policy import read_policy

    if not file.exists():
        raise NotFound(f"there is no file {file}", hint="What a policy may say: docs/reference/policy-file.md")
    return read_policy(file)


def _warn(session: Session, policy: Policy) -> None:
    """What is no fault of the file, and will still stand in somebody's way."""
    from lockgate.usecases.find_unreachable import find_unreachable
    from lockgate.usecases.set_policy import roles_of_nobody

    with session.world.state.read() as tx:
        told = [f"{said}, which the policy gives to nobody" for said in roles_of_nobody(tx, policy)] + find_unreachable(
            tx, policy
        )
    for said in told:
        click.echo(f"note: {said}", err=True)


def _warn_of_unsigned(session: Session) -> None:
    """What answers now and is not loaded again under this policy: an outage in waiting."""
    from lockgate.usecases.check_signature import find_unsigned

    with session.world.state.read() as tx:
        unsigned = find_unsigned(tx)
    for version, why in unsigned:
        name = f"{version.model} {version.version}"
        told = f"{name} is in {version.stage.value}, and no data plane loads it again: {why}. Next: lockgate sign {name}"
        click.echo(f"{click.style('warning', fg='yellow')}: {told}", err=True)


def _show_set(made: PolicySet) -> None:
    if not made.changed:
        click.echo(f"unchanged: {made.record.digest} is in force already, and every approval counts as before")
        return
    click.echo(f"in force: {made.record.digest}")
    for request in made.voided:
        given, who = len(request.decisions), ", ".join(one.by for one in request.decisions)
        word = "approval is" if given == 1 else "approvals are"
        where = f"{request.model} {request.version} → {request.to_stage.value}"
        click.echo(
            f"{given} {word} void: of {request.id} ({where}), by {who}. They may say it again: lockgate approve {request.id}"
        )


for command in (show, check, set_):
    policy.add_command(command)
