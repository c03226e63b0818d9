"""Calls to a data plane over gRPC, with Triton's client, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from tests.integration.serving.data_plane import CARRIER, DISTANCE, MODEL, DataPlane, wait_for

SECONDS = 30.0  # for a call: the machine may be busy


class Refused(NamedTuple):
    """Why a call was not answered: the name of the code, the message, and what trailed it."""

    code: str
    message: str
    trailing: dict[str, Any]


def grpc_port(plane: DataPlane) -> int:
    return int(wait_for(lambda: [one["port"] for one in list(plane.events) if one["event"] == "grpc listening"], "gRPC", 30)[0])


@contextmanager
def client(plane: DataPlane, **more: Any) -> Iterator[Any]:
    from tritonclient.grpc import InferenceServerClient

    with InferenceServerClient(f"127.0.0.1:{grpc_port(plane)}", **more) as one:
        yield one


@contextmanager
def channel(plane: DataPlane) -> Iterator[Any]:
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{grpc_port(plane)}") as one:
        yield one


def inputs(*rows: tuple[float, str | bytes]) -> list[Any]:
    """The inputs of the tests' model, as Triton's client sends them: as bytes."""
    from tritonclient.grpc import InferInput

    texts = [row[1].encode() if isinstance(row[1], str) else row[1] for row in rows]
    distance, carrier = InferInput(DISTANCE, [len(rows), 1], "FP32"), InferInput(CARRIER, [len(rows), 1], "BYTES")
    distance.set_data_from_numpy(np.array([[row[0]] for row in rows], np.float32))
    carrier.set_data_from_numpy(np.array([[text] for text in texts], object))
    return [distance, carrier]


def typed(*rows: tuple[float, str], **fields: Any) -> Any:
    """The same as a message with its values in their fields."""
    from tritonclient.grpc.service_pb2 import ModelInferRequest

    message = ModelInferRequest(model_name=MODEL, **fields)
    distance = message.inputs.add(name=DISTANCE, datatype="FP32", shape=[len(rows), 1])
    distance.contents.fp32_contents.extend(row[0] for row in rows)
    carrier = message.inputs.add(name=CARRIER, datatype="BYTES", shape=[len(rows), 1])
    carrier.contents.bytes_contents.extend(row[1].encode() for row in rows)
    return message


def sent(one: Any, method: str, message: Any, metadata: Sequence[tuple[str, str]] = (), seconds: float = SECONDS) -> Any:
    """The answer to a message, or why there is none. message: what Triton's client makes, or bytes."""
    import grpc
    from tritonclient.grpc import service_pb2

    answer = getattr(service_pb2, f"{method}Response")
    call = one.unary_unary(
        f"/inference.GRPCInferenceService/{method}",
        request_serializer=lambda given: given if isinstance(given, bytes) else given.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    try:
        return call(message, metadata=metadata, timeout=seconds)
    except grpc.RpcError as error:
        return Refused(error.code().name, error.details(), dict(error.trailing_metadata() or ()))


def ids_of(answer: Any) -> list[str]:
    """The prediction ids of an answer's message, one for each row."""
    told = answer.parameters
    return [told["prediction_id"].string_param] if "prediction_id" in told else told["prediction_ids"].string_param.split(",")
