"""models, versions, request, approve, reject, cancel, comment."""

from __future__ import annotations

import click

from lockgate.domain.access import Scope
from lockgate.domain.models import CHAMPION, RequestState, Stage, TransitionRequest
from lockgate.entrypoints.cli.session import Session, ago, line_of, segment_option, verb
from lockgate.ports.state import ALIASES, MODELS, REQUESTS, VERSIONS

STAGES = click.Choice([stage.value for stage in Stage], case_sensitive=False)


@verb()
def models(session: Session) -> None:
    """List the registered models."""
    from lockgate.entrypoints.reading.segments import champions_clause
    from lockgate.usecases.find_champions import segment_champions

    with session.world.state.read() as tx:
        found = tx.find(MODELS)
        champions = {alias.model: alias.version for alias in tx.find(ALIASES) if alias.name == CHAMPION}
        own = {one.name: champions_clause(segment_champions(tx, one.name)) for one in found}
    rows = [(one.name, one.latest_version, champions.get(one.name, "–"), own[one.name]) for one in found]
    columns = ("model", "latest", "champion", "champions of segments")
    session.answer(found, lambda: session.table("Models", columns, rows, "none yet: lockgate run"))


@verb()
@click.argument("model")
def versions(session: Session, model: str) -> None:
    """List the versions of MODEL with their stages, metrics and gates."""
    from msgspec import to_builtins

    from lockgate.entrypoints.reading.forms import forms_of
    from lockgate.entrypoints.reading.gates import gates_count, gates_now
    from lockgate.entrypoints.reading.learning import checkpoint_clause
    from lockgate.entrypoints.reading.staged import staged_clause, staged_in
    from lockgate.usecases.find_champions import segment_champions
    from lockgate.usecases.find_things import model_named

    now = session.world.clock.now()
    with session.world.state.read() as tx:
        model_named(tx, model)
        found = tx.find(VERSIONS, model=model, newest_first=True)
        staged = staged_in(tx, model)
        requests = {one.version: one for one in tx.find(REQUESTS, model=model, state="open")}
        segments = segment_champions(tx, model)
        passed = {one.version: gates_count(gates_now(tx, one, now)) for one in found}
        forms = {one.version: forms_of(tx, model, one.version) for one in found}
    online, packaged = any(one.learned for one in found), any(forms.values())
    rows = [
        (
            one.version,
            ", ".join([one.stage.value, *(f"champion of {name}" for name, number in segments.items() if number == one.version)]),
            f"→ {_goal(requests[one.version])} ({requests[one.version].id})" if one.version in requests else "",
            line_of(one.metrics),
            passed[one.version],
            one.author,
            ago((now - one.created_at).total_seconds()),
            *([", ".join(form.form.value for form in forms[one.version])] if packaged else []),
            *([checkpoint_clause(one)] if online else []),
        )
        for one in found
    ]
    columns = (
        "version",
        "stage",
        "asked for",
        "metrics",
        "gates passed",
        "author",
        "age",
        *(["forms"] if packaged else []),
        *(["learned online"] if online else []),
    )

    def show() -> None:
        session.table(f"Versions of {model}", columns, rows, "none yet: lockgate run")
        if staged:
            click.echo(staged_clause(staged))

    session.answer([{**to_builtins(one), "forms": forms[one.version]} for one in found], show)


@verb()
@click.argument("model")
@click.argument("version", type=int)
@click.option("--to", "to_stage", type=STAGES, required=True)
@segment_option("Of Production: only this part of the traffic, as `champions` in lockgate.yaml says.")
@click.option("--comment", default="")
def request(session: Session, model: str, version: int, to_stage: str, segment: str | None, comment: str) -> None:
    """Ask for VERSION of MODEL to be moved to a stage."""
    from lockgate.entrypoints.reading.approvals import next_clause
    from lockgate.usecases.count_approvals import count_approvals
    from lockgate.usecases.request_transition import request_transition

    made = request_transition(session.world, model, version, Stage(to_stage), session.actor, comment, segment or "")

    with session.world.state.read() as tx:
        given = count_approvals(tx, made)

    def show() -> None:
        click.echo(f"{made.id}: {model} {version} → {_goal(made)}, waiting for approval")
        click.echo(next_clause(made.id, made.requester, given))

    session.answer(made, show)


@verb(scope=Scope.DECIDE)
@click.argument("request_id", metavar="REQUEST")
@click.option("--comment", default="")
def approve(session: Session, request_id: str, comment: str) -> None:
    """Approve REQUEST; the approval that completes the quorum opens the rollout."""
    from lockgate.usecases.decide_request import approve_request

    made = approve_request(session.world, request_id, session.actor, comment)
    session.answer(made, lambda: _show_decided(session, made))


def _show_decided(session: Session, made: TransitionRequest) -> None:
    if made.state is RequestState.OPEN:
        from lockgate.entrypoints.reading.approvals import missing_clause
        from lockgate.usecases.count_approvals import count_approvals

        with session.world.state.read() as tx:
            given = count_approvals(tx, made)
        click.echo(f"{made.id} has your word and needs that of {missing_clause(given)}")
        click.echo(f"Next: lockgate requests show {made.id}")
        return
    click.echo(f"{made.id} is {made.state.value}")
    if made.state is RequestState.APPROVED:
        click.echo(f"{made.model} {made.version} is on its way to {_goal(made)}. Next: lockgate status")


def _goal(made: TransitionRequest) -> str:
    return f"{made.to_stage.value}, segment {made.segment}" if made.segment else made.to_stage.value


@verb(scope=Scope.DECIDE)
@click.argument("request_id", metavar="REQUEST")
@click.option("--comment", default="")
def reject(session: Session, request_id: str, comment: str) -> None:
    """Reject REQUEST."""
    from lockgate.usecases.decide_request import reject_request

    made = reject_request(session.world, request_id, session.actor, comment)
    session.answer(made, lambda: _show_decided(session, made))


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
