"""LitServe: decode, predict, encode. `litserve_server.py MODEL PORT BATCHED`.

One worker, one API server, the queue that it recommends above 100 requests a second, no access log. A batch closes at 64
requests or after 2 ms.
"""

from __future__ import annotations

import sys
from typing import Any

import joblib
import litserve
import numpy as np

_MODEL, _PORT, _BATCHED = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1"


class Scorer(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002 - the library calls it so
        self.model = joblib.load(_MODEL)

    def decode_request(self, request) -> np.ndarray:  # noqa: ANN001 - a type here would be taken for the body's schema
        return np.asarray(request["input"], dtype=np.float32)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(x) if _BATCHED else self.model.predict_proba(x[np.newaxis])[0]

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        return {"output": output.tolist()}


if __name__ == "__main__":
    api = Scorer(max_batch_size=64, batch_timeout=0.002) if _BATCHED else Scorer()
    server = litserve.LitServer(api, accelerator="cpu", devices=1, workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=_PORT, num_api_servers=1, log_level="warning", generate_client_file=False)
