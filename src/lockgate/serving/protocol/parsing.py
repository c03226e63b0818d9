"""Requests in whatever form they come: which reader takes a body, and in which form it is to be answered."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.serving.protocol import arrow, delimited, requests, scoring
from lockgate.serving.protocol.binary import LENGTH_HEADER, parse_binary
from lockgate.serving.protocol.requests import Form, FormedRequest, Header, InferenceRequest, Unsupported

_JSON = "application/json"
_TABLES: dict[str, Callable[[bytes], InferenceRequest]] = {arrow.STREAM: arrow.parse, delimited.TYPE: delimited.parse}


def parse(body: bytes, header: Header) -> InferenceRequest:
    """What was sent to `/v2/models/…/infer`. What is no table and tells of no bytes is read as JSON, whatever it is called.

    Raises:
        Unsupported: a form that is not spoken here. InvalidInput: the body is not what it should be; names the field.
    """
    told = header(LENGTH_HEADER)
    kind = header("content-type")
    try:
        if told is not None:
            request = parse_binary(body, told)
        elif kind is not None and kind != _JSON and (reader := _TABLES.get(_media_type(kind))):
            request = reader(body)
        else:
            request = requests.parse(body)
    except InvalidInput:
        _check_encoding(header)
        raise
    accept = header("accept")
    return request if accept is None or accept == "*/*" else _as_accepted(request, accept)


def check_json(header: Header) -> None:
    """Where nothing but JSON is read: what says that it is something else is refused; what says nothing is read.

    Raises:
        Unsupported: bytes, a table, or a compressed body.
    """
    kind = _media_type(header("content-type") or _JSON)
    if header(LENGTH_HEADER) is not None or kind in _TABLES:
        found = kind if kind in _TABLES else "JSON with bytes behind it"
        raise Unsupported(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, Fault("content-type", f"{found} found, {_JSON} expected"))
    _check_encoding(header)


def _check_encoding(header: Header) -> None:
    """Why a body could not be read, if that is because it is compressed."""
    encoding = header("content-encoding")
    if encoding is not None and encoding.lower() != "identity":
        fault = Fault("content-encoding", f"{encoding[:40]!r} found; bodies are read as they are")
        raise Unsupported(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, fault)


def parse_scoring(body: bytes, header: Header) -> InferenceRequest:
    """What was sent to `/invocations`.

    Raises:
        Unsupported: it is neither JSON, CSV nor Arrow. InvalidInput: as above.
    """
    kind = header("content-type") or _JSON
    media, charset = _media_type(kind), kind.lower().partition("charset=")[2].strip(' "') or "utf-8"
    reader = scoring.parse if media == _JSON else _TABLES.get(media)
    if reader is None or charset not in ("utf-8", "utf8"):
        spoken = ", ".join([_JSON, *_TABLES])
        fault = Fault("content-type", f"{kind[:80]!r} found, one of {spoken} in UTF-8 expected")
        raise Unsupported(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, fault)
    try:
        request = reader(body)
    except InvalidInput:
        _check_encoding(header)
        raise
    request = _as_accepted(request, header("accept") or "*/*")
    if isinstance(request, FormedRequest) and request.form is Form.OWN:
        request.form = Form.SCORING
    return request


def _as_accepted(request: InferenceRequest, accept: str) -> InferenceRequest:
    """Arrow for who prefers it to JSON; JSON for who sent Arrow and prefers JSON. Others get what belongs to their request."""
    weights = dict(map(_weighted, reversed(accept.lower().split(","))))
    weight = weights.get(arrow.STREAM, 0.0)
    if isinstance(request, FormedRequest) and request.form is Form.ARROW:
        if weight < weights.get(_JSON, 0.0):
            request.form = Form.OWN
        return request
    if weight == 0.0 or weight < weights.get(_JSON, 0.0):
        return request
    arrow.check_installed()
    return _as_arrow(request)


def _as_arrow(request: InferenceRequest) -> InferenceRequest:
    if isinstance(request, FormedRequest):
        request.form = Form.ARROW
        return request
    told = request.id, request.outputs, request.parameters
    return FormedRequest(request.inputs, request.instances, *told, form=Form.ARROW)


def _weighted(part: str) -> tuple[str, float]:
    """A media type of an Accept header, and its weight."""
    media, _, parameters = part.partition(";")
    weight = parameters.replace(" ", "").removeprefix("q=") if "q=" in parameters else "1"
    try:
        return media.strip(), float(weight)
    except ValueError:
        return media.strip(), 0.0


def _media_type(kind: str) -> str:
    return kind.partition(";")[0].strip().lower()
