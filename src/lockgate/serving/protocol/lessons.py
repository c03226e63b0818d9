"""Lessons as callers send them: rows as for an inference, with what was true of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from math import isfinite
from typing import Any, NamedTuple

import msgspec

from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.serving.protocol import requests, scoring
from lockgate.serving.protocol.columns import Decoder
from lockgate.serving.protocol.parsing import check_json
from lockgate.serving.protocol.requests import ABSENT, Header, InferenceRequest, explained, refused

MOST_ROWS = 10_000  # of one request
LONGEST_ID = 100  # characters
_SHAPE = 'Send rows as for predictions, and what was true of each: {"instances": [{…}, {…}], "labels": [1, 0]}.'
_NUMBERS: frozenset[type] = frozenset({float, int, bool})
_CALLED = {type(None): "null", str: "text", list: "an array", dict: "an object"}


class _Told(msgspec.Struct):
    """What stands beside the rows; and whether these are in one of pandas' forms."""

    labels: list[Any] = ABSENT
    id: str | None = None
    dataframe_split: Any = None
    dataframe_records: Any = None


class Taught(NamedTuple):
    """id: the caller's own, if there is one. inputs: columns, as the runtime sees them. labels: one for each row."""

    id: str | None
    inputs: dict[str, list[Any]]
    labels: tuple[float, ...]


class TooLarge(InvalidInput):
    """More than one request may hold."""

    def __init__(self, found: str) -> None:
        super().__init__(requests.SUBJECT, [Fault("", found)], hint="Send fewer rows in one request.")


_decoder = msgspec.json.Decoder(_Told)


def parse(body: bytes, header: Header, decoder: Decoder) -> Taught:
    """A request to learn. decoder: of the version by whose signature the rows are read, as it reads them for predictions.

    Raises:
        Unsupported: it comes in a form that is not read here. TooLarge: more rows than `MOST_ROWS`.
        InvalidInput: every fault of rows, labels and id, each with its field.
    """
    check_json(header)
    told = _told(body)
    if len(told.labels) > MOST_ROWS:
        raise TooLarge(f"{len(told.labels)} rows found, at most {MOST_ROWS} expected")
    faults = [*_faults_of_id(told.id), *_faults_of_labels(told.labels)]
    try:
        batch = decoder.decode(_rows(body, told))
    except InvalidInput as error:
        raise refused(chain(error.faults, faults), hint=error.hint or _SHAPE) from error
    if told.labels is not ABSENT and len(told.labels) != batch.rows:
        faults.insert(0, Fault("labels", f"{len(told.labels)} found, one for each of {batch.rows} rows expected"))
    if faults:
        raise refused(faults, hint=_SHAPE)
    inputs = {name: batch.feeds[name].reshape(-1).tolist() for name in batch.names}
    return Taught(told.id, inputs, tuple(map(float, told.labels)))


def _told(body: bytes) -> _Told:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return explained(body, error, _Told)


def _rows(body: bytes, told: _Told) -> InferenceRequest:
    if told.dataframe_split is None and told.dataframe_records is None:
        return requests.parse(body)
    return scoring.parse(body)


def _faults_of_id(given: str | None) -> Iterator[Fault]:
    if given is not None and not (0 < len(given) <= LONGEST_ID and given.isprintable()):
        yield Fault("id", f"{given[:40]!r} found, 1 to {LONGEST_ID} printable characters expected")


def _faults_of_labels(labels: Sequence[Any]) -> Iterable[Fault]:
    if labels is ABSENT:
        return [Fault("labels", "what was true is missing; a number, or true or false, for each row expected")]
    if _NUMBERS.issuperset(map(type, labels)) and all(map(_is_finite, labels)):
        return []
    told = ((index, _fault_of_label(label)) for index, label in enumerate(labels))
    return (Fault(f"labels[{index}]", fault) for index, fault in told if fault is not None)


def _fault_of_label(label: Any) -> str | None:
    if type(label) not in _NUMBERS:
        return f"expected a number, or true or false, got {_CALLED.get(type(label), type(label).__name__)}"
    if not _is_finite(label):
        return f"{label if isinstance(label, float) else 'a number beyond all floats'} found, a finite number expected"
    return None


def _is_finite(number: float) -> bool:
    try:
        return isfinite(number)
    except OverflowError:
        return False
