"""Answers about the server and its models: health, metadata, versions, statistics, who would answer what."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from msgspec import structs

from lockgate.boundary import histogram
from lockgate.boundary.acknowledgements import Readiness
from lockgate.boundary.routes import Arm, Role, Route
from lockgate.serving.capture.figures import FigureFiles, Figures, VersionFigures, exposition
from lockgate.serving.gateway.assignment import Header, assign
from lockgate.serving.gateway.plan import RoutePlan, versions_of
from lockgate.serving.gateway.router import Router
from lockgate.serving.protocol import metadata, openapi, scoring
from lockgate.serving.protocol.metadata import IndexEntry, Statistics
from lockgate.serving.protocol.problems import Answer, answer, problem
from lockgate.serving.protocol.requests import InferenceRequest

_STATES = {Readiness.READY: "READY", Readiness.LOADING: "LOADING", Readiness.FAILED: "UNAVAILABLE"}
_TEXT = [("content-type", "text/plain; version=0.0.4; charset=utf-8")]


class Describe:
    """figures: this worker's own; files: those of all workers."""

    def __init__(self, router: Router, figures: Figures, files: FigureFiles, version: str) -> None:
        self._router = router
        self._figures = figures
        self._files = files
        self._version = version
        self.draining = False

    @property
    def ready(self) -> bool:
        return self._router.ready and not self.draining

    def server(self) -> Answer:
        return answer(metadata.server(self._version))

    def live(self) -> Answer:
        return answer({"live": True})

    def health(self) -> Answer:
        return answer({"ready": self.ready}, HTTPStatus.OK if self.ready else HTTPStatus.SERVICE_UNAVAILABLE)

    def ping(self) -> Answer:
        return scoring.ping(ready=self.ready)

    def scoring_version(self) -> Answer:
        return scoring.version(self._version)

    def metrics(self) -> Answer:
        return Answer(HTTPStatus.OK, _TEXT, exposition(self._files.together(self._figures)).encode())

    def openapi(self) -> Answer:
        plans = self._router.plan.routes
        known = {model: plan.champion.package.manifest.signature for model, plan in plans.items() if plan.champion is not None}
        return answer(openapi.document(self._version, known))

    def model(self, plan: RoutePlan, version: int | None) -> Answer:
        arm = plan.champion if version is None else plan.by_version.get(version)
        if arm is None:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{_named(plan, version)} is not ready")
        versions = versions_of(plan.route) if version is None else [version]
        return answer(metadata.model(plan.route.model, versions, arm.package.manifest))

    def model_ready(self, plan: RoutePlan, version: int | None) -> Answer:
        """A model is ready when everything that gets its traffic is; a version when it is loaded."""
        ready = self._complete(plan) if version is None else version in plan.by_version
        status = HTTPStatus.OK if ready and not self.draining else HTTPStatus.SERVICE_UNAVAILABLE
        return answer({"name": plan.route.model, "ready": status is HTTPStatus.OK}, status)

    def versions(self, plan: RoutePlan) -> Answer:
        """A segment's own arms name their segment."""
        told, parts = [self._version_of(arm) for arm in by_version(plan.route)], plan.route.parts
        told += [self._version_of(arm) | {"segment": part.segment} for part in parts for arm in by_version(part.route)]
        return answer({"name": plan.route.model, "versions": told})

    def statistics(self, plan: RoutePlan, version: int | None) -> Answer:
        """Of all workers, since the server started."""
        seen = self._files.together(self._figures).versions.get(plan.route.model, {})
        versions = [one for one in versions_of(plan.route) if version is None or one == version]
        told = [_statistics(plan.route.model, one, seen.get(one, VersionFigures())) for one in versions]
        return answer(metadata.statistics(told))

    def route(self, plan: RoutePlan, header: Header, request: InferenceRequest) -> Answer:
        """Who would answer a request, by whose arms and why."""
        assignment = assign(plan, header, request)
        if assignment is None:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"no version of {plan.route.model} is ready to answer")
        told = {
            "model_name": plan.route.model,
            "model_version": str(assignment.arm.version),
            "by": "rule" if assignment.chosen else "unit" if assignment.key else "default",
            "unit": (assignment.part or plan).route.unit,
            "evidence": assignment.judged,
            "revision": str(self._router.plan.revision),
        }
        if plan.segments is not None:
            told |= {"segment": assignment.segment, "arms_of": "model" if assignment.part is None else "segment"}
        return answer(told)

    def index(self) -> list[IndexEntry]:
        states = self._router.packages
        return [
            IndexEntry(plan.route.model, str(version), _STATES[states[digest].readiness], states[digest].reason)
            for plan in self._router.plan.routes.values()
            for version, digest in {arm.version: arm.digest for one in plan.route.with_parts for arm in one.arms}.items()
        ]

    def _complete(self, plan: RoutePlan) -> bool:
        arms = [arm for one in plan.route.with_parts for arm in one.arms if arm.weight > 0 and arm.role is not Role.HELD_BACK]
        return bool(arms) and all(arm.version in plan.by_version for arm in arms)

    def _version_of(self, arm: Arm) -> dict[str, Any]:
        state = self._router.packages[arm.digest]
        told = {"version": str(arm.version), "role": Role(arm.role).value, "weight": arm.weight}
        return told | {"state": _STATES[state.readiness], "reason": state.reason}


def by_version(route: Route) -> list[Arm]:
    """The arms, a version's in one."""
    found: dict[int, Arm] = {}
    for arm in route.arms:
        had = found.get(arm.version)
        found[arm.version] = structs.replace(had, weight=had.weight + arm.weight) if had else arm
    return list(found.values())


def _statistics(model: str, version: int, seen: VersionFigures) -> Statistics:
    failed = sum(seen.failures.values())
    seconds = sum(count * histogram.upper_edge(bucket) for bucket, count in seen.latency.items())
    return Statistics(model, str(version), seen.completed - failed, failed, seconds)


def _named(plan: RoutePlan, version: int | None) -> str:
    return plan.route.model if version is None else f"version {version} of {plan.route.model}"
