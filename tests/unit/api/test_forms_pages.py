"""The forms of a version by REST, on its page, and in its card."""

from __future__ import annotations

import pytest

from lockgate.domain.forms import BuiltForm, Form
from lockgate.entrypoints.reading.forms import parity_clause, size_clause
from lockgate.ports.state import FORMS
from lockgate.testing.released import built_form
from lockgate.usecases.write_card import write_card
from tests.samples.asgi import Client, client_of
from tests.samples.story import MODEL, Story, register


@pytest.fixture
def one_version(empty: Story) -> Story:
    register(empty, auc=0.671, months=[1, 2], commit="3f1c9a7e2b60")
    return empty


@pytest.fixture
def client(one_version: Story) -> Client:
    return client_of(one_version)


def put(story: Story, *forms: BuiltForm) -> None:
    with story.world.state.write() as tx:
        for form in forms:
            tx.put(FORMS, form)


WHEEL = built_form(model=MODEL, difference=3.4e-8, tolerance=1e-5, cold_start=0.412, environment="a fresh virtual environment")
IMAGE = built_form(
    model=MODEL, form=Form.IMAGE, file="flight-delay-1.oci.tar", size=88_100_000, pushed="registry.example.org/flights:1"
)


def test_what_was_built_is_answered_in_the_order_of_forms(one_version: Story, client: Client) -> None:
    path = f"/api/v1/models/{MODEL}/versions/1/forms"
    assert client.get(path).json == []
    put(one_version, IMAGE, WHEEL)
    told = client.get(path).json
    assert [one["form"] for one in told] == ["wheel", "image"]
    assert told[0]["difference"] == 3.4e-8
    assert (told[1]["pushed"], told[1]["size"], told[1]["digest"]) == (IMAGE.pushed, IMAGE.size, IMAGE.digest)
    assert client.get(f"/api/v1/models/{MODEL}/versions/9/forms").status == 404


def test_the_page_says_what_was_built_and_how_to_build(one_version: Story, client: Client) -> None:
    path = f"/models/{MODEL}/versions/1"
    assert f"lockgate package {MODEL} 1 --as wheel" in client.get(path).text
    put(one_version, WHEEL, IMAGE)
    page = client.get(path).text
    for said in (WHEEL.file, "0.4 s", "88.1 MB", "a fresh virtual environment", IMAGE.pushed):
        assert said in page
    assert WHEEL.digest in page
    assert "lockgate package" not in page


def test_what_a_form_says_of_itself_is_text(one_version: Story, client: Client) -> None:
    put(one_version, built_form(model=MODEL, environment="<script>alert(1)</script>", file='"><img src=x>.whl'))
    page = client.get(f"/models/{MODEL}/versions/1").text
    assert "<script>alert" not in page
    assert "<img" not in page


def test_the_card_says_how_the_forms_answered(one_version: Story) -> None:
    assert "## Forms" not in write_card(one_version.world, MODEL, 1)
    put(one_version, WHEEL, IMAGE)
    card = write_card(one_version.world, MODEL, 1)
    assert "## Forms" in card
    assert "3.4e-08 of 1e-05, 20 rows | 0.41 s | a fresh virtual environment" in card
    assert "pushed as registry.example.org" in card


@pytest.mark.parametrize(("size", "said"), [(0, "0 B"), (999, "999 B"), (48_100, "48.1 kB"), (3_200_000, "3.2 MB")])
def test_sizes_are_for_people(size: int, said: str) -> None:
    assert size_clause(size) == said


def test_parity_in_a_sentence() -> None:
    assert parity_clause(WHEEL) == "20 golden rows as the original, at most 3.4e-08 apart (1e-05 allowed)"
    assert parity_clause(built_form(rows=1)).startswith("1 golden row as")
