"""Labels as callers send them: which prediction, what was true, and since when that is known."""

from __future__ import annotations

from datetime import datetime
from math import isfinite

import msgspec

from lockgate.boundary import predictions
from lockgate.boundary.observations import Feedback
from lockgate.kernel.errors import Fault, Invalid, InvalidInput

SUBJECT = "the feedback"
_SHAPE = 'Send {"prediction_id": "…", "label": 1}, with "at" if you like, or a list of such.'
_MOST = 20  # faults that one answer tells of
_LATEST = 253402300799.0  # the end of the year 9999: what comes later was sent in milliseconds


class Label(msgspec.Struct, forbid_unknown_fields=True):
    prediction_id: str
    label: bool | int | float
    at: str | float | None = None  # ISO 8601 with a zone, or Unix seconds


_label = msgspec.json.Decoder(Label)
_list = msgspec.json.Decoder(list[msgspec.Raw])


def parse(body: bytes, secret: bytes, model: str, now: float) -> list[Feedback]:
    """One label or a list of them, each joined with the prediction it speaks of; all of them or none.

    Raises:
        InvalidInput: every fault, with the index of its label.
    """
    faults: list[Fault] = []
    labels: list[Feedback] = []
    seen: dict[str, int] = {}
    for index, (place, text) in enumerate(_given(body)):
        try:
            label = _decoded(text)
            if seen.setdefault(label.prediction_id, index) != index:
                other = f"the same as that of [{seen[label.prediction_id]}]; only one label can hold"
                faults.append(Fault(f"{place}.prediction_id", other))
            labels.append(_feedback(label, secret, model, now))
        except InvalidInput as error:
            faults += [Fault(f"{place}.{one.path}".strip("."), one.message) for one in error.faults]
        except Invalid as error:
            faults.append(Fault(place, error.message))
    if faults:
        raise InvalidInput(SUBJECT, faults[:_MOST], hint=_SHAPE)
    if not labels:
        raise InvalidInput(SUBJECT, [Fault("", "expected at least one label, found an empty list")])
    return labels


def _given(body: bytes) -> list[tuple[str, bytes | msgspec.Raw]]:
    """Each label with its place, not read yet: many thousands read in one go would keep the interpreter from all other work."""
    try:
        return [(f"[{index}]", text) for index, text in enumerate(_list.decode(body))]
    except msgspec.ValidationError:
        return [("", body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from error


def _decoded(text: bytes | msgspec.Raw) -> Label:
    try:
        return _label.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> InvalidInput:
    if isinstance(error, RecursionError):
        return InvalidInput(SUBJECT, [Fault("", "the JSON is nested too deeply")])
    message, _, path = str(error).partition(" - at `$")
    return InvalidInput(SUBJECT, [Fault(path.rstrip("`").removeprefix("."), message)], hint=_SHAPE)


def _feedback(label: Label, secret: bytes, model: str, now: float) -> Feedback:
    prediction = predictions.read(secret, model, label.prediction_id)
    try:
        value = float(label.label)
    except OverflowError:
        value = float("inf")
    if not isfinite(value):
        raise Invalid("label: expected a finite number, or true or false")
    return Feedback(
        prediction_id=label.prediction_id,
        model=model,
        version=prediction.version,
        revision=prediction.revision,
        key=prediction.key,
        score=prediction.score,
        label=value,
        at=_seconds(label.at, now),
        answered_at=prediction.answered_at,
        segment=prediction.segment,
    )


def _seconds(at: str | float | None, now: float) -> float:
    if at is None:
        return now
    if isinstance(at, str):
        try:
            moment = datetime.fromisoformat(at)
        except ValueError as error:
            raise Invalid(f"at: {at[:40]!r} found, ISO 8601 or Unix seconds expected") from error
        if moment.tzinfo is None:
            raise Invalid(f"at: {at[:40]!r} has no time zone; expected one, as in 2013-04-01T12:00:00Z")
        return moment.timestamp()
    if not 0.0 <= at <= _LATEST:
        raise Invalid(f"at: {at} found, Unix seconds expected")
    return float(at)
