"""policy show, policy check, policy set."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.domain.access import Scope
from lockgate.domain.policy import PolicyRecord
from lockgate.entrypoints.cli import Sentences
from lockgate.entrypoints.cli.session import Session, verb

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
    from lockgate.project.policy import parse_policy, read_policy

    found = parse_policy(read_policy(file), file.name)
    session.answer(found, lambda: click.echo(f"{file} has no faults"))


@verb("set", makes_home=True, scope=Scope.ADMIN)
@click.argument("file", type=FILE)
def set_(session: Session, file: Path) -> None:
    """Let the policy in FILE be in force from now on. Approvals that were given under the one before count no more."""
    from lockgate.project.policy import read_policy
    from lockgate.usecases.set_policy import roles_of_nobody, set_policy

    made = set_policy(session.world, read_policy(file), session.actor, file.name)
    with session.world.state.read() as tx:
        for told in roles_of_nobody(tx, made.policy):
            click.echo(f"note: {told}, which the policy gives to nobody", err=True)
    session.answer(made, lambda: click.echo(f"in force: {made.digest}"))


for command in (show, check, set_):
    policy.add_command(command)
