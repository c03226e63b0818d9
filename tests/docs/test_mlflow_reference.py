"""The page about MLflow's and Databricks' calls names every one that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi.routing import APIRoute

from lockgate.entrypoints.api.mlflow.app import ROUTERS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "mlflow.md"


def test_the_page_and_the_calls_agree() -> None:
    answered = {one.path.replace(":path}", "}") for router in ROUTERS for one in router.routes if isinstance(one, APIRoute)}
    named = set(re.findall(r"`(/(?:mlflow|mlflow-artifacts|permissions)/[\w/{}.-]+)`", REFERENCE.read_text()))
    assert named == answered
