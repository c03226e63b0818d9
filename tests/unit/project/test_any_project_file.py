"""Whatever stands in a project file: a project comes of it, or one InvalidInput."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.kernel.errors import InvalidInput
from lockgate.project.load import Project, load
from tests.unit.project.test_load_project import CONTRACT, WHOLE

FOLDER = Path(tempfile.mkdtemp(prefix="lockgate-test-"))
(FOLDER / "pipeline.py").write_text("")
(FOLDER / "contracts").mkdir()
(FOLDER / "contracts" / "flights.yaml").write_text(CONTRACT)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["1%", "101%", "1d", "10 per week", "auc >= 1", "labels", "canary", "all", "missed", "header:x", "\0", "../x"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
QUICK = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(content: bytes, file: str = "lockgate.yaml") -> None:
    found = outcome(content, file)
    if isinstance(found, InvalidInput):
        assert found.faults
        assert str(found).encode()  # can be printed


def outcome(content: bytes, file: str = "lockgate.yaml") -> Project | InvalidInput:
    (FOLDER / "lockgate.yaml").write_text(WHOLE)
    (FOLDER / "contracts" / "flights.yaml").write_text(CONTRACT)
    (FOLDER / file).write_bytes(content)
    try:
        return load(FOLDER)
    except InvalidInput as error:
        return error


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def mutated(seed: int, value: Any, text: str) -> Any:
    """The whole document with one place replaced, removed, renamed or doubled."""
    chance = random.Random(seed)
    document = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - strings only
    path = chance.choice(places(document)[1:])
    container = document
    for key in path[:-1]:
        container = container[key]
    key = path[-1]
    act = chance.choice(["replace", "remove", "rename", "wrap"])
    if act == "replace":
        container[key] = value
    elif act == "remove":
        del container[key]
    elif act == "rename" and isinstance(container, dict):
        container[f"{key[:-1]}{chance.choice('xyz')}"] = container.pop(key)
    else:
        container[key] = [container[key], value]
    return document


@QUICK
@given(seed=st.integers(min_value=0), value=VALUES, times=st.integers(1, 3))
def test_a_document_with_places_changed_gives_a_project_or_its_faults(seed: int, value: Any, times: int) -> None:
    text = WHOLE
    for step in range(times):
        text = yaml.safe_dump(mutated(seed + step, value, text), allow_unicode=True)

    check(text.encode("utf-8", errors="surrogatepass"))


@QUICK
@given(data=st.data())
def test_a_text_with_characters_changed_gives_a_project_or_its_faults(data: st.DataObject) -> None:
    text = WHOLE
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 5))
        new = data.draw(st.one_of(st.text(max_size=4), st.text("{}[]:,-&*!|>%@\"'\\\n\t #?~", max_size=4)))
        text = text[:at] + new + text[at + cut :]

    check(text.encode("utf-8", errors="surrogatepass"))


@QUICK
@given(content=st.binary(max_size=60))
def test_any_bytes_give_a_project_or_its_faults(content: bytes) -> None:
    check(content)
    check(content, "contracts/flights.yaml")


@QUICK
@given(value=VALUES)
def test_any_contract_gives_a_project_or_its_faults(value: Any) -> None:
    check(
        yaml.safe_dump({"columns": {"distance": value}, "rows": value}).encode("utf-8", errors="surrogatepass"),
        "contracts/flights.yaml",
    )
