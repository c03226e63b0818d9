"""BentoML: a service with one API. Model and batching stand in the environment.

An async method: a sync one goes through a thread, which costs a fifth more on one core. One worker, no access log.
"""

from __future__ import annotations

import os

import bentoml
import joblib
import numpy as np

_BATCHED = os.environ["SCORER_BATCHED"] == "1"


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Scorer:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["SCORER_MODEL"])

    @bentoml.api(batchable=_BATCHED)
    async def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(rows)
