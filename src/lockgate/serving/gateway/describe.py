"""Answers about the server and its models: health, metadata, versions, repository index."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from lockgate.boundary.acknowledgements import Readiness
from lockgate.boundary.manifest import Tensor
from lockgate.boundary.routes import Arm, Role
from lockgate.serving.gateway.plan import RoutePlan
from lockgate.serving.gateway.router import Router
from lockgate.serving.protocol.problems import Answer, answer, problem

PLATFORM = "onnx"
_STATES = {Readiness.READY: "READY", Readiness.LOADING: "LOADING", Readiness.FAILED: "UNAVAILABLE"}


class Describe:
    def __init__(self, router: Router, version: str) -> None:
        self._router = router
        self._version = version
        self.draining = False

    @property
    def ready(self) -> bool:
        return self._router.ready and not self.draining

    def server(self) -> Answer:
        return answer({"name": "lockgate", "version": self._version, "extensions": []})

    def live(self) -> Answer:
        return answer({"live": True})

    def health(self) -> Answer:
        return answer({"ready": self.ready}, HTTPStatus.OK if self.ready else HTTPStatus.SERVICE_UNAVAILABLE)

    def model(self, plan: RoutePlan, version: int | None) -> Answer:
        arm = plan.champion if version is None else plan.by_version.get(version)
        if arm is None:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{_named(plan, version)} is not ready")
        signature = arm.package.manifest.signature
        return answer(
            {
                "name": plan.route.model,
                "versions": [str(one.version) for one in plan.route.arms] if version is None else [str(version)],
                "platform": PLATFORM,
                "inputs": [_tensor(tensor) for tensor in signature.inputs],
                "outputs": [_tensor(tensor) for tensor in signature.outputs],
                "parameters": {"score": signature.score, "score_column": signature.score_column},
            }
        )

    def model_ready(self, plan: RoutePlan, version: int | None) -> Answer:
        """A model is ready when everything that gets its traffic is; a version when it is loaded."""
        ready = self._complete(plan) if version is None else version in plan.by_version
        status = HTTPStatus.OK if ready and not self.draining else HTTPStatus.SERVICE_UNAVAILABLE
        return answer({"name": plan.route.model, "ready": status is HTTPStatus.OK}, status)

    def versions(self, plan: RoutePlan) -> Answer:
        return answer({"name": plan.route.model, "versions": [self._version_of(arm) for arm in plan.route.arms]})

    def index(self) -> Answer:
        return answer(
            [
                {"name": plan.route.model, "version": str(arm.version), **self._state(arm)}
                for plan in self._router.plan.routes.values()
                for arm in plan.route.arms
            ]
        )

    def _complete(self, plan: RoutePlan) -> bool:
        weighted = [arm for arm in plan.route.arms if arm.weight > 0]
        return bool(weighted) and all(arm.version in plan.by_version for arm in weighted)

    def _version_of(self, arm: Arm) -> dict[str, Any]:
        return {"version": str(arm.version), "role": Role(arm.role).value, "weight": arm.weight, **self._state(arm)}

    def _state(self, arm: Arm) -> dict[str, str]:
        state = self._router.packages[arm.digest]
        return {"state": _STATES[state.readiness], "reason": state.reason}


def _named(plan: RoutePlan, version: int | None) -> str:
    return plan.route.model if version is None else f"version {version} of {plan.route.model}"


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
