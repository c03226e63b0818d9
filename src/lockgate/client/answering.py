"""What a subscriber answers by at one moment: a route and the versions that it has loaded. It never changes; another takes its
place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec import structs

from lockgate.boundary.pointers import Pointer
from lockgate.boundary.routes import Part, Route
from lockgate.boundary.spelling import common_value, spelled
from lockgate.embedded.assignment import Asked, Assigner, Assignment
from lockgate.embedded.columns import columns_of
from lockgate.embedded.model import Model
from lockgate.embedded.signature import names
from lockgate.kernel.errors import InvalidInput, LockgateError, Unavailable

_KEY = "x-lockgate-key"  # stands for the header in which the route's units are, whatever they are


@dataclass(frozen=True, slots=True)
class Observed:
    """One prediction, for whoever reports. first: by the version that was assigned, and not by the champion in its place.

    rows: as they were given. scores: as `predict` gives them; None if the version failed, and then `failure` says how. seconds:
    that it took.
    """

    pointer: Pointer
    assignment: Assignment
    version: int
    first: bool
    rows: Any
    scores: Any
    failure: LockgateError | None
    seconds: float


Observer = Callable[[Observed], None]


class Answering:
    """pointer: what the channel says. models: those that are ready, by version; the champion is among them. host: whose units
    all requests are that bring no key.
    """

    def __init__(self, pointer: Pointer, models: Mapping[int, Model], host: str, observer: Observer | None = None) -> None:
        self.pointer = pointer
        self.models = dict(models)
        self._host = host
        self._observer = observer
        revision = (pointer.revision.epoch, pointer.revision.n)
        champion = pointer.route.champion
        self._inputs = names(self.models[champion.version].signature.inputs) if champion is not None else ()
        self._assigner = Assigner(_by_key(pointer.route), revision, frozenset(self.models))

    @property
    def running(self) -> int | None:
        """The version that answers whoever is in no trial; None while the route's champion is not ready."""
        champion = self.pointer.route.champion
        return champion.version if champion is not None and champion.version in self.models else None

    def predict(self, rows: Any, key: str | None, headers: Mapping[str, str]) -> tuple[int, Any]:
        """The version that answered, and its scores.

        What the champion refuses is the caller's fault; what only another version refuses is that version's failure.

        Raises:
            InvalidInput: the rows do not fit. RuntimeFailure, Invalid: the version failed, and no other may answer.
        """
        assigned = self._assigner.assign(self._asked(rows, key, headers))
        if assigned is None:
            raise Unavailable(f"no version of {self.pointer.channel} can answer")
        tried = self._try(assigned, assigned.version, rows, first=True)
        if tried.failure is None or assigned.champion is None:
            return self._told(tried)
        instead = self._try(assigned, assigned.champion, rows, first=False)
        if isinstance(instead.failure, InvalidInput):
            raise instead.failure
        self._observe(tried)
        return self._told(instead)

    def _try(self, assigned: Assignment, version: int, rows: Any, *, first: bool) -> Observed:
        begun, scores, failure = time.perf_counter(), None, None
        try:
            scores = self.models[version].predict(rows)
        except LockgateError as error:
            failure = error
        return Observed(self.pointer, assigned, version, first, rows, scores, failure, time.perf_counter() - begun)

    def _told(self, tried: Observed) -> tuple[int, Any]:
        if isinstance(tried.failure, InvalidInput):
            raise tried.failure
        self._observe(tried)
        if tried.failure is not None:
            raise tried.failure
        return tried.version, tried.scores

    def _observe(self, tried: Observed) -> None:
        if self._observer is not None:
            self._observer(tried)

    def _asked(self, rows: Any, key: str | None, headers: Mapping[str, str]) -> Asked:
        told = {name.lower(): value for name, value in headers.items()}
        told.pop(_KEY, None)

        def header(name: str) -> str | None:
            return self._unit(rows, key, told) if name == _KEY else told.get(name)

        return Asked(header, lambda name: self._column(rows, name))

    def _unit(self, rows: Any, key: str | None, headers: Mapping[str, str]) -> str:
        """The key that was given; else what stands where the gateway would look for it; else the host's name."""
        if key is not None:
            return key
        place, _, name = self.pointer.route.unit.partition(":")
        if place == "header":
            return headers.get(name.lower()) or self._host
        value = common_value(self._column(rows, name)) if place == "field" else None
        return self._host if value is None else spelled(value)

    def _column(self, rows: Any, name: str) -> Sequence[Any]:
        """The values of an input, one for each row; empty if they cannot be told."""
        nameless = isinstance(rows, np.ndarray) and rows.dtype.names is None
        return columns_of(rows, self._inputs if nameless else (name,)).get(name, ())


def _by_key(route: Route) -> Route:
    """The same route, with units that a program brings as a key."""
    parts = tuple(Part(part.segment, _by_key(part.route)) for part in route.parts)
    return structs.replace(route, unit=f"header:{_KEY}", parts=parts)
