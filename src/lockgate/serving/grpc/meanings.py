"""What the calls mean that are no inference: the request over HTTP that asks the same, and how its answer becomes a message.

They are asked a few times a minute, so what they cost matters little; that both protocols say the same of a model matters more.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from lockgate.serving.grpc.answers import PROTOBUF
from lockgate.serving.grpc.call import model_path
from lockgate.serving.grpc.messages import HEALTH, INFERENCE
from lockgate.serving.grpc.schema import Method
from lockgate.serving.protocol.problems import PROBLEM, Answer, problem

_EXTENSIONS = ("model_repository",)  # those that are spoken over gRPC too
_SERVING, _NOT_SERVING = 1, 2
_KNOWN = ("", INFERENCE.service)  # services whose health can be asked for


def _no_body(_: Any) -> bytes:
    return b""


class Meaning(NamedTuple):
    """asked: the path, by the message; a message with nothing in it tells what is asked before it has come.

    told: what the answer's message is made of, by the JSON of the answer over HTTP.
    """

    verb: str
    asked: Callable[[Any], str]
    told: Callable[[Any], dict[str, Any]]
    body: Callable[[Any], bytes] = _no_body


def answer_of(method: Method, meaning: Meaning, message: Any, answer: Answer) -> Answer:
    """The answer to a call, by what was answered over HTTP. «Not ready» is an answer; what is a problem there stays one."""
    if answer.headers[: len(PROBLEM)] == PROBLEM:
        return answer
    if method.request is HEALTH["HealthCheckRequest"] and message.service not in _KNOWN:
        return problem(HTTPStatus.NOT_FOUND, f"there is no service {message.service[:80]!r} here; known is {INFERENCE.service}")
    told = method.answer(**meaning.told(msgspec.json.decode(answer.body)))
    return Answer(int(HTTPStatus.OK), [("content-type", PROTOBUF)], told.SerializeToString())


def _change(verb: str) -> Meaning:
    return Meaning(
        "POST",
        lambda message: f"/v2/repository/models/{quote(message.model_name, safe='')}/{verb}",
        lambda _: {},
        lambda message: msgspec.json.encode({"parameters": dict.fromkeys(message.parameters)}),  # only their names matter
    )


_OF_INFERENCE = {
    "ServerLive": Meaning("GET", lambda _: "/v2/health/live", lambda told: told),
    "ServerReady": Meaning("GET", lambda _: "/v2/health/ready", lambda told: told),
    "ModelReady": Meaning(
        "GET",
        lambda message: model_path(message.name, message.version, "ready"),
        lambda told: {"ready": told["ready"]},
    ),
    "ServerMetadata": Meaning(
        "GET",
        lambda _: "/v2",
        lambda told: told | {"extensions": [one for one in told["extensions"] if one in _EXTENSIONS]},
    ),
    "ModelMetadata": Meaning(
        "GET",
        lambda message: model_path(message.name, message.version, ""),
        lambda told: {name: told[name] for name in ("name", "versions", "platform", "inputs", "outputs")},
    ),
    "RepositoryIndex": Meaning(
        "POST",
        lambda _: "/v2/repository/index",
        lambda told: {"models": told},
        lambda message: msgspec.json.encode({"ready": message.ready}),
    ),
    "RepositoryModelLoad": _change("load"),
    "RepositoryModelUnload": _change("unload"),
}
_CHECK = Meaning("GET", lambda _: "/v2/health/ready", lambda told: {"status": _SERVING if told["ready"] else _NOT_SERVING})

INFER = f"/{INFERENCE.service}/ModelInfer"
METHODS: dict[str, Method] = INFERENCE.methods | HEALTH.methods
MEANINGS: dict[str, Meaning] = {
    **{f"/{INFERENCE.service}/{name}": meaning for name, meaning in _OF_INFERENCE.items()},
    f"/{HEALTH.service}/Check": _CHECK,
}
