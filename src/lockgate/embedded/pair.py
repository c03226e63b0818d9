"""Several versions in one program, of which each unit meets one: by the hash, the fallback and the counting of the gateway.

    pair = Pair([champion, candidate], route, revision, reporter)
    pair.predict(row, key="customer-7")

A rollout is judged by what a pair reports exactly as by what a gateway reports, because the pair assigns by the route that the
control plane published and says under which revision it did. A pair that chooses for itself (`split`) has no such revision: what
it reports is for people to see, and no evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from lockgate.embedded.assignment import Assigner, Assignment, asked
from lockgate.embedded.columns import columns_of
from lockgate.embedded.plain_routes import PlainArm, PlainRoute, read_route
from lockgate.embedded.reported import Answer, AnyModel, input_names
from lockgate.embedded.reporter import Reporter
from lockgate.embedded.tallies import UNASSIGNED, AnyRoute
from lockgate.embedded.telling import listed, tell
from lockgate.kernel.errors import Invalid, InvalidInput, LockgateError, Unavailable

Columns = Mapping[str, Sequence[Any]]
_NO_HEADERS: Mapping[str, str] = {}


class Pair:
    """Any thread may ask. models: of one name, by their versions. route: as JSON gives it, or read; revision: of the table that
    it is from. reporter: who is told; None: nobody. timer: seconds, on a clock that never jumps.

    Raises:
        Invalid: the models are of different names, or the route is another model's, or none of the models may answer by it.
    """

    def __init__(
        self,
        models: Sequence[AnyModel],
        route: AnyRoute | Mapping[str, Any],
        revision: tuple[int, int],
        reporter: Reporter | None = None,
        *,
        timer: Callable[[], float] = perf_counter,
    ) -> None:
        self._models = {model.version: model for model in models}
        self._names = tuple(dict.fromkeys(name for model in models for name in input_names(model)))
        self._reporter = reporter
        self._timer = timer
        self._before: int | None = None
        self.follow(route, revision)

    @classmethod
    def split(cls, champion: AnyModel, candidate: AnyModel, weight: float, salt: str, reporter: Reporter | None = None) -> Pair:
        """By a weight of the program's own. weight: share of units, 0..1, that the candidate answers. salt: another one deals the
        units anew. Units are those that are given as `key`.
        """
        arms = (
            PlainArm(candidate.version, "canary", weight),
            PlainArm(champion.version, "champion", 1.0 - weight),
        )
        return cls([champion, candidate], PlainRoute(champion.name, arms, salt=salt, unit="header:key"), UNASSIGNED, reporter)

    def follow(self, route: AnyRoute | Mapping[str, Any], revision: tuple[int, int]) -> None:
        """Assign by this route from now on. Whoever asks meanwhile is answered by the one before, or by this one.

        Raises:
            Invalid: as above.
        """
        told = read_route(route) if isinstance(route, Mapping) else route
        names = {model.name for model in self._models.values()} | {told.model}
        if len(names) > 1:
            raise Invalid(f"models and a route of {', '.join(sorted(names))} found, all of one expected")
        assigner = Assigner(told, revision, frozenset(self._models), before=self._before)
        if assigner.champion is None:
            known = ", ".join(map(str, sorted(self._models)))
            raise Invalid(f"the route names none of the versions that are here: {known}")
        self._before = assigner.champion
        self._assigner = assigner

    def predict(self, rows: Any, key: str | None = None, *, headers: Mapping[str, str] = _NO_HEADERS) -> Any:
        """The judged score, as the version that answers gives it. Raises as `answer`."""
        return self.answer(rows, key, headers=headers).scores

    def answer(self, rows: Any, key: str | None = None, *, headers: Mapping[str, str] = _NO_HEADERS) -> Answer:
        """key: whose request it is; the same key meets the same version, here and at the gateway. Without one the unit is looked
        for where the route says: among `headers`, or in the rows.

        Raises:
            InvalidInput: the rows do not fit. LockgateError: the version failed, and no other may answer.
        """
        assigner = self._assigner
        columns = columns_of(rows, self._names)
        found = assigner.assign(asked(columns, headers, key))
        if found is None:
            raise Unavailable(f"no version of {assigner.route.model} can answer")
        timeout = assigner.route.timeout
        begun = self._timer()
        try:
            scores = self._models[found.version].predict(rows)
        except LockgateError as error:
            return self._instead(found, rows, columns, error, timeout)
        ids = self._tell(found, listed(scores), self._timer() - begun, columns, timeout)
        return Answer(found.version, scores, ids)

    def _instead(self, found: Assignment, rows: Any, columns: Columns, error: LockgateError, timeout: float) -> Answer:
        """By the champion. Rows that it refuses too are the caller's fault, and nothing is told of them."""
        if found.champion is None:
            if not isinstance(error, InvalidInput):
                self._tell(found, error, 0.0, columns, timeout)
            raise error
        begun = self._timer()
        try:
            scores = self._models[found.champion].predict(rows)
        except InvalidInput as refused:
            raise refused from error
        except LockgateError as worse:
            self._tell(found, error, 0.0, columns, timeout)
            self._tell(found, worse, 0.0, columns, timeout, first=False)
            raise worse from error
        seconds = self._timer() - begun
        self._tell(found, error, 0.0, columns, timeout)
        ids = self._tell(found, listed(scores), seconds, columns, timeout, first=False)
        return Answer(found.champion, scores, ids, fallback=True)

    def _tell(
        self,
        found: Assignment,
        outcome: list[float] | LockgateError,
        seconds: float,
        columns: Columns,
        timeout: float,
        *,
        first: bool = True,
    ) -> tuple[str, ...]:
        if self._reporter is None:
            return ()
        return tell(self._reporter, found, outcome, seconds, columns, first=first, timeout=timeout)

    def label(self, prediction_id: str, label: float, at: float | None = None) -> None:
        """See Reporter.label."""
        if self._reporter is not None:
            self._reporter.label(prediction_id, label, at)
