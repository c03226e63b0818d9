"""What people write beside a model or a version: comments, descriptions, tags, and a name before there is a version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.events import Action, Happened
from lockgate.domain.remarks import Comment, Notes
from lockgate.kernel.errors import Conflict, Invalid, NotFound, Refused
from lockgate.ports.state import COMMENTS, MODELS, NOTES
from lockgate.testing.artifacts import MemoryArtifacts
from lockgate.testing.builders import ANNA, BEN, MODEL
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.add_comment import LONGEST, add_comment, comment_on
from lockgate.usecases.create_model import create_model
from lockgate.usecases.edit_comment import delete_comment, edit_comment
from lockgate.usecases.set_notes import LONGEST_VALUE, MOST_TAGS, notes_of, set_notes
from lockgate.usecases.world import World
from tests.samples.company import register


@pytest.fixture
def world(state: MemoryState, artifacts: MemoryArtifacts, clock: VirtualClock) -> World:
    world = World(state, artifacts, clock)
    register(world, 1)
    return world


def last(world: World) -> Happened:
    with world.state.read() as tx:
        return tx.events(newest_first=True, limit=1)[0].happened


def comments(world: World) -> list[Comment]:
    with world.state.read() as tx:
        return tx.find(COMMENTS, model=MODEL, version=1)


def test_a_comment_is_kept_beside_its_event(world: World) -> None:
    event = add_comment(world, MODEL, 1, ANNA, "looks fine")
    (comment,) = comments(world)
    assert (comment.by, comment.text, comment.at, comment.edited_at) == (ANNA.name, "looks fine", event.happened.at, None)
    assert event.happened.details == {"id": comment.id, "comment": "looks fine"}


def test_its_author_says_it_otherwise_and_takes_it_back(world: World, clock: VirtualClock) -> None:
    comment, _ = comment_on(world, MODEL, 1, ANNA, "looks fine")
    clock.advance(60)
    edited = edit_comment(world, comment.id, ANNA, "looks odd")
    assert comments(world) == [edited]
    assert (edited.text, edited.at, edited.edited_at) == ("looks odd", comment.at, clock.now())
    assert (last(world).action, last(world).details) == (Action.COMMENT_EDITED, {"id": comment.id, "comment": "looks odd"})
    clock.advance(60)
    delete_comment(world, comment.id, ANNA)
    assert comments(world) == []
    assert (last(world).action, last(world).details, last(world).at) == (Action.COMMENT_DELETED, {"id": comment.id}, clock.now())


def test_nobody_changes_what_another_said(world: World) -> None:
    comment, _ = comment_on(world, MODEL, 1, ANNA, "looks fine")
    with pytest.raises(Refused, match="anna's"):
        edit_comment(world, comment.id, BEN, "awful")
    with pytest.raises(Refused, match="anna's"):
        delete_comment(world, comment.id, BEN)
    assert comments(world) == [comment]


@pytest.mark.parametrize("text", ["", " \n", "x" * (LONGEST + 1)])
def test_a_comment_says_something(world: World, text: str) -> None:
    with pytest.raises(Invalid, match="1 to 65535"):
        add_comment(world, MODEL, 1, ANNA, text)
    comment, _ = comment_on(world, MODEL, 1, ANNA, "x" * LONGEST)
    with pytest.raises(Invalid, match="1 to 65535"):
        edit_comment(world, comment.id, ANNA, text)


def test_comments_are_about_what_is_there(world: World) -> None:
    with pytest.raises(NotFound):
        add_comment(world, MODEL, 2, ANNA, "hm")
    with pytest.raises(NotFound):
        delete_comment(world, "comment-1", ANNA)


@pytest.mark.parametrize("version", [0, 1])
def test_notes_are_merged_and_told(world: World, version: int) -> None:
    set_notes(world, MODEL, version, ANNA, description="for flights", tags={"team": "ops", "tier": "1"})
    notes = set_notes(world, MODEL, version, BEN, tags={"team": None, "tier": "2"})
    assert (notes.description, notes.tags) == ("for flights", {"tier": "2"})
    said = last(world)
    assert (said.action, said.actor, said.version) == (Action.NOTES_SET, BEN.name, version)
    assert said.subject == (f"{MODEL}/1" if version else MODEL)
    assert said.details["from"] == {"description": "for flights", "tags": {"team": "ops", "tier": "1"}}
    assert said.details["to"] == {"description": "for flights", "tags": {"tier": "2"}}


def test_what_changes_nothing_is_no_event(world: World) -> None:
    before = last(world)
    set_notes(world, MODEL, 1, ANNA, tags={"gone": None})
    set_notes(world, MODEL, 1, ANNA, description="")
    assert last(world) == before


def test_an_empty_description_takes_it_away(world: World) -> None:
    set_notes(world, MODEL, 1, ANNA, description="old")
    assert set_notes(world, MODEL, 1, ANNA, description="").description == ""


@pytest.mark.parametrize(
    "tags",
    [{"": "x"}, {" ": "x"}, {"k" * 251: "x"}, {"k": "v" * (LONGEST_VALUE + 1)}, {str(n): "" for n in range(MOST_TAGS + 1)}],
)
def test_notes_are_bounded(world: World, tags: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        set_notes(world, MODEL, 1, ANNA, tags=tags)
    with world.state.read() as tx:
        assert tx.find(NOTES) == []


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.none() | st.text(max_size=5), max_size=3), max_size=8))
def test_tags_are_what_was_last_said_of_each(changes: list[dict[str, str | None]]) -> None:
    world = World(MemoryState(), MemoryArtifacts(), VirtualClock())
    register(world, 1)
    expected: dict[str, str] = {}
    for change in changes:
        set_notes(world, MODEL, 1, ANNA, tags=change)
        expected = {key: value for key, value in {**expected, **change}.items() if value is not None}
    with world.state.read() as tx:
        assert notes_of(tx, MODEL, 1).tags == expected


def test_a_name_is_taken_before_there_is_a_version(world: World) -> None:
    made = create_model(world, "fares", ANNA, "what a flight costs", {"team": "ops"})
    assert made.latest_version == 0
    with world.state.read() as tx:
        assert tx.get(MODELS, "fares") == made
        assert notes_of(tx, "fares") == Notes("fares", 0, made.created_at, "what a flight costs", {"team": "ops"})
        assert [one.happened.action for one in tx.events(model="fares")] == [Action.MODEL_CREATED, Action.NOTES_SET]
    with pytest.raises(Conflict, match="already"):
        create_model(world, "fares", BEN)


@pytest.mark.parametrize("name", ["", "Fares", "a/b", "../x", "a b", "x" * 64, "ﬂights"])
def test_a_model_is_called_as_a_project_could_call_it(world: World, name: str) -> None:
    with pytest.raises(Invalid, match="lower-case"):
        create_model(world, name, ANNA)


def test_of_a_model_with_faulty_notes_nothing_stays(world: World) -> None:
    with pytest.raises(Invalid):
        create_model(world, "fares", ANNA, tags={"": "x"})
    with world.state.read() as tx:
        assert tx.get(MODELS, "fares") is None
        assert tx.events(model="fares") == []


def test_the_first_version_of_a_name_that_was_taken(state: MemoryState, artifacts: MemoryArtifacts, clock: VirtualClock) -> None:
    world = World(state, artifacts, clock)
    made = create_model(world, MODEL, ANNA)
    clock.advance(60)
    assert register(world, 1).version == 1
    with world.state.read() as tx:
        found = tx.get(MODELS, MODEL)
    assert found is not None
    assert (found.created_at, found.latest_version) == (made.created_at, 1)
