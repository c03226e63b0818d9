"""One worker: the composition root of a process that answers requests."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import uvloop

from lockgate.boundary.acknowledgements import Acknowledgement, Readiness
from lockgate.boundary.key_file import KeyFile
from lockgate.boundary.routes import RouteTable
from lockgate.kernel.clock import Clock, SystemClock
from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.kernel.ids import new_id
from lockgate.kernel.log import configure
from lockgate.kernel.release import __version__
from lockgate.serving.capture.access import Access as Visit
from lockgate.serving.capture.access import AccessLog
from lockgate.serving.capture.figures import FigureFiles, Figures
from lockgate.serving.capture.flusher import Flusher
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.records import RecordLog
from lockgate.serving.capture.spool import Spool
from lockgate.serving.capture.traces import Traces
from lockgate.serving.control.channel import Channel, Line, Nobody
from lockgate.serving.control.contact import Contact
from lockgate.serving.control.reporter import Reporter
from lockgate.serving.control.tables import WAIT, TableFile, TablePoll
from lockgate.serving.gateway.accepting import Accepting
from lockgate.serving.gateway.access import Access
from lockgate.serving.gateway.admission import Admission
from lockgate.serving.gateway.app import Gateway, Parts, model_of
from lockgate.serving.gateway.describe import Describe
from lockgate.serving.gateway.inference import Inference
from lockgate.serving.gateway.intake import LARGE, Intake
from lockgate.serving.gateway.labels import LabelDesk
from lockgate.serving.gateway.lessons import LessonDesk
from lockgate.serving.gateway.loading import PackageLoader, ShadowLoader
from lockgate.serving.gateway.ratelimit import SharedLimits
from lockgate.serving.gateway.repository import Repository
from lockgate.serving.gateway.router import Router
from lockgate.serving.gateway.rsgi import Scope
from lockgate.serving.gateway.vouching import Vouching
from lockgate.serving.gateway.waking import Waking
from lockgate.serving.grpc.port import Listening
from lockgate.serving.isolation.client import Hosts
from lockgate.serving.isolation.keeper import keeper_socket
from lockgate.serving.isolation.talk import Phase, Told
from lockgate.serving.protocol.problems import Answer
from lockgate.serving.server.gauge import Busyness, Gauge, Load, anybody_answered
from lockgate.serving.server.listener import Desk, Listener, OnAnswer
from lockgate.serving.server.post import HOPELESS
from lockgate.serving.server.settings import Place, Settings, decode_place, read_secrets
from lockgate.serving.server.steadily import steadily

LOAD_PATIENCE = 20.0  # seconds to load the kept table's packages before the first connection is taken
ALONE_PATIENCE = 600.0  # the same without a control plane: there is nothing to say before
ACKNOWLEDGE_EVERY = 2.0
HOUSEKEEPING = 0.25
SHADOW_PATIENCE = 10.0  # seconds within which a shadow's answer is worth having
FAREWELL = 2.0  # seconds to send the last blocks; what is left is sent by another worker
_TIMEOUT = 5.0  # seconds for the control plane to answer a report
_CROWDED = 0.9  # share of requests that others wait behind: then the machine is busy, whoever it is that keeps it so
_SWITCH = 0.0005  # seconds after which a thread that computes lets the event loop in; Python's own is ten times that
_COLLECT_EVERY = 50_000  # objects more than were freed
_NICE = 10  # loading a package gives way to answering

log = logging.getLogger(__name__)


class Hopeless(LockgateError):
    """What this server was started for cannot be."""


class Worker:
    def __init__(self, place: Place) -> None:
        settings = place.settings
        secrets = read_secrets(settings.secrets)
        clock = SystemClock()
        self._clock = clock
        self._place = place
        self._incarnation = new_id("gw")
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._leaving = False
        self._hurried = False

        self._writer = ThreadPoolExecutor(1, "writer")
        loader = ThreadPoolExecutor(1, "loader", partial(_be_nice, _NICE))
        large = ThreadPoolExecutor(1, "large")

        self._spool = Spool.create(settings.home / "spool", place.worker, self._incarnation)
        files = FigureFiles(settings.home / "figures", place.worker)
        ledger = Ledger(place.worker, self._incarnation, files.resume(), clock.unix(), self._spool.book)
        self._ledger = ledger
        self._records = RecordLog(settings.home / "records", self._incarnation, self._spool.book, wanted=settings.records)
        access_log = self._access_log = (
            AccessLog(settings.home / "logs" / f"{place.worker}.access.jsonl") if settings.access_log else None
        )

        self._contact = Contact(clock, settings.orphan_timeout)
        reports = _channel(settings, secrets.control_token, _TIMEOUT)
        self._reporter = Reporter(reports, self._contact, self._spool, settings.home / "spool", clock, self._adopted)
        self._hosts = Hosts(keeper_socket(settings.home), self._host_changed)
        inference = Inference(ledger, self._records, secrets.prediction_key, clock, large, Waking())
        self._inference = inference
        self._shadows = inference.shadows
        vouching = self._vouching = Vouching(settings.home, settings.artifacts)
        self._router = Router(
            PackageLoader(settings.artifacts, loader, self._hosts, vouching),
            ShadowLoader(settings.artifacts, loader, self._hosts, vouching, self._shadows.took, SHADOW_PATIENCE),
            ledger,
            clock,
            self._acknowledge,
            vouching.heed,
        )
        self._flusher = Flusher(
            ledger, self._records, self._spool, files, self._writer, clock, self._reporter.wake, access=access_log
        )

        self._describe = Describe(self._router, ledger.figures, files, __version__)
        self._intake = Intake(settings.body_limit, settings.body_room)
        limits = SharedLimits(settings.home / "limits")
        keys = KeyFile(settings.key_file)
        self._access = Access(keys, limits, clock, ledger.count, host=settings.host, public=settings.public)
        self._traces = Traces(settings.traces, settings.trace_share, place.worker) if settings.traces else None
        repository = Repository(self._router, self._describe)
        accepting = Accepting(self._flusher, ledger, large, heard=settings.control is not None)
        parts = Parts(
            self._router,
            inference,
            self._describe,
            repository,
            LabelDesk(accepting, secrets.prediction_key, clock),
            LessonDesk(accepting, ledger, clock),
            ledger,
            self._intake,
            self._access,
            self._traces,
            clock,
        )
        gateway = Gateway(parts)
        small = min(LARGE - 1, settings.body_limit)
        note = partial(_note, access_log, self._access, clock) if access_log is not None else None
        self._admission = Admission(settings.queue)
        self._desk = Desk(gateway, self._admission, small, note)
        self._listener = Listener(self._desk, place.descriptor, settings.tls)
        self._grpc = _grpc_server(settings, settings.grpc_port, parts, gateway, note) if settings.grpc_port is not None else None
        self._table_file = TableFile(settings.home / "routes.json")
        self._polls = _channel(settings, secrets.control_token, WAIT + _TIMEOUT)

    async def run(self) -> None:
        """Answer until told to stop; then finish what is under way, and leave nothing untold."""
        self._heed_signals()
        self._hosts.start()
        kept = self._kept_table()
        if kept is not None:
            await self._load(kept)
        if self._place.settings.control is None:
            self._check_begun()
        self._leaving = self._stop.is_set()  # told while it loaded: what it says of packages from now on is no news of theirs
        poll = TablePoll(self._polls, self._contact, kept, self._table_came)
        if self._place.settings.control is not None:  # else the kept table is all that there ever is
            poll.start()
        self._reporter.start()
        tasks = [self._loop.create_task(self._flusher.run()), self._loop.create_task(self._keep_house())]
        if self._leaving:
            os.close(self._place.descriptor)  # the port is for whoever comes next
        else:
            await self._serve()
        for task in tasks:
            task.cancel()
        poll.stop()
        await self._leave()

    async def _load(self, kept: RouteTable) -> None:
        """Until all of the table's packages are ready or failed, or nobody is left who wants them."""
        self._router.apply(kept)
        patience = LOAD_PATIENCE if self._place.settings.control is not None else ALONE_PATIENCE
        waits = {self._loop.create_task(self._router.settled(patience)), self._loop.create_task(self._stop.wait())}
        _, left = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in left:
            wait.cancel()

    def _check_begun(self) -> None:
        """Without a control plane nobody mends a package that fails: if none has ever answered here, say so and end.

        Raises:
            Hopeless: a package cannot be served.
        """
        failed = [state.reason for state in self._router.packages.values() if state.readiness is Readiness.FAILED]
        if failed and not anybody_answered(self._place.settings.home / "load"):
            raise Hopeless("; ".join(failed))

    async def _serve(self) -> None:
        serving = self._loop.create_task(self._listener.run())
        if self._grpc is not None:
            self._grpc.start()
        _settle_memory()
        log.info("worker serves", extra={"worker": self._place.worker, "incarnation": self._incarnation, "pid": os.getpid()})
        await self._stop.wait()
        await self._drain(serving)

    def stop(self, *, hurried: bool) -> None:
        """hurried: nobody is left who could send requests elsewhere, so there is no grace."""
        self._hurried = hurried
        self._stop.set()

    async def _drain(self, serving: asyncio.Task[None]) -> None:
        """Say «not ready» and close connections after their next answer, so that callers go elsewhere; then take no more."""
        self._leaving = True
        self._acknowledge()
        self._describe.draining = self._desk.draining = True
        if not self._hurried:
            await asyncio.sleep(self._place.settings.grace)
        self._listener.close()
        os.close(self._place.descriptor)  # the port is free again when the last one lets go of it
        drain = self._place.settings.drain
        calls = self._loop.create_task(self._grpc.stop(drain)) if self._grpc is not None else None
        _, late = await asyncio.wait([serving], timeout=drain)
        if calls is not None:
            await calls
        if late:
            log.warning("requests cut off", extra={"after_seconds": drain})

    def _host_changed(self, told: Told) -> None:
        if told.want.isolated and told.phase is not Phase.STARTING:
            ready = told.phase is Phase.READY
            self._router.heard_of_host(told.want.digest, told.reason, shadow=told.want.shadow, ready=ready)

    async def _leave(self) -> None:
        self._hosts.stop()  # shadows under way are told of as cancelled, before the last block
        await self._flusher.finish()
        await asyncio.to_thread(self._reporter.finish, FAREWELL)
        self._records.close()
        if self._access_log is not None:
            self._access_log.close()
        if self._traces is not None:
            self._traces.close()
        if not self._reporter.is_alive():
            self._spool.release()

    def _heed_signals(self) -> None:
        self._loop.add_signal_handler(signal.SIGTERM, partial(self.stop, hurried=False))
        self._loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C reaches the whole group: the supervisor acts on it

        def supervisor_ends() -> None:
            while os.read(sys.stdin.fileno(), 1024):
                pass
            self._loop.call_soon_threadsafe(partial(self.stop, hurried=True))

        threading.Thread(target=supervisor_ends, name="supervisor-watch", daemon=True).start()

    def _kept_table(self) -> RouteTable | None:
        try:
            return self._table_file.read()
        except Invalid as error:
            log.warning("kept routes unusable", extra={"reason": error.message})
            return None

    def _table_came(self, table: RouteTable) -> None:
        """In the poll's thread: applied first, kept on disk second; the roll-back does not wait for the disk."""
        self._loop.call_soon_threadsafe(self._router.apply, table)
        try:
            self._table_file.write(table)
        except OSError as error:
            log.warning("routes not kept", extra={"reason": str(error)})

    async def _keep_house(self) -> None:
        """What is to be looked at a few times a second."""
        idle = self._place.settings.idle
        acknowledged, busyness = self._clock.monotonic(), Busyness()
        gauge = Gauge(self._place.settings.home / "load", self._place.worker)

        def look() -> None:
            nonlocal acknowledged
            self._look_after(gauge, busyness.take(), idle)
            if self._clock.monotonic() - acknowledged >= ACKNOWLEDGE_EVERY:
                acknowledged = self._clock.monotonic()
                self._acknowledge()

        # As the flusher: revoked keys, slow senders and a lost control plane are heeded here, so it must go on.
        await steadily(look, HOUSEKEEPING, "housekeeping failed")

    def _look_after(self, gauge: Gauge, busy: float, idle: float | None) -> None:
        delay = self._desk.delay
        if self._grpc is not None:
            self._grpc.sweep()
            delay = max(delay, self._grpc.delay)
        gauge.write(Load(os.getpid(), self._clock.monotonic(), delay, busy))
        self._shadows.refill(busy, HOUSEKEEPING, crowded=self._desk.crowding() > _CROWDED)
        self._router.orphan(orphaned=self._contact.lost)
        self._router.retry()
        if idle:
            self._router.sleep_idle(idle)
        self._intake.sweep()
        self._desk.sweep()
        self._access.refresh()
        self._vouching.look(self._router.loaded, self._clock.monotonic())
        self._count_shed()

    def _count_shed(self) -> None:
        """Requests that were refused before the event loop heard of them."""
        for path, number in self._admission.take_shed().items():
            self._inference.turned_away(model_of(path), "more wait than can be answered in time", number)

    def _adopted(self, left: Figures) -> None:
        """In the reporter's thread: what a dead worker had not shown in its figures."""
        self._loop.call_soon_threadsafe(self._ledger.figures.add, left)

    def _acknowledge(self) -> None:
        self._reporter.acknowledge(
            Acknowledgement(
                worker=self._place.worker,
                incarnation=self._incarnation,
                revision=self._router.plan.revision,
                applied_at=self._router.applied_at or 0.0,
                packages=self._router.packages,
                rss_bytes=_resident(),
                leaving=self._leaving,
            )
        )


def _channel(settings: Settings, token: str, timeout: float) -> Line:
    if settings.control is None:
        return Nobody()
    return Channel(settings.control, token, timeout, settings.control_ca)


def _grpc_server(settings: Settings, port: int, parts: Parts, gateway: Gateway, note: OnAnswer | None) -> Listening:
    from lockgate.serving.grpc.server import Door, Server  # noqa: PLC0415 - an extra
    from lockgate.serving.grpc.service import Service  # noqa: PLC0415 - as above

    door = Door(settings.host, port, settings.tls, settings.body_limit, settings.body_room)
    return Server(Service(parts, gateway), door, Admission(settings.queue), note)


def _be_nice(steps: int) -> None:
    if sys.platform == "linux":  # where a thread has a niceness of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), steps)


def _settle_memory() -> None:
    """What was made until here lives as long as the process: the collector need not look at it again.

    What a request leaves behind has no cycles. The collector's own pace is set by what is made and not yet freed, which here is
    records on their way to disk: it would look through them again and again, at a twentieth of all time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, 20, 50)


def _note(access_log: AccessLog, access: Access, clock: Clock, since: float, scope: Scope, size: int, answer: Answer) -> None:
    """Add a line to the access log."""
    access_log.add(
        Visit(
            at=clock.unix(),
            method=scope.method,
            path=scope.path,
            status=answer.status,
            seconds=clock.monotonic() - since,
            peer=scope.client,
            received=size,
            sent=len(answer.body),
            caller=access.caller(scope),
            version=next((int(value) for name, value in answer.headers if name == "x-lockgate-version"), 0),
        )
    )


def _resident() -> int:
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0  # not Linux: unknown
    return int(pages) * os.sysconf("SC_PAGESIZE")


async def _run(place: Place) -> None:
    await Worker(place).run()


def main() -> None:
    place = decode_place(sys.argv[1])
    sys.setswitchinterval(_SWITCH)
    configure(verbose=place.settings.verbose)
    try:
        uvloop.run(_run(place))
    except Hopeless as error:
        sys.stderr.write(f"error: {error.message}\n")
        raise SystemExit(HOPELESS) from error
    except LockgateError as error:
        log.warning("worker cannot start", extra={"reason": error.message, "hint": error.hint})
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
