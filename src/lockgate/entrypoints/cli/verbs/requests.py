"""requests, requests show."""

from __future__ import annotations

from datetime import datetime

import click

from lockgate.domain.models import RequestState, TransitionRequest
from lockgate.entrypoints.cli import Sentences
from lockgate.entrypoints.cli.session import Session, ago, verb
from lockgate.ports.state import REQUESTS, Reader
from lockgate.usecases.count_approvals import Approvals, count_approvals


class _ListedByDefault(Sentences):
    """`requests` alone, or with options only, lists."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asks = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if asks else args)


@click.group(cls=_ListedByDefault)
def requests() -> None:
    """List the requests that wait for people, or show one."""


@verb("list")
@click.option("--model", help="Only requests of this model.")
def list_requests(session: Session, model: str | None) -> None:
    """List the open requests: what is asked for, by whom, and whose yes is there already."""
    from lockgate.entrypoints.reading.approvals import given_clause
    from lockgate.usecases.expire_requests import expire_requests
    from lockgate.usecases.find_things import model_named

    expire_requests(session.world)
    now = session.world.clock.now()
    with session.world.state.read() as tx:
        if model is not None:
            model_named(tx, model)
        waiting = tx.find(REQUESTS, state=RequestState.OPEN.value)
        found = [(one, count_approvals(tx, one)) for one in waiting if model in (None, one.model)]
    rows = [
        (
            one.id,
            one.model,
            one.version,
            goal(one),
            one.requester,
            _age(one, now),
            _left(one, now),
            given_clause(given),
            one.comment,
        )
        for one, given in found
    ]
    columns = ("request", "model", "version", "to", "asked by", "age", "expires", "approvals", "comment")
    told = [_told(one, given) for one, given in found]
    session.answer(told, lambda: session.table("Open requests", columns, rows, "none"))


@verb()
@click.argument("request_id", metavar="REQUEST")
def show(session: Session, request_id: str) -> None:
    """Show REQUEST: who said what of it, and whose word is missing."""
    from lockgate.usecases.expire_requests import expire_requests
    from lockgate.usecases.find_things import request_by

    expire_requests(session.world)
    with session.world.state.read() as tx:
        one = request_by(tx, request_id)
        given = count_approvals(tx, one)
    session.answer(_told(one, given), lambda: _show(one, given))


def _show(one: TransitionRequest, given: Approvals) -> None:
    from lockgate.entrypoints.reading.approvals import given_clause, missing_clause
    from lockgate.entrypoints.reading.words import moment

    click.echo(f"{one.id}: {one.model} {one.version} → {goal(one)}, {one.state.value}")
    click.echo(f"asked for by {one.requester} at {moment(one.created_at)}" + (f": {one.comment}" if one.comment else ""))
    for said in one.decisions:
        click.echo(f"{said.vote.value} by {said.by} at {moment(said.at)}" + (f": {said.comment}" if said.comment else ""))
    if one.state is not RequestState.OPEN:
        return
    click.echo(f"approvals: {given_clause(given)}; it needs the word of {missing_clause(given)}")
    if one.expires_at:
        click.echo(f"it expires at {moment(one.expires_at)}")
    click.echo(f"Next: lockgate approve {one.id}, or lockgate reject {one.id}")


def goal(one: TransitionRequest) -> str:
    return f"{one.to_stage.value}, segment {one.segment}" if one.segment else one.to_stage.value


def waiting_line(tx: Reader, one: TransitionRequest) -> str:
    """`request-… → Production, 1 of 2`: as `status` says it."""
    given = count_approvals(tx, one)
    return f"{one.id} → {goal(one)}, {given.have} of {given.need}"


def _age(one: TransitionRequest, now: datetime) -> str:
    return ago((now - one.created_at).total_seconds())


def _left(one: TransitionRequest, now: datetime) -> str:
    return f"in {ago((one.expires_at - now).total_seconds())}" if one.expires_at else "never"


def _told(one: TransitionRequest, given: Approvals) -> dict[str, object]:
    """For machines: as GET /api/v1/requests/{id}."""
    approvals = {"have": given.have, "need": given.need, "by": given.by, "roles": given.roles, "excluded": given.excluded}
    names = ("id", "model", "version", "digest", "to_stage", "segment", "by", "requester", "created_at", "expires_at")
    told: dict[str, object] = {name: getattr(one, name) for name in names}
    rest = {"comment": one.comment, "state": one.state, "closed_at": one.closed_at, "decisions": one.decisions}
    return {**told, **rest, "binding": one.binding, "approvals": approvals}


for command in (list_requests, show):
    requests.add_command(command)
