"""watch: what watching knows of a model."""

from __future__ import annotations

import click

from lockgate.entrypoints.cli.session import Session, ago, verb
from lockgate.ports.state import FINDINGS, TRIGGERS


@verb()
@click.argument("model")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
def watch(session: Session, model: str, limit: int) -> None:
    """Show what was found about MODEL in production, and what was done about it."""
    from lockgate.usecases.find_things import model_named

    now = session.world.clock.now()
    with session.world.state.read() as tx:
        model_named(tx, model)
        findings = tx.find(FINDINGS, model=model, newest_first=True, limit=limit)
        triggers = tx.find(TRIGGERS, model=model, newest_first=True, limit=limit)

    def show() -> None:
        rows = [(ago((now - one.at).total_seconds()), one.kind.value, one.version, one.detail) for one in findings]
        session.table(f"Findings about {model}", ("age", "kind", "version", "what"), rows)
        answers = [(ago((now - one.at).total_seconds()), one.action, one.decision.value, one.reason) for one in triggers]
        session.table("Triggers", ("age", "action", "decision", "why"), answers)

    session.answer({"findings": findings, "triggers": triggers}, show)
