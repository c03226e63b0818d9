"""Traces of requests, as OpenTelemetry spans: those that a caller traces, and a share of all others. Sent by a thread of the SDK.

Requests that are not traced pay for one look at a number, and for one header more. Without a collector's address nothing here is
made, and the library is not imported.
"""

from __future__ import annotations

import re
from random import getrandbits
from typing import Any, NamedTuple

from lockgate.kernel.errors import Invalid, MissingExtra

_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)  # W3C trace context, `traceparent`
_SAMPLED = 1
_BITS = 24
_QUEUE = 4096  # spans that wait for the collector; more are dropped


class Parent(NamedTuple):
    """The caller's span. trace_id: 128 bits, span_id: 64 bits."""

    trace_id: int
    span_id: int


def parent_of(traceparent: str | None) -> Parent | None:
    """The caller's span, if it is one that is traced."""
    match = _PARENT.fullmatch(traceparent) if traceparent else None
    if match is None or not int(match[3], 16) & _SAMPLED or not (int(match[1], 16) and int(match[2], 16)):
        return None
    return Parent(int(match[1], 16), int(match[2], 16))


class Traces:
    """collector: the base address of an OTLP receiver over HTTP, as http://127.0.0.1:4318. share: 0 to 1, of the requests whose
    caller traces nothing.

    Raises:
        MissingExtra: the library is not installed. Invalid: the share is none.
    """

    def __init__(self, collector: str, share: float, worker: str) -> None:
        if not 0.0 <= share <= 1.0:
            raise Invalid(f"trace share {share} found, 0 to 1 expected")
        try:
            from opentelemetry import trace  # noqa: PLC0415 - optional, and heavy
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtra("traces need OpenTelemetry", hint="Install it: pip install 'lockgate[otel]'") from error
        self._otel: Any = trace
        self._limit = int(share * 2**_BITS)
        resource = Resource.create({"service.name": "lockgate", "service.instance.id": worker})
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=f"{collector.rstrip('/')}/v1/traces", timeout=5)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=_QUEUE))
        self._tracer = self._provider.get_tracer("lockgate.serving")

    def wants(self, traceparent: str | None) -> bool:
        """Whether this request is traced."""
        return parent_of(traceparent) is not None or getrandbits(_BITS) < self._limit

    def span(self, name: str, traceparent: str | None, began: float, ended: float, status: int, **facts: str | float) -> None:
        """One request, now that it is answered. began, ended: Unix seconds. status: HTTP's."""
        attributes = {"http.request.method": "POST", "http.response.status_code": status, **facts}
        span = self._tracer.start_span(
            name,
            context=self._context(parent_of(traceparent)),
            kind=self._otel.SpanKind.SERVER,
            attributes=attributes,
            start_time=_nanoseconds(began),
        )
        if status >= 500:  # noqa: PLR2004 - where HTTP's server errors begin
            span.set_status(self._otel.StatusCode.ERROR)
        span.end(_nanoseconds(ended))

    def close(self) -> None:
        """Send what waits, for a few seconds at most."""
        self._provider.shutdown()

    def _context(self, parent: Parent | None) -> Any:
        if parent is None:
            return None
        flags = self._otel.TraceFlags(self._otel.TraceFlags.SAMPLED)
        remote = self._otel.SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags)
        return self._otel.set_span_in_context(self._otel.NonRecordingSpan(remote))


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
