"""waive, waivers, waivers withdraw."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from lockgate.domain.access import Scope
from lockgate.domain.waivers import Waiver
from lockgate.entrypoints.cli import Sentences
from lockgate.entrypoints.cli.session import Session, verb


@verb(makes_home=True, scope=Scope.DECIDE)
@click.argument("model")
@click.argument("gate")
@click.option("--why", required=True, help="What you answer for, for everybody to read.")
@click.option("--for", "length", metavar="TIME", required=True, help="How long, such as 7d; at most what the policy allows.")
@click.option("--rule", default="", help="Only this rule of the gate, as the project file writes it. Else all of them.")
@click.option("--version", "number", type=click.IntRange(1), help="Only this version, or the next one. Else all.")
def waive(session: Session, model: str, gate: str, why: str, length: str, rule: str, number: int | None) -> None:
    """Let GATE of MODEL count as passed for a time, although it did not pass.

    Only people to whom the policy gives a role for it may. What was measured stays, and counts again when the time is over.
    """
    from lockgate.usecases.waive_gate import grant_waiver

    made = grant_waiver(session.world, session.actor, model, gate, why=why, until=_length(length), rule=rule, version=number or 0)

    def show() -> None:
        click.echo(f"{made.id}: {_what(made)} of {model} is waived until {_moment(made.until)}")
        click.echo(f"Take it back with: lockgate waivers withdraw {made.id} --why REASON")

    session.answer(made, show)


def _length(text: str) -> timedelta:
    from lockgate.kernel.quantities import parse_duration

    try:
        return timedelta(seconds=parse_duration(text))
    except OverflowError:
        raise click.BadParameter(f"{text!r} found, which is longer than any policy allows", param_hint="--for") from None
    except ValueError as error:
        raise click.BadParameter(f"{text!r} found, {error}", param_hint="--for") from None


def _what(waiver: Waiver) -> str:
    rule = f" ({waiver.rule})" if waiver.rule else ""
    return f"gate {waiver.gate}{rule}"


def _moment(at: datetime) -> str:
    from lockgate.entrypoints.reading.words import moment

    return moment(at)


class _ListedByDefault(Sentences):
    """`waivers` alone, or with options only, lists."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asks = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if asks else args)


@click.group(cls=_ListedByDefault)
def waivers() -> None:
    """List the waivers of gates, or withdraw one."""


@verb("list")
@click.option("--model", help="Only waivers of this model.")
def list_waivers(session: Session, model: str | None) -> None:
    """List the waivers, also those that hold no more."""
    from lockgate.usecases.waive_gate import waivers_of

    now = session.world.clock.now()
    found = waivers_of(session.world, model)
    rows = [
        (one.id, one.model, one.version or "all", one.gate, one.rule or "all", one.by, _state(one, now), one.why) for one in found
    ]
    columns = ("id", "model", "version", "gate", "rule", "by", "state", "why")
    session.answer(found, lambda: session.table("Waivers", columns, rows, "none: every gate must pass"))


def _state(waiver: Waiver, now: datetime) -> str:
    if waiver.withdrawn_at is not None:
        return f"withdrawn {_moment(waiver.withdrawn_at)}"
    return f"{'until' if now < waiver.until else 'ended'} {_moment(waiver.until)}"


@verb(scope=Scope.DECIDE)
@click.argument("waiver_id", metavar="ID")
@click.option("--why", required=True, help="What has changed, for everybody to read.")
def withdraw(session: Session, waiver_id: str, why: str) -> None:
    """Take the waiver ID back: what was measured counts again at once."""
    from lockgate.usecases.waive_gate import withdraw_waiver

    made = withdraw_waiver(session.world, session.actor, waiver_id, why=why)
    session.answer(made, lambda: click.echo(f"{made.id} is withdrawn: {_what(made)} of {made.model} counts as it was measured"))


for command in (list_waivers, withdraw):
    waivers.add_command(command)
