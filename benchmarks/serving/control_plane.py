"""As much of a control plane as a data plane needs: one route table, and everything that comes is counted and forgotten."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from lockgate.boundary.observations import Block
from lockgate.boundary.routes import Revision, RouteTable

_LONGEST_POLL = 1.0  # seconds


class ControlPlane(ThreadingHTTPServer):
    """`completed`: requests that came as evidence, by version. `failures`: of these, by kind. `records`: written or dropped."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, table: RouteTable) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._table = table
        self._changed = threading.Condition()
        self.completed: Counter[int] = Counter()
        self.failures: Counter[str] = Counter()
        self.records = self.unassigned = self.shed = 0

    @contextmanager
    def serving(self) -> Iterator[ControlPlane]:
        thread = threading.Thread(target=self.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()

    def publish(self, table: RouteTable) -> None:
        """A table with a higher revision: workers that wait for one get it at once."""
        with self._changed:
            self._table = table
            self._changed.notify_all()

    def table_after(self, revision: Revision) -> RouteTable | None:
        with self._changed:
            self._changed.wait_for(lambda: self._table.revision > revision, _LONGEST_POLL)
            return self._table if self._table.revision > revision else None

    def take(self, block: Block) -> None:
        with self._changed:
            for cell in block.cells:
                if not cell.shadow:
                    self.completed[cell.version] += cell.completed
                self.failures.update(cell.failures)
            self.records += block.records_logged + block.records_dropped
            self.unassigned += block.unassigned
            self.shed += block.shed

    def handle_error(self, *_: object) -> None:
        """A data plane that stops breaks its connections."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet: else Nagle and delayed acknowledgements cost 40 ms an answer
    server: ControlPlane

    def do_GET(self) -> None:
        table = self.server.table_after(Revision.parse(self.path.partition("after=")[2].partition("&")[0]))
        if table is None:
            self._reply(204, b"")
        else:
            self._reply(200, msgspec.json.encode(table))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("observations"):
            self.server.take(msgspec.msgpack.decode(body, type=Block))
        self._reply(204, b"")

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """One line for each request is of no use here."""
