"""The OpenAPI document is valid, its examples are what it says and what the code reads; so is what the server tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from lockgate.boundary.manifest import Golden, Lineage, Manifest, Tensor
from lockgate.kernel.errors import InvalidInput
from lockgate.serving.protocol import metadata, openapi
from lockgate.serving.protocol.columns import Decoder
from lockgate.serving.protocol.lessons import parse as parse_lesson
from lockgate.serving.protocol.parsing import parse_scoring
from lockgate.serving.protocol.problems import refusal
from tests.unit.serving.protocol_samples import DATATYPES, decoded, signature

ODD = "flight delays/ü"
SIGNED = signature(
    *(Tensor(name.lower(), name, (-1, 1)) for name in DATATYPES), Tensor("v", "FP64", (-1, 3)), Tensor("t", "BYTES", (-1, -1, 2))
)
DOCUMENT = json.loads(msgspec.json.encode(openapi.document("1.2.3", {"delays": SIGNED, ODD: SIGNED})))


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, operation


def contents(node: Any) -> Iterator[dict[str, Any]]:
    """Every media type object, wherever it stands."""
    if isinstance(node, dict):
        yield from node.get("content", {}).values()
        for value in node.values():
            yield from contents(value)


def examples(content: dict[str, Any]) -> list[Any]:
    alone = [content["example"]] if "example" in content else []
    return alone + [one["value"] for one in content.get("examples", {}).values()]


def schema(node: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({**node, "components": DOCUMENT["components"]})


def test_the_document_is_valid_openapi() -> None:
    OPENAPI_31_VALIDATOR.validate(DOCUMENT)
    for component in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate(component)
    names = [operation["operationId"] for _, operation in operations()]
    assert len(set(names)) == len(names)


def test_without_models_it_is_valid_too() -> None:
    OPENAPI_31_VALIDATOR.validate(openapi.document("1"))


def test_every_reference_leads_somewhere() -> None:
    for reference in {part.split('"')[0] for part in json.dumps(DOCUMENT).split('"$ref": "')[1:]}:
        node: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
        assert node


def test_every_path_parameter_is_told_and_every_operation_answers() -> None:
    for path, operation in operations():
        told = [*DOCUMENT["paths"][path].get("parameters", []), *operation.get("parameters", [])]
        assert {name for name in ("model", "version") if f"{{{name}}}" in path} <= {one["$ref"].rsplit("/", 1)[1] for one in told}
        assert any(status.startswith("2") for status in operation["responses"])


def test_examples_are_what_the_schemas_say() -> None:
    found = [(content["schema"], example) for content in contents(DOCUMENT) for example in examples(content)]
    assert len(found) >= 20
    for told, example in found:
        schema(told).validate(example)


@pytest.mark.parametrize("path", ["/v2/models/delays/infer", "/v2/models/flight%20delays%2F%C3%BC/infer"])
def test_the_examples_of_a_model_are_read_by_its_decoder(path: str) -> None:
    bodies = examples(DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"])
    assert [list(body) for body in bodies] == [["inputs"], ["instances"]]
    for body in bodies:
        assert decoded(Decoder(SIGNED), body).rows == 1


SPOILED: dict[str, Callable[[Any, Any], object]] = {
    "datatype": lambda columns, _: columns["inputs"][0].update(datatype="FP8"),
    "shape": lambda columns, _: columns["inputs"][0].update(shape=[1, 2]),
    "an input fewer": lambda columns, _: columns["inputs"].pop(),
    "an input twice": lambda columns, _: columns["inputs"].__setitem__(1, columns["inputs"][0]),
    "a field fewer": lambda _, rows: rows["instances"][0].pop("fp32"),
    "a string": lambda _, rows: rows["instances"][0].update(fp32="1"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_does_not_fit_the_model_does_not_fit_its_schema(what: str) -> None:
    content = DOCUMENT["paths"]["/v2/models/delays/infer"]["post"]["requestBody"]["content"]["application/json"]
    columns, rows = deepcopy(examples(content))
    SPOILED[what](columns, rows)
    assert [schema(content["schema"]).is_valid(body) for body in (columns, rows)].count(False) == 1


def test_the_examples_of_scoring_are_read() -> None:
    known = Decoder(signature(Tensor("distance", "FP32", (-1, 1)), Tensor("carrier", "BYTES", (-1, 1))))
    for kind, content in DOCUMENT["paths"]["/invocations"]["post"]["requestBody"]["content"].items():
        for example in examples(content):
            body = example.encode() if isinstance(example, str) else json.dumps(example).encode()
            assert known.decode(parse_scoring(body, {"content-type": kind}.get)).rows == 1


def test_problems_are_as_told_and_have_the_protocols_error() -> None:
    with pytest.raises(InvalidInput) as caught:
        decoded(Decoder(SIGNED), {"inputs": []})
    answer = refusal(caught.value)
    content = json.loads(answer.body)
    schema({"$ref": "#/components/schemas/Problem"}).validate(content)
    assert answer.status == content["status"] == 400
    assert content["error"] == content["detail"]


MANIFEST = Manifest("delays", "onnx", (), SIGNED, Golden({}, [], 0.0), Lineage("run", None, False, "t", {}, {}))  # noqa: FBT003


def test_what_the_server_says_of_itself_is_as_told() -> None:
    def check(name: str, content: object) -> Any:
        found = json.loads(msgspec.json.encode(content))
        schema({"$ref": f"#/components/schemas/{name}"}).validate(found)
        return found

    assert "binary_tensor_data" in check("ServerMetadata", metadata.server("1.2.3"))["extensions"]
    model = check("ModelMetadata", metadata.model("delays", [1, 2], MANIFEST))
    assert (model["versions"], model["platform"]) == (["1", "2"], "onnx")
    assert model["inputs"][-1] == {"name": "t", "datatype": "BYTES", "shape": [-1, -1, 2]}
    counted = metadata.Statistics("delays", "2", answered=10, failed=1, seconds=0.5, last_at=2.0)
    (stats,) = check("Statistics", metadata.statistics([counted]))["model_stats"]
    assert (stats["inference_count"], stats["last_inference"]) == (10, 2000)
    assert stats["inference_stats"]["success"] == {"count": 10, "ns": 500_000_000}
    assert stats["inference_stats"]["fail"]["count"] == 1


def test_the_index_may_be_limited_to_what_is_ready() -> None:
    entries = [metadata.IndexEntry("a", "1", "READY"), metadata.IndexEntry("a", "2", "UNAVAILABLE", "damaged")]
    for body in (b"", b" ", b"{}", b'{"ready": false}', b'{"repository_name": ""}'):
        assert metadata.index(body, entries) == entries
    assert metadata.index(b'{"ready": true}', entries) == entries[:1]


@pytest.mark.parametrize("body", [b"[", b"[]", b'{"ready": 1}', b'{"ready": ' + b"[" * 100_000])
def test_a_request_for_the_index_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        metadata.index(body, [])


def test_loading_takes_no_other_files_than_the_packages() -> None:
    for body in (b"", b"{}", b'{"parameters": {"unload_dependents": true}}'):
        metadata.check_repository_request(body)
    for body in (
        b'{"parameters": {"config": "{}"}}',
        b'{"parameters": {"file:1/model.onnx": "AA=="}}',
        b"{",
        b'{"parameters": 1}',
    ):
        with pytest.raises(InvalidInput):
            metadata.check_repository_request(body)


def test_the_examples_of_lessons_are_read_and_their_schema_wants_one_form() -> None:
    known = Decoder(signature(Tensor("distance", "FP32", (-1, 1)), Tensor("carrier", "BYTES", (-1, 1))))
    content = DOCUMENT["paths"]["/v2/models/{model}/learn"]["post"]["requestBody"]["content"]["application/json"]
    for example in examples(content):
        assert len(parse_lesson(json.dumps(example).encode(), lambda _: None, known).labels) == 1
        for spoiled in (
            {**example, "labels": ["late"]},
            {**example, "instances": [{"a": 1}], "dataframe_records": [{"a": 1}]},
            {"labels": [1]},
        ):
            assert not schema(content["schema"]).is_valid(spoiled)
