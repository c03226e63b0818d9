"""Lessons as callers send them: read as for predictions, value by value; every fault has its field; what is accepted is kept."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature, Tensor
from lockgate.boundary.observations import Lesson
from lockgate.boundary.routes import Arm, Revision, Role, Route, RouteTable
from lockgate.kernel.errors import InvalidInput
from lockgate.serving.capture.tally import Tally
from lockgate.serving.gateway.accepting import Accepting
from lockgate.serving.gateway.intake import LARGE
from lockgate.serving.gateway.lessons import LARGEST, LessonDesk
from lockgate.serving.gateway.package import Engine, package_of
from lockgate.serving.gateway.plan import Packages, Plan, RoutePlan, make_plan
from lockgate.serving.protocol.columns import Decoder
from lockgate.serving.protocol.lessons import LONGEST_ID, MOST_ROWS, Taught, TooLarge, parse
from lockgate.serving.protocol.parsing import parse as parse_infer
from lockgate.serving.protocol.parsing import parse_scoring
from lockgate.serving.protocol.problems import Answer
from lockgate.serving.protocol.requests import Unsupported
from tests.unit.serving.capture import Desk, die
from tests.unit.serving.protocol_samples import DATATYPES, tensor, values_of_type

SIGNED = Signature(tuple(Tensor(name.lower(), name, (-1, 1)) for name in DATATYPES), (Tensor("y", "FP32", (-1, 1)),), "y")
DECODER = Decoder(SIGNED)
SIMPLE = Signature((Tensor("x", "FP32", (-1, 1)), Tensor("s", "BYTES", (-1, 1))), (Tensor("y", "FP32", (-1, 1)),), "y")
ROWS = [{"x": 0.1, "s": "AA"}, {"x": 2, "s": "ü"}]
FLOAT32 = [float(np.float32(0.1)), 2.0]


def read(content: object, **headers: str) -> Taught:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return parse(body, {name.replace("_", "-"): value for name, value in headers.items()}.get, Decoder(SIMPLE))


def faults(content: object) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        read(content)
    return {fault.path: fault.message for fault in caught.value.faults}


_row = st.fixed_dictionaries({name.lower(): values_of_type(name) for name in DATATYPES})


@settings(max_examples=40)
@given(st.lists(_row, min_size=1, max_size=3), st.data())
def test_in_every_form_the_values_are_those_that_the_runtime_would_see(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    names = list(DECODER.names)
    labels = data.draw(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=len(rows), max_size=len(rows)))
    tensors = [tensor(name.lower(), name, [len(rows), 1], [row[name.lower()] for row in rows]) for name in DATATYPES]
    table = [[row[name] for name in names] for row in rows]
    for content, as_answers in (
        ({"inputs": tensors}, parse_infer),
        ({"instances": rows}, parse_infer),
        ({"dataframe_split": {"columns": names, "data": table}}, parse_scoring),
        ({"dataframe_split": {"data": table}}, parse_scoring),
        ({"dataframe_records": rows}, parse_scoring),
    ):
        seen = DECODER.decode(as_answers(json.dumps(content).encode(), lambda _: None)).feeds
        taught = parse(json.dumps({**content, "labels": labels}).encode(), lambda _: None, DECODER)
        assert tuple(taught) == (None, {name: seen[name].reshape(-1).tolist() for name in names}, tuple(labels))
        assert str(taught.inputs) == str({name: seen[name].reshape(-1).tolist() for name in DECODER.names})  # -0.0 is not 0.0


def test_numbers_are_rounded_as_for_the_runtime_and_truths_are_numbers() -> None:
    taught = read({"instances": ROWS, "labels": [True, 0], "id": "mine"})
    assert tuple(taught) == ("mine", {"x": FLOAT32, "s": ["AA", "ü"]}, (1.0, 0.0))
    assert [type(label) for label in taught.labels] == [float, float]


BAD: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "no labels": ({"instances": ROWS}, {"labels": "missing"}),
    "labels that are no list": ({"instances": ROWS, "labels": 1}, {"labels": "array"}),
    "no list at all": ({"instances": ROWS, "labels": None}, {"labels": "array"}),
    "too few": ({"instances": ROWS, "labels": [1]}, {"labels": "1 found, one for each of 2 rows"}),
    "none": ({"instances": ROWS, "labels": []}, {"labels": "0 found"}),
    "NaN": ({"instances": ROWS, "labels": [1, float("nan")]}, {"labels[1]": "nan found"}),
    "infinity": ({"instances": ROWS, "labels": [float("-inf"), 0]}, {"labels[0]": "-inf found"}),
    "beyond all floats": ({"instances": ROWS, "labels": [10**400, 0]}, {"labels[0]": "beyond all floats"}),
    "text": ({"instances": ROWS, "labels": ["late", "1"]}, {"labels[0]": "got text", "labels[1]": "got text"}),
    "null, lists and objects": (
        {"instances": [*ROWS, ROWS[0]], "labels": [None, [1], {}]},
        {"labels[0]": "got null", "labels[1]": "an array", "labels[2]": "an object"},
    ),
    "an empty id": ({"instances": ROWS, "labels": [1, 0], "id": ""}, {"id": "1 to 100"}),
    "a long id": ({"instances": ROWS, "labels": [1, 0], "id": "x" * (LONGEST_ID + 1)}, {"id": "1 to 100"}),
    "an id with a NUL, which no database of text takes": (
        {"instances": ROWS, "labels": [1, 0], "id": "a\0"},
        {"id": "printable"},
    ),
    "an id that is a number": ({"instances": ROWS, "labels": [1, 0], "id": 7}, {"id": "str"}),
    "a missing input": ({"instances": [{"x": 1.0}], "labels": [1]}, {"instances[0].s": "missing"}),
    "a missing value": ({"instances": [{"x": None, "s": "AA"}], "labels": [1]}, {"x": "null"}),
    "NaN in a row": ({"instances": [{"x": float("nan"), "s": "AA"}], "labels": [1]}, {"x": "nan"}),
    "no rows": ({"labels": [1]}, {"inputs": "either"}),
    "two forms": ({"dataframe_records": ROWS, "instances": ROWS, "labels": [1, 0]}, {"": "exactly one"}),
    "everything at once": (
        {"instances": [{"x": "1", "s": 1}], "labels": ["late", float("inf")], "id": ""},
        {"x": "float", "s": "str", "labels[0]": "text", "labels[1]": "inf", "id": "1 to 100"},
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_every_fault_is_told_with_its_field(what: str) -> None:
    content, expected = BAD[what]
    found = faults(content)
    assert found.keys() == expected.keys()
    for field, part in expected.items():
        assert part in found[field]


def test_of_very_many_faults_some_are_told() -> None:
    assert len(faults({"instances": [ROWS[0]] * 100, "labels": ["late"] * 100})) == 20


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'{"labels": ' + b"[" * 100_000, b"\xff"])
def test_what_is_no_object_of_json_is_refused(body: bytes) -> None:
    assert faults(body)


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/csv"},
        {"content_type": "application/vnd.apache.arrow.stream"},
        {"inference_header_content_length": "10"},
        {"content_encoding": "gzip"},
    ],
)
def test_other_forms_than_json_are_named_as_such(headers: dict[str, str]) -> None:
    with pytest.raises(Unsupported) as caught:
        read({"instances": ROWS, "labels": [1, 0]}, **headers)
    assert caught.value.status == 415


def test_whatever_json_is_called_it_is_read() -> None:
    content = {"instances": ROWS, "labels": [1, 0]}
    for kind in ("application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain"):
        assert len(read(content, content_type=kind).labels) == 2


def test_rows_are_bounded() -> None:
    assert len(read({"instances": [ROWS[0]] * MOST_ROWS, "labels": [1] * MOST_ROWS}).labels) == MOST_ROWS
    with pytest.raises(TooLarge):
        read({"instances": [ROWS[0]] * (MOST_ROWS + 1), "labels": [1] * (MOST_ROWS + 1)})


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
_fields = st.sampled_from(
    ["labels", "id", "inputs", "instances", "dataframe_split", "dataframe_records", "outputs", "parameters"]
)


@given(st.dictionaries(_fields, _json))
def test_nothing_but_a_lesson_or_its_faults_comes_of_any_json(content: dict[str, Any]) -> None:
    try:
        taught = read(content)
    except InvalidInput as error:
        taught = Taught(None, {"x": [0.0] * len(error.faults)}, (0.0,) * min(len(error.faults), 20))
    assert len(taught.labels) == len(taught.inputs["x"]) > 0


# From a body to the disk.

CHAMPION, PINNED = Arm(3, "champion", Role.CHAMPION, 1.0), Arm(4, "pinned", Role.PINNED)


def plan(*, learns: bool | None = True, ready: tuple[str, ...] = ("champion", "pinned"), arms: tuple[Arm, ...] = ()) -> RoutePlan:
    manifest = Manifest("m", "onnx", (), SIMPLE, Golden({}, [], 0.0), Lineage("run", None, False, "t", {}, {}))  # noqa: FBT003
    route = Route("m", arms or (CHAMPION, PINNED), learns=learns)
    packages = {digest: package_of(digest, manifest, Engine()) for digest in ready}

    def new_tally(route: Route, arm: Any, *, assigned: bool, segment: str = "") -> Tally:
        return Tally(route.model, arm.version, Revision(1, 1), judged=assigned, segment=segment)

    return make_plan(RouteTable(Revision(1, 1), (route,)), Packages(packages, {}), Plan(), new_tally).routes["m"]


def take(home: Path, of: RoutePlan, *contents: object, room: int = 1 << 20) -> tuple[list[Answer], list[Lesson], Desk]:
    """What a worker answers, and what stands in its blocks then."""

    async def story() -> tuple[list[Answer], Desk]:
        desk = Desk(home, room=room)
        lessons = LessonDesk(Accepting(desk.flusher, desk.ledger, ThreadPoolExecutor(1)), desk.ledger, desk.clock)
        bodies = [content if isinstance(content, bytes) else json.dumps(content).encode() for content in contents]
        answers = [await lessons.take(of, lambda _: None, body) for body in bodies]
        await desk.flusher.flush()
        die(desk.spool)
        return answers, desk

    answers, desk = asyncio.run(story())
    return answers, [lesson for block in desk.blocks for lesson in block.lessons], desk


def test_a_lesson_is_read_by_the_champion_kept_and_told_of_with_its_id(tmp_path: Path) -> None:
    content = {"instances": ROWS, "labels": [1, 0]}
    answers, lessons, desk = take(tmp_path, plan(), {**content, "id": "mine"}, content, content)
    assert [answer.status for answer in answers] == [202, 202, 202]
    told = [json.loads(answer.body) for answer in answers]
    assert [one["accepted"] for one in told] == [2, 2, 2]
    assert [one["id"] for one in told] == [lesson.id for lesson in lessons]
    assert lessons[0].id == "mine"
    assert len({lesson.id for lesson in lessons}) == 3
    assert lessons[0] == Lesson("mine", "m", 3, {"x": FLOAT32, "s": ["AA", "ü"]}, (1.0, 0.0), desk.clock.now().timestamp())
    assert desk.ledger.figures.totals["lessons"] == 3


@pytest.mark.parametrize(
    ("of", "status", "words"),
    [
        (plan(learns=None), 409, "m does not learn online. That takes `strategy: online` in lockgate.yaml."),
        (plan(learns=False), 409, "the learning of m is stopped. `lockgate learning status m` says why."),
        (plan(ready=("pinned",)), 503, "the version of m that is to learn is not ready"),
        (plan(arms=(PINNED,)), 503, "the version of m that is to learn is not ready"),
    ],
)
def test_where_nothing_is_learned_the_answer_says_why_whatever_was_sent(
    tmp_path: Path, of: RoutePlan, status: int, words: str
) -> None:
    (answer,), lessons, desk = take(tmp_path, of, b"no lesson")
    assert (answer.status, json.loads(answer.body)["error"], lessons) == (status, words, [])
    assert ("retry-after", "1") in answer.headers or status == 409
    assert desk.ledger.figures.totals.get("rejected", 0) == (status == 409)


def test_a_large_lesson_is_read_like_a_small_one_and_one_too_large_for_a_block_is_refused(tmp_path: Path) -> None:
    rows = [{"x": 0.5, "s": "x" * 300}] * 2000
    content = {"instances": rows, "labels": [1] * len(rows)}
    assert len(json.dumps(content)) > LARGE
    huge = {"instances": [{"x": 0.5, "s": "x" * (LARGEST // 100)}] * 101, "labels": [1] * 101}
    answers, lessons, _ = take(tmp_path, plan(), content, huge, {**content, "labels": ["late"]})
    assert [answer.status for answer in answers] == [202, 413, 400]
    assert [lesson.inputs["s"] for lesson in lessons] == [[row["s"] for row in rows]]
    assert json.loads(answers[1].body)["hint"] == "Send fewer rows in one request."


def test_without_room_nothing_is_acknowledged(tmp_path: Path) -> None:
    """Each lesson is as large as half of the room: what waits for the control plane may be twice as large as that."""
    content = {"instances": [{"x": 0.5, "s": "x" * 500}], "labels": [1]}
    answers, lessons, desk = take(tmp_path, plan(), *[content] * 6, room=1000)
    assert [answer.status for answer in answers] == [202] * len(lessons) + [503] * (6 - len(lessons))
    assert 3 <= len(lessons) <= 5
    assert ("retry-after", "5") in answers[-1].headers
    assert desk.ledger.figures.totals["shed"] == 6 - len(lessons)
