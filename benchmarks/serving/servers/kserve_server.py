"""KServe: a custom model server that does what its scikit-learn server does. `kserve_server.py MODEL --http_port PORT …`.

The sklearnserver package is not published; its model reads the request with the same two functions and calls predict_proba.
"""

from __future__ import annotations

import sys

import joblib
from kserve import InferRequest, InferResponse, Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response


class Scorer(Model):
    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        self.path = path

    def load(self) -> bool:
        self.model = joblib.load(self.path)
        self.ready = True
        return self.ready

    def predict(self, payload: InferRequest, headers: dict[str, str] | None = None) -> InferResponse:  # noqa: ARG002
        return get_predict_response(payload, self.model.predict_proba(get_predict_input(payload)), self.name)


if __name__ == "__main__":
    scorer = Scorer("model", sys.argv[1])
    scorer.load()
    ModelServer().start([scorer])
