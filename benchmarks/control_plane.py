"""As much of a control plane as a data plane needs: one route table, and everything that comes is taken and forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from lockgate.boundary.observations import Block
from lockgate.boundary.routes import Revision, RouteTable


class ControlPlane(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, table: RouteTable) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.table = table
        self.completed = 0  # requests that came as evidence
        self.records = 0

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

    def take(self, block: Block) -> None:
        self.completed += sum(cell.completed for cell in block.cells)
        self.records += block.records_logged + block.records_dropped

    def handle_error(self, *_: object) -> None:
        """A data plane that stops breaks its connections."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet: else Nagle and delayed acknowledgements cost 40 ms an answer
    server: ControlPlane

    def do_GET(self) -> None:
        after = Revision.parse(self.path.partition("after=")[2].partition("&")[0])
        if self.server.table.revision > after:
            self._reply(200, msgspec.json.encode(self.server.table))
        else:
            time.sleep(1.0)
            self._reply(204, b"")

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
