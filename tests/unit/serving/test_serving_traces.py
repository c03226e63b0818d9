"""Traces: what a collector receives, and which requests are traced."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lockgate.kernel.errors import Invalid
from lockgate.serving.capture.traces import Traces, parent_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = f"00-{TRACE}-{SPAN}-01"


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """An OTLP receiver: its address, and the bodies that came."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_span_reaches_the_collector_under_the_callers() -> None:
    with collector() as (address, bodies):
        traces = Traces(address, 0.0, "worker-1")
        traces.span("POST /v2/models/m/infer", CALLER, 100.0, 100.25, 500, **{"lockgate.version": "3"})
        traces.close()
    sent = ExportTraceServiceRequest.FromString(bodies[0])
    (span,) = [span for one in sent.resource_spans for scope in one.scope_spans for span in scope.spans]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
    assert span.end_time_unix_nano - span.start_time_unix_nano == 250_000_000
    assert {one.key: one.value.string_value for one in span.attributes}["lockgate.version"] == "3"
    assert span.status.code == span.status.STATUS_CODE_ERROR


def test_who_is_traced_by_the_caller_is_traced_here_and_a_share_of_the_others() -> None:
    with collector() as (address, _):
        none, tenth = Traces(address, 0.0, "w"), Traces(address, 0.1, "w")
        assert none.wants(CALLER)
        assert not none.wants(None)
        assert not none.wants(CALLER[:-1] + "0"), "the caller decided not to trace it"
        assert 50 < sum(tenth.wants(None) for _ in range(1000)) < 160
        for traces in (none, tenth):
            traces.close()


@pytest.mark.parametrize("header", [None, "", "nonsense", CALLER.upper(), f"00-{'0' * 32}-{SPAN}-01", CALLER + "-more"])
def test_what_is_no_trace_context_is_passed_over(header: str | None) -> None:
    assert parent_of(header) is None


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(Invalid, match="trace share"):
        Traces("http://127.0.0.1:1", 1.5, "w")
