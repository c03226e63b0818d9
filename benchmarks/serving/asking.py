"""Ask a server once about each body before it is measured: an answer that is wrong makes a figure worthless."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from http import HTTPStatus

import numpy as np

from benchmarks.serving.dialects import Dialect
from benchmarks.serving.load import Shot
from benchmarks.serving.models import Rows, Served

TOLERANCE = 1e-5


class Wrong(Exception):
    """An answer was not what the model says."""


def ask(port: int, shot: Shot, user: str = "user-1") -> bytes:
    """The answer's body.

    Raises:
        OSError: nobody listens, or the connection broke. Wrong: the status is not 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", shot.path, shot.body, {**shot.headers, "x-user-id": user})
        answer = connection.getresponse()
        body = answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        raise Wrong(f"status {answer.status}: {body[:200]!r}")
    return body


def check(port: int, model: Served, dialect: Dialect, asked: Sequence[Rows]) -> float:
    """The largest difference from scikit-learn's own probabilities, over all bodies.

    Raises:
        Wrong: it is above 1e-5, or an answer is no answer. OSError: as for `ask`.
    """
    differences = [_difference(port, model, dialect, rows, f"user-{number}") for number, rows in enumerate(asked, 1)]
    return max(differences)


def _difference(port: int, model: Served, dialect: Dialect, rows: Rows, user: str) -> float:
    body = ask(port, dialect.shot(rows), user)
    expected = model.probabilities(rows)
    try:
        found = np.array(dialect.read(body), dtype=np.float64)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise Wrong(f"{type(error).__name__} ({error}) reading {body[:200]!r}") from error
    if found.shape != expected.shape:
        raise Wrong(f"{len(found)} probabilities for {len(expected)} rows")
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:
        raise Wrong(f"probabilities differ by {difference:.2g}, at most {TOLERANCE:g} expected")
    return difference
