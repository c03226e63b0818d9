"""models, versions, request, approve, reject, cancel, comment."""

from __future__ import annotations

import click

from lockgate.domain.models import RequestState, Stage, TransitionRequest
from lockgate.entrypoints.cli.session import Session, ago, line_of, verb
from lockgate.ports.state import ALIASES, MODELS, REQUESTS, VERSIONS

STAGES = click.Choice([stage.value for stage in Stage], case_sensitive=False)


@verb()
def models(session: Session) -> None:
    """List the registered models."""
    with session.world.state.read() as tx:
        found = tx.find(MODELS)
        champions = {alias.model: alias.version for alias in tx.find(ALIASES)}
    rows = [(one.name, one.latest_version, champions.get(one.name, "–")) for one in found]
    session.answer(found, lambda: session.table("Models", ("model", "latest", "champion"), rows, "none yet: lockgate run"))


@verb()
@click.argument("model")
def versions(session: Session, model: str) -> None:
    """List the versions of MODEL with their stages, metrics and gates."""
    from lockgate.usecases.find_things import model_named

    now = session.world.clock.now()
    with session.world.state.read() as tx:
        model_named(tx, model)
        found = tx.find(VERSIONS, model=model, newest_first=True)
        requests = {one.version: one for one in tx.find(REQUESTS, model=model, state="open")}
    rows = [
        (
            one.version,
            one.stage.value,
            f"→ {requests[one.version].to_stage.value} ({requests[one.version].id})" if one.version in requests else "",
            line_of(one.metrics),
            f"{sum(gate.verdict.value == 'PASS' for gate in one.gates)}/{len(one.gates)}",
            one.author,
            ago((now - one.created_at).total_seconds()),
        )
        for one in found
    ]
    columns = ("version", "stage", "asked for", "metrics", "gates passed", "author", "age")
    session.answer(found, lambda: session.table(f"Versions of {model}", columns, rows, "none yet: lockgate run"))


@verb()
@click.argument("model")
@click.argument("version", type=int)
@click.option("--to", "to_stage", type=STAGES, required=True)
@click.option("--comment", default="")
def request(session: Session, model: str, version: int, to_stage: str, comment: str) -> None:
    """Ask for VERSION of MODEL to be moved to a stage."""
    from lockgate.usecases.request_transition import request_transition

    made = request_transition(session.world, model, version, Stage(to_stage), session.actor, comment)

    def show() -> None:
        click.echo(f"{made.id}: {model} {version} → {made.to_stage.value}, waiting for approval")
        click.echo(f"Next: lockgate approve {made.id}")

    session.answer(made, show)


@verb()
@click.argument("request_id", metavar="REQUEST")
@click.option("--comment", default="")
def approve(session: Session, request_id: str, comment: str) -> None:
    """Approve REQUEST; the approval that completes the quorum opens the rollout."""
    from lockgate.usecases.decide_request import approve_request

    made = approve_request(session.world, request_id, session.actor, comment)
    session.answer(made, lambda: _show_decided(made))


def _show_decided(made: TransitionRequest) -> None:
    if made.state is RequestState.OPEN:
        click.echo(f"{made.id} has your word and needs that of further people")
        return
    click.echo(f"{made.id} is {made.state.value}")
    if made.state is RequestState.APPROVED:
        click.echo(f"{made.model} {made.version} is on its way to {made.to_stage.value}. Next: lockgate status")


@verb()
@click.argument("request_id", metavar="REQUEST")
@click.option("--comment", default="")
def reject(session: Session, request_id: str, comment: str) -> None:
    """Reject REQUEST."""
    from lockgate.usecases.decide_request import reject_request

    made = reject_request(session.world, request_id, session.actor, comment)
    session.answer(made, lambda: _show_decided(made))


@verb()
@click.argument("request_id", metavar="REQUEST")
@click.option("--comment", default="")
def cancel(session: Session, request_id: str, comment: str) -> None:
    """Take back your own REQUEST."""
    from lockgate.usecases.decide_request import cancel_request

    made = cancel_request(session.world, request_id, session.actor, comment)
    session.answer(made, lambda: click.echo(f"{made.id} is {made.state.value}"))


@verb()
@click.argument("model")
@click.argument("version", type=int)
@click.argument("text")
def comment(session: Session, model: str, version: int, text: str) -> None:
    """Say TEXT about VERSION of MODEL."""
    from lockgate.usecases.add_comment import add_comment

    event = add_comment(session.world, model, version, session.actor, text)
    session.answer(event, lambda: click.echo(f"noted as event {event.seq}"))
