"""What a subscriber answers by at one moment: a route and the versions that it has loaded. It never changes; another takes its
place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, cast

import numpy as np

from lockgate.boundary.pointers import Pointer
from lockgate.embedded.assignment import Asked, Assigner, Assignment
from lockgate.embedded.columns import columns_of
from lockgate.embedded.model import Model
from lockgate.embedded.reported import Answer
from lockgate.embedded.signature import names
from lockgate.kernel.errors import InvalidInput, LockgateError, Unavailable

_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Observed:
    """One prediction, for whoever reports. first: by the version that was assigned, and not by the champion in its place.

    rows: as they were given. inputs: of the champion, in whose order the columns of an array stand. scores: as `predict` gives
    them; None if the version failed, and then `failure` says how. seconds: that it took.
    """

    pointer: Pointer
    assignment: Assignment
    version: int
    first: bool
    rows: Any
    inputs: tuple[str, ...]
    scores: Any
    failure: LockgateError | None
    seconds: float

    @property
    def columns(self) -> Mapping[str, Sequence[Any]]:
        return columns_of(self.rows, self.inputs if _is_nameless(self.rows) else ())


Observer = Callable[[Observed], None]


class Answering:
    """pointer: what the channel says. models: those that are ready, by version; the champion is among them. host: whose requests
    all are that bring no unit, where the route tells units apart. unheard: whether nothing was heard of the channel for so long
    that a canary's share goes to the champion and nothing is evidence.
    """

    def __init__(
        self,
        pointer: Pointer,
        models: Mapping[int, Model],
        host: str,
        observer: Observer | None = None,
        unheard: Callable[[], bool] = lambda: False,
    ) -> None:
        self.pointer = pointer
        self.models = dict(models)
        self._host = host
        self._observer = observer
        self._unheard = unheard
        revision = (pointer.revision.epoch, pointer.revision.n)
        champion = pointer.route.champion
        self._inputs = names(self.models[champion.version].signature.inputs) if champion is not None else ()
        ready = frozenset(self.models)
        self._watched = Assigner(pointer.route, revision, ready)
        self._orphaned = Assigner(pointer.route, revision, ready, orphaned=True)

    @property
    def running(self) -> int | None:
        """The version that answers whoever is in no trial; None while the route's champion is not ready."""
        champion = self.pointer.route.champion
        return champion.version if champion is not None and champion.version in self.models else None

    def predict(self, rows: Any, key: str | None, headers: Mapping[str, str]) -> Answer:
        """The version that answered, its scores, and whether the champion did in place of another.

        What the champion refuses is the caller's fault; what only another version refuses is that version's failure.

        Raises:
            InvalidInput: the rows do not fit. RuntimeFailure, Invalid: the version failed, and no other may answer.
        """
        assigner = self._orphaned if self._unheard() else self._watched
        told = {name.lower(): value for name, value in headers.items()} if headers else _NO_HEADERS
        assigned = assigner.assign(Asked(told.get, partial(self._column, rows), key, self._host))
        if assigned is None:
            raise Unavailable(f"no version of {self.pointer.channel} can answer")
        begun = perf_counter()
        try:
            scores = self.models[assigned.version].predict(rows)
        except LockgateError as error:
            return self._instead(self._observed(assigned, rows, begun, failure=error))
        if self._observer is not None:
            self._observer(self._observed(assigned, rows, begun, scores))
        return Answer(assigned.version, scores)

    def _instead(self, failed: Observed) -> Answer:
        """By the champion, if it may. Rows that it refuses too are the caller's fault, and nothing is told of them."""
        champion, failure, rows = failed.assignment.champion, cast("LockgateError", failed.failure), failed.rows
        if champion is None:
            if not isinstance(failure, InvalidInput):
                self._observe(failed)
            raise failure
        begun = perf_counter()
        try:
            scores = self.models[champion].predict(rows)
        except InvalidInput as refused:
            raise refused from failure
        except LockgateError as worse:
            self._observe(failed)
            self._observe(self._observed(failed.assignment, rows, begun, failure=worse, first=False))
            raise worse from failure
        instead = self._observed(failed.assignment, rows, begun, scores, first=False)
        self._observe(failed)
        self._observe(instead)
        return Answer(champion, scores, fallback=True)

    def _observed(
        self,
        assigned: Assignment,
        rows: Any,
        begun: float,
        scores: Any = None,
        failure: LockgateError | None = None,
        *,
        first: bool = True,
    ) -> Observed:
        seconds = perf_counter() - begun
        version = assigned.version if first or assigned.champion is None else assigned.champion
        return Observed(self.pointer, assigned, version, first, rows, self._inputs, scores, failure, seconds)

    def _observe(self, one: Observed) -> None:
        if self._observer is not None:
            self._observer(one)

    def _column(self, rows: Any, name: str) -> Sequence[Any]:
        """The values of an input, one for each row; empty if they cannot be told."""
        return columns_of(rows, self._inputs if _is_nameless(rows) else (name,)).get(name, ())


def _is_nameless(rows: Any) -> bool:
    return isinstance(rows, np.ndarray) and rows.dtype.names is None
