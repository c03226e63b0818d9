"""Ray Serve: one deployment with one replica behind its proxy. `ray_server.py MODEL PORT BATCHED`.

A batch closes at 64 requests or after 2 ms. The dashboard is off, it would take a share of the one core; so are access logs.
"""

from __future__ import annotations

import sys
from typing import Any

import joblib
import numpy as np
import ray
from ray import serve
from starlette.requests import Request

_MODEL, _PORT, _BATCHED = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1"
_QUIET = {"enable_access_log": False, "log_level": "WARNING"}


@serve.deployment(num_replicas=1, max_ongoing_requests=100, logging_config=_QUIET)
class Scorer:
    def __init__(self, path: str) -> None:
        self.model = joblib.load(path)

    async def __call__(self, request: Request) -> dict[str, Any]:
        row = np.asarray((await request.json())["input"], dtype=np.float32)
        return {"output": self.model.predict_proba(row[np.newaxis])[0].tolist()}


@serve.deployment(num_replicas=1, max_ongoing_requests=100, logging_config=_QUIET)
class BatchedScorer:
    def __init__(self, path: str) -> None:
        self.model = joblib.load(path)

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.002)
    async def score(self, rows: list[np.ndarray]) -> list[list[float]]:
        return self.model.predict_proba(np.stack(rows)).tolist()

    async def __call__(self, request: Request) -> dict[str, Any]:
        row = np.asarray((await request.json())["input"], dtype=np.float32)
        return {"output": await self.score(row)}


if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": _PORT}, logging_config=_QUIET)
    serve.run((BatchedScorer if _BATCHED else Scorer).bind(_MODEL), blocking=True)
