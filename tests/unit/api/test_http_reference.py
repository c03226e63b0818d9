"""The reference names every route that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.samples.asgi import Client

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "http.md"


def test_the_reference_and_the_routes_agree(client: Client) -> None:
    described = set(client.get("/openapi.json").json["paths"])
    named = set(
        re.findall(
            r"(?<=[` ])(/(?:api/v1/|control/v1/|channels/|artifacts/|reports|health/\w|metrics)[\w/{}.-]*)", REFERENCE.read_text()
        )
    )
    assert named == described


def test_the_reference_names_every_metric(client: Client) -> None:
    names = set(re.findall(r"^(lockgate_\w+)", client.get("/metrics").text, re.MULTILINE))
    assert names == set(re.findall(r"lockgate_\w+", REFERENCE.read_text()))
