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
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import uvloop

from lockgate.boundary.acknowledgements import Acknowledgement
from lockgate.boundary.routes import RouteTable
from lockgate.kernel.clock import SystemClock
from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.kernel.ids import new_id
from lockgate.kernel.log import configure
from lockgate.serving.capture.figures import FigureFiles
from lockgate.serving.capture.flusher import Flusher
from lockgate.serving.capture.ledger import Ledger
from lockgate.serving.capture.records import RecordLog
from lockgate.serving.capture.spool import Spool
from lockgate.serving.control.channel import Channel
from lockgate.serving.control.contact import Contact
from lockgate.serving.control.reporter import Reporter
from lockgate.serving.control.tables import WAIT, TableFile, TablePoll
from lockgate.serving.gateway.app import Gateway
from lockgate.serving.gateway.describe import Describe
from lockgate.serving.gateway.inference import Inference
from lockgate.serving.gateway.intake import Intake
from lockgate.serving.gateway.labels import LabelDesk
from lockgate.serving.gateway.package import load
from lockgate.serving.gateway.router import Router
from lockgate.serving.server.listener import Listener
from lockgate.serving.server.settings import Place, decode_place, read_secrets

LOAD_PATIENCE = 20.0  # seconds to load the kept table's packages before the first connection is taken
ACKNOWLEDGE_EVERY = 2.0
HOUSEKEEPING = 0.25
FAREWELL = 2.0  # seconds to send the last blocks; what is left is sent by another worker
_TIMEOUT = 5.0  # seconds for the control plane to answer a report
_SWITCH = 0.0005  # seconds after which a thread that computes lets the event loop in; Python's own is ten times that
_NICE = 10  # loading a package gives way to answering

log = logging.getLogger(__name__)


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
        self._hurried = False

        self._writer = ThreadPoolExecutor(1, "writer")
        loader = ThreadPoolExecutor(1, "loader", partial(_be_nice, _NICE))
        large = ThreadPoolExecutor(1, "large")

        files = FigureFiles(settings.home / "figures", place.worker)
        ledger = Ledger(place.worker, self._incarnation, files.resume(), clock.now().timestamp())
        self._records = RecordLog(settings.home / "records", self._incarnation)
        self._spool = Spool.create(settings.home / "spool", place.worker, self._incarnation)

        self._contact = Contact(clock, settings.orphan_timeout)
        reports = Channel(settings.control, secrets.control_token, _TIMEOUT)
        self._reporter = Reporter(reports, self._contact, self._spool, settings.home / "spool", clock)
        self._router = Router(partial(load, settings.artifacts), loader, ledger, clock, self._acknowledge)
        self._flusher = Flusher(ledger, self._records, self._spool, files, self._writer, clock, self._reporter.wake)

        self._describe = Describe(self._router, _version())
        self._intake = Intake(settings.body_limit, settings.body_room)
        inference = Inference(ledger, self._records, secrets.prediction_key, clock)
        labels = LabelDesk(self._flusher, ledger, secrets.prediction_key, clock)
        gateway = Gateway(self._router, inference, self._describe, labels, ledger, files, self._intake, large)
        self._listener = Listener(gateway, place.descriptor)
        polls = Channel(settings.control, secrets.control_token, WAIT + _TIMEOUT)
        self._table_file = TableFile(settings.home / "routes.json")
        self._poll = partial(TablePoll, polls, self._contact, on_table=self._table_came)

    async def run(self) -> None:
        """Answer until told to stop; then finish what is under way, and leave nothing untold."""
        self._heed_signals()
        kept = self._kept_table()
        if kept is not None:
            self._router.apply(kept)
            await self._router.settled(LOAD_PATIENCE)
        poll = self._poll(known=kept)
        poll.start()
        self._reporter.start()
        tasks = [self._loop.create_task(self._flusher.run()), self._loop.create_task(self._keep_house())]
        serving = self._loop.create_task(self._listener.serve())
        _settle_memory()
        log.info("worker serves", extra={"worker": self._place.worker, "incarnation": self._incarnation, "pid": os.getpid()})
        await self._stop.wait()
        await self._drain(serving)
        for task in tasks:
            task.cancel()
        poll.stop()
        await self._leave()

    def stop(self, *, hurried: bool) -> None:
        """hurried: nobody is left who could send requests elsewhere, so there is no grace."""
        self._hurried = hurried
        self._stop.set()

    async def _drain(self, serving: asyncio.Task[None]) -> None:
        """Say «not ready» and close connections after their next answer, so that callers go elsewhere; then take no more."""
        self._describe.draining = True
        if not self._hurried:
            await asyncio.sleep(self._place.settings.grace)
        self._listener.close()
        os.close(self._place.descriptor)  # the port is free again when the last one lets go of it
        _, late = await asyncio.wait([serving], timeout=self._place.settings.drain)
        if late:
            log.warning("requests cut off", extra={"after_seconds": self._place.settings.drain})

    async def _leave(self) -> None:
        await self._flusher.flush()
        await asyncio.to_thread(self._reporter.finish, FAREWELL)
        self._records.close()
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
        beats = 0
        while True:
            await asyncio.sleep(HOUSEKEEPING)
            self._router.orphan(orphaned=self._contact.lost)
            self._router.retry()
            self._intake.sweep()
            beats += 1
            if beats * HOUSEKEEPING >= ACKNOWLEDGE_EVERY:
                beats = 0
                self._acknowledge()

    def _acknowledge(self) -> None:
        self._reporter.acknowledge(
            Acknowledgement(
                worker=self._place.worker,
                incarnation=self._incarnation,
                revision=self._router.plan.revision,
                applied_at=self._router.applied_at or 0.0,
                packages=self._router.packages,
                rss_bytes=_resident(),
            )
        )


def _be_nice(steps: int) -> None:
    if sys.platform == "linux":  # where a thread has a niceness of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), steps)


def _settle_memory() -> None:
    """What was made until here lives as long as the process: the collector need not look at it again."""
    gc.collect()
    gc.freeze()


def _version() -> str:
    try:
        return version("lockgate")
    except PackageNotFoundError:
        return "0"  # run from a source tree that was not installed


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
    except LockgateError as error:
        log.warning("worker cannot start", extra={"reason": error.message, "hint": error.hint})
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
