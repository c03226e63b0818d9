"""The least that can answer: Granian, msgspec, onnxruntime, nothing between. `python -m benchmarks.serving.bare PORT MODEL.onnx`.

What it does not do is what a gateway costs: no check of a value, no routing, no record, no metrics.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import numpy as np
import onnxruntime
from granian import Granian
from granian.constants import HTTPModes, Interfaces

_DTYPES = {"FP32": np.float32, "BYTES": np.object_}
_HEADERS = [("content-type", "application/json")]


def application() -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(sys.argv[2], options, providers=["CPUExecutionProvider"])
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode

    async def answer(_: Any, protocol: Any) -> None:
        inputs = decode(await protocol())["inputs"]
        feeds = {one["name"]: np.array(one["data"], dtype=_DTYPES[one["datatype"]]).reshape(one["shape"]) for one in inputs}
        scores = session.run(["probabilities"], feeds)[0]
        output = {"name": "probabilities", "datatype": "FP32", "shape": scores.shape, "data": scores.ravel().tolist()}
        protocol.response_bytes(200, _HEADERS, encode({"outputs": [output]}))

    return answer


def main() -> None:
    port = int(sys.argv[1])
    server = Granian(
        "bare", port=port, interface=Interfaces.RSGI, http=HTTPModes.http1, websockets=False, log_enabled=False, backlog=1024
    )
    server.serve(target_loader=application, wrap_loader=False)


if __name__ == "__main__":
    main()
