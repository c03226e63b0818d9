"""MLflow's scoring protocol: what `/invocations` takes and gives, so that its clients, and SageMaker's, need no change."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import msgspec

from lockgate.kernel.errors import Fault
from lockgate.serving.protocol.problems import Answer
from lockgate.serving.protocol.requests import (
    Form,
    FormedRequest,
    Header,
    InferenceRequest,
    MatrixRequest,
    TableRequest,
    explained,
    refused,
)

MODEL_HEADER = "x-lockgate-model"
_FORMS = "dataframe_split, dataframe_records, instances and inputs"
_TEXT = [("content-type", "text/plain; charset=utf-8")]


class _Split(msgspec.Struct):
    data: list[list[Any]]
    columns: list[str | int] | None = None


class _Scoring(msgspec.Struct):
    dataframe_split: _Split | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    instances: list[Any] | None = None
    inputs: list[Any] | dict[str, Any] | None = None
    params: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(_Scoring)


def parse(body: bytes) -> InferenceRequest:
    """A request in one of the four JSON forms; answered as MLflow answers.

    Raises:
        InvalidInput: it is none of them, or several; names the field.
    """
    try:
        given = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        given = explained(body, error, _Scoring)
    forms = (given.dataframe_split, given.dataframe_records, given.instances, given.inputs)
    if sum(form is not None for form in forms) != 1:
        raise refused([Fault("", f"expected exactly one of {_FORMS}")])
    if given.params:
        raise refused([Fault("params", "a model here takes its inputs and nothing beside them")])
    if given.dataframe_split is not None:
        return _split(given.dataframe_split)
    if isinstance(given.inputs, dict):
        return _named(given.inputs)
    rows = next(form for form in (given.dataframe_records, given.instances, given.inputs) if form is not None)
    if not rows:
        raise refused([Fault("", "expected at least one row, found none")])
    if all(isinstance(row, dict) for row in rows):
        return FormedRequest(instances=rows, form=Form.SCORING)
    return MatrixRequest(data=rows, form=Form.SCORING)


def _split(split: _Split) -> InferenceRequest:
    names, data = split.columns, split.data
    if names is None or names == list(range(len(names))):  # what pandas calls columns that nobody named
        return MatrixRequest(data=data, form=Form.SCORING)
    faults = [
        Fault(f"dataframe_split.data[{index}]", f"{len(row)} cells found, {len(names)} expected")
        for index, row in enumerate(data)
        if len(row) != len(names)
    ]
    if len(set(names)) != len(names):
        faults.append(Fault("dataframe_split.columns", "a column is named twice"))
    if faults:
        raise refused(faults)
    columns = {str(name): [row[place] for row in data] for place, name in enumerate(names)}
    return TableRequest(columns=columns, rows=len(data), form=Form.SCORING)


def _named(columns: dict[str, Any]) -> TableRequest:
    faults = [
        Fault(f"inputs.{name}", "expected a list with a value for each row")
        for name, cells in columns.items()
        if not isinstance(cells, list)
    ]
    if faults or not columns:
        raise refused(faults or [Fault("inputs", "expected at least one input, found none")])
    return TableRequest(columns=columns, rows=len(next(iter(columns.values()))), form=Form.SCORING)


def model_asked_for(query: str, header: Header, models: Iterable[str]) -> str:
    """The model that `/invocations` means: `?model=NAME`, the header x-lockgate-model, or the only one that there is.

    The name need not be among `models`: whether it is, is asked where models are looked up.

    Raises:
        InvalidInput: none is named, and there is not exactly one.
    """
    try:
        named = parse_qs(query, max_num_fields=20).get("model", [header(MODEL_HEADER) or ""])[-1]
    except ValueError as error:
        raise refused([Fault("query", str(error))]) from error
    known = sorted(models)
    if not named and len(known) != 1:
        raise refused([Fault("model", f"expected ?model=NAME; known are {', '.join(known) or 'none yet'}")])
    return named or known[0]


def ping(*, ready: bool) -> Answer:
    """`/ping` and `/health`: an empty line, as MLflow's server has it; 503 while nothing can be answered, where that says 404."""
    return Answer(int(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE), _TEXT, b"\n")


def version(text: str) -> Answer:
    return Answer(int(HTTPStatus.OK), _TEXT, text.encode())
