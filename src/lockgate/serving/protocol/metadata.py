"""What the server says of itself and its models, and what clients may ask of its repository: as the protocol writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from lockgate.boundary.manifest import Manifest, Tensor
from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.serving.protocol import arrow

T = TypeVar("T")
SUBJECT = "the repository request"
NAME = "lockgate"
_EXTENSIONS = ("binary_tensor_data", "model_repository", "statistics", "lockgate_feedback", "mlflow_scoring", "openapi")


def extensions() -> list[str]:
    """Those that are spoken here and now; `arrow` only where its library is installed."""
    return [*_EXTENSIONS, *(["arrow"] if arrow.installed() else [])]


def server(version: str) -> dict[str, Any]:
    return {"name": NAME, "version": version, "extensions": extensions()}


def model(name: str, versions: Sequence[int], manifest: Manifest) -> dict[str, Any]:
    """versions: those that may be asked for by their number. manifest: of the one that is described."""
    signature = manifest.signature
    return {
        "name": name,
        "versions": [str(version) for version in versions],
        "platform": manifest.runtime,
        "inputs": [_tensor(tensor) for tensor in signature.inputs],
        "outputs": [_tensor(tensor) for tensor in signature.outputs],
        "parameters": {"score": signature.score, "score_column": signature.score_column} | _nodes(manifest),
    }


def _nodes(manifest: Manifest) -> dict[str, Any]:
    """Which versions a graph holds."""
    return {"nodes": ", ".join(manifest.options["nodes"])} if manifest.runtime == "graph" else {}


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


class IndexEntry(msgspec.Struct, frozen=True):
    """state: READY, LOADING, UNLOADING or UNAVAILABLE. reason: why, if it is not ready."""

    name: str
    version: str
    state: str
    reason: str = ""


class _IndexRequest(msgspec.Struct):
    ready: bool = False


class _RepositoryRequest(msgspec.Struct):
    parameters: dict[str, Any] = {}


def index(body: bytes, entries: Sequence[IndexEntry]) -> list[IndexEntry]:
    """Raises InvalidInput if the body is neither empty nor a request for the index."""
    wanted = _decoded(body, _IndexRequest)
    return [entry for entry in entries if entry.state == "READY" or not wanted.ready]


def check_repository_request(body: bytes) -> None:
    """A request to load or unload: what it may say changes nothing here, so it may say only what is so anyway.

    Raises:
        InvalidInput: it is no such request, or brings a model's configuration or files: packages are immutable.
    """
    parameters = _decoded(body, _RepositoryRequest).parameters
    faults = [
        Fault(f"parameters.{name[:80]}", "a package brings its own files and settings, and nothing changes them")
        for name in parameters
        if name == "config" or name.startswith("file:")
    ]
    if faults:
        raise InvalidInput(SUBJECT, faults[:20])


def _decoded(body: bytes, wanted: type[T]) -> T:
    if not body.strip():
        return wanted()
    try:
        return msgspec.json.decode(body, type=wanted)
    except RecursionError as error:
        raise InvalidInput(SUBJECT, [Fault("", "the JSON is nested too deeply")]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message, _, path = str(error).partition(" - at `$")
        raise InvalidInput(SUBJECT, [Fault(path.rstrip("`").removeprefix("."), message)]) from error


class Statistics(msgspec.Struct, frozen=True):
    """What one version did since the server started. seconds: of all answers together. last_at: Unix seconds, or 0."""

    name: str
    version: str
    answered: int
    failed: int
    seconds: float
    last_at: float = 0.0


def statistics(versions: Sequence[Statistics]) -> dict[str, Any]:
    """As Triton's statistics extension writes it. Requests count once, whatever their rows; what is not measured apart is 0."""
    return {"model_stats": [_statistics(one) for one in versions]}


def _statistics(one: Statistics) -> dict[str, Any]:
    nothing = {"count": 0, "ns": 0}
    answered = {"count": one.answered, "ns": round(one.seconds * 1e9)}
    return {
        "name": one.name,
        "version": one.version,
        "last_inference": round(one.last_at * 1000),
        "inference_count": one.answered,
        "execution_count": one.answered,
        "inference_stats": {
            "success": answered,
            "fail": {"count": one.failed, "ns": 0},
            "queue": nothing,
            "compute_input": nothing,
            "compute_infer": answered,
            "compute_output": nothing,
            "cache_hit": nothing,
            "cache_miss": nothing,
        },
        "batch_stats": [],
    }
