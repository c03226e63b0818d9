"""up, status."""

from __future__ import annotations

import click

from lockgate.entrypoints.cli.session import Session, ago, verb


@verb()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; the default: this machine only.")
@click.option("--port", default=7070, show_default=True, help="The control plane's: pages, API.")
@click.option("--data-port", default=7080, show_default=True, help="The data plane's: inference.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that answer.")
def up(session: Session, host: str, port: int, data_port: int, workers: int) -> None:
    """Start the control plane, the data plane, the runner and the controller; Ctrl-C stops them together."""
    from lockgate.entrypoints.supervisor.up import Addresses
    from lockgate.entrypoints.supervisor.up import up as run
    from lockgate.kernel import log

    log.configure()
    addresses = Addresses(host, port, data_port, workers)
    click.echo(f"starting on {session.home.folder} …")

    def ready(_children: object) -> None:
        click.echo(f"  pages and API   {addresses.control}")
        click.echo(f"  inference       {addresses.data}")
        click.echo(f"  logs            {session.home.logs}")
        click.echo("Ctrl-C stops everything.")

    run(session.home, addresses, ready)


@verb()
def status(session: Session) -> None:
    """Say what is live, with whom, since when."""
    from lockgate.usecases.tell_status import tell_status

    told = tell_status(session.world)
    now = session.world.clock.now()

    def show() -> None:
        rows = [
            (
                one.model,
                one.champion or "–",
                ago((now - one.since).total_seconds()) if one.since else "–",
                one.by or "–",
                f"version {one.candidate} at {one.share:.0%}, {one.phase}, judge says {one.verdict}" if one.candidate else "",
                ", ".join(one.waiting),
            )
            for one in told.models
        ]
        columns = ("model", "live", "since", "moved by", "rollout", "waiting for approval")
        session.table("Status", columns, rows, "no models yet: lockgate run")
        ready = sum(worker.up_to_date for worker in told.workers)
        what = f"{ready} of {len(told.workers)} up to date" if told.workers else "none alive: lockgate up"
        click.echo(f"data plane workers: {what}")

    session.answer(told, show)
