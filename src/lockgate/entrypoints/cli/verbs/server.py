"""up, status."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lockgate.boundary.exposure import Tls, is_loopback
from lockgate.entrypoints.cli.session import Session, ago, verb
from lockgate.kernel.quantities import parse_duration

PORT = click.IntRange(1, 65535)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_WORKERS = re.compile(r"[1-9]\d?(-[1-9]\d?)?", re.ASCII)


def _workers(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not _WORKERS.fullmatch(value):
        raise click.BadParameter(f"{value!r} found; a number such as 2, or a range such as 1-4, expected")
    return value


def _duration(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} found; {error}") from error


@verb(makes_home=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; the default: this machine only.")
@click.option("--port", default=7070, show_default=True, type=PORT, help="The control plane's: pages, API.")
@click.option("--data-host", help="Where the data plane listens, if elsewhere. Beyond this machine it needs keys, and TLS.")
@click.option("--data-port", default=7080, show_default=True, type=PORT, help="The data plane's: inference.")
@click.option(
    "--workers", default="1", show_default=True, callback=_workers, help="Processes that answer; 1-4: as many as are needed."
)
@click.option("--grpc-port", type=PORT, help="Speak the Open Inference Protocol over gRPC here too (lockgate[grpc]).")
@click.option("--idle", callback=_duration, help="Models that nobody asks for so long, as 10m, sleep until they are asked.")
@click.option("--memory", help="For all models together, as 2GB; what would not fit is refused before it is loaded.")
@click.option("--access-log", is_flag=True, help="Keep a line for each request.")
@click.option("--traces", metavar="URL", help="Send traces to an OpenTelemetry collector (lockgate[otel]).")
@click.option("--url", default="", help="By which browsers reach the control plane, as https://lock.example.org behind a proxy.")
@click.option("--public", is_flag=True, help="Anybody may ask the data plane for predictions; all else needs a key.")
@click.option("--plain-http", is_flag=True, help="No TLS beyond this machine: it ends at a proxy, or the network is trusted.")
@click.option("--tls-cert", type=FILE, help="The data plane's certificate, with its chain (PEM).")
@click.option("--tls-key", type=FILE, help="Its private key (PEM, not encrypted).")
@click.option("--tls-min", type=click.Choice(["1.2", "1.3"]), default="1.2", show_default=True, help="The oldest TLS spoken.")
@click.option("--tls-client-ca", type=FILE, help="Callers must show a certificate by one of these authorities (PEM).")
def up(session: Session, host: str, port: int, data_port: int, workers: str, **listening: Any) -> None:
    """Start the control plane, the data plane, the runner, the learner, the notifier and the controller; Ctrl-C stops them."""
    from lockgate.entrypoints.api.trusted_list import TrustedList
    from lockgate.entrypoints.exposed import Exposed, check_exposure
    from lockgate.entrypoints.supervisor.up import Addresses
    from lockgate.entrypoints.supervisor.up import up as run
    from lockgate.kernel import log

    if port == data_port:
        raise click.BadParameter(f"{port} is the control plane's already; another port expected", param_hint="--data-port")
    log.configure()
    if sys.stderr.isatty():
        logging.getLogger().setLevel(logging.WARNING)  # for people, what goes well is told below
    new = not session.home.exists
    where, public, plain = listening["data_host"], listening["public"], listening["plain_http"]
    data = (where, public, plain, _tls(listening), _options(listening))
    addresses = Addresses(host, port, data_port, workers, *data, url=listening["url"])
    if addresses.url or not is_loopback(host):
        check_exposure(Exposed(host, addresses.url, plain), session.world.state, session.home)
    click.echo(f"starting on {session.home.folder} …")

    def ready(_children: object) -> None:
        click.echo(f"  pages and API   {addresses.control}")
        click.echo(f"  inference       {addresses.data}")
        click.echo(f"  logs            {session.home.logs}")
        click.echo("Ctrl-C stops everything." + (" Next, in another terminal: lockgate init DIR" if new else ""))

    # Whatever the policy asks of packages holds from the first one on: a data plane that starts loads by the table that it kept.
    TrustedList(session.world.state, session.home.data_plane).lay_down()
    run(session.home, addresses, ready)
    click.echo("stopped")


def _options(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The data plane's own, as its command line takes them."""
    valued = {name: given[name] for name in ("grpc_port", "idle", "memory", "traces") if given[name] is not None}
    options = [part for name, value in valued.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    return (*options, "--access-log") if given["access_log"] else tuple(options)


def _tls(given: Mapping[str, Any]) -> Tls | None:
    cert, key, client_ca = given["tls_cert"], given["tls_key"], given["tls_client_ca"]
    if cert is None and key is None and client_ca is None:
        return None
    if cert is None or key is None:
        raise click.UsageError("TLS needs both a certificate and its key: --tls-cert FILE and --tls-key FILE.")
    return Tls(cert, key, given["tls_min"], client_ca)


@verb()
def status(session: Session) -> None:
    """Say what is live, with whom, since when."""
    from lockgate.entrypoints.cli.verbs.requests import waiting_line
    from lockgate.entrypoints.reading.learning import champion_clause
    from lockgate.entrypoints.reading.live import answering_clause, held_clause, live_models, trial_clause, waiting_requests
    from lockgate.entrypoints.reading.segments import segment_clause
    from lockgate.entrypoints.reading.staged import staged_clause
    from lockgate.entrypoints.reading.subscribers import channel_clauses, following
    from lockgate.ports.state import MODELS
    from lockgate.usecases.live_workers import live_workers
    from lockgate.usecases.publish_routes import route_table

    now = session.world.clock.now()
    with session.world.state.read() as tx:
        told = live_models(tx, [model.name for model in tx.find(MODELS)])
        learning = {name: said for name, one in told.items() if (said := champion_clause(tx, name, one.version))}
        waiting = waiting_requests(tx)
        asked = [waiting_line(tx, request) for request in waiting]
        workers = live_workers(tx, now)
        revision = route_table(tx).revision
        programs = following(tx, now)
    up_to_date = sum(one.revision >= revision for one in workers)

    def show() -> None:
        rows = [
            (
                one.model,
                one.version or "–",
                ago((now - one.since).total_seconds()) if one.since else "–",
                one.by or "–",
                one.staging or "–",
                ", ".join(said for said in (trial_clause(one), held_clause(one)) if said),
                ", ".join(said for request, said in zip(waiting, asked, strict=True) if request.model == one.model),
            )
            for one in told.values()
        ]
        columns = ("model", "live", "since", "moved by", "staging", "rollout", "waiting for approval")
        session.table("Status", columns, rows, f"no models yet in {session.home.folder}: lockgate run")
        for one in told.values():
            for said in filter(None, map(segment_clause, one.segments)):
                click.echo(f"{one.model}: {said}")
            if one.staged:
                click.echo(f"{one.model}: {staged_clause(one.staged)}")
            if said := answering_clause(one):
                click.echo(f"{one.model}: {said}")
            for missing in one.missing_labels:
                click.echo(f"{one.model}: {missing}")
            if one.model in learning:
                click.echo(f"{one.model}: {learning[one.model]}")
        for said in channel_clauses(programs):
            click.echo(said)
        what = f"{up_to_date} of {len(workers)} up to date" if workers else "none alive: lockgate up"
        click.echo(f"data plane workers: {what}")

    session.answer({"models": list(told.values()), "waiting": waiting, "workers": workers, "subscribers": programs}, show)
