"""A whole installation whose state is in PostgreSQL: the same story, the same log."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from lockgate.domain.models import Stage
from lockgate.integrations.sql.state import SqlState
from lockgate.ports.state import VERSIONS
from lockgate.usecases.read_audit import verify_audit
from lockgate.wiring.home import DATABASE_VARIABLE
from tests.integration.installation import Installation, Traffic

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def test_two_versions_reach_production(tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE installation")
    database = make_url(postgres).set(database="installation").render_as_string(hide_password=False)
    monkeypatch.setenv(DATABASE_VARIABLE, database)
    here = Installation(tmp_path)
    here.up()
    try:
        with Traffic(here.data_port) as traffic:
            for number in (1, 2):
                here.ask_for(number)
                here.wait(lambda number=number: here.champion() == number, 90, f"version {number} is in Production")  # type: ignore[misc]
    finally:
        here.down()
    assert traffic.failed == []
    assert not (here.home.folder / "state.db").exists()
    with here.world.state.read() as tx:
        assert [one.stage for one in tx.find(VERSIONS, model="tiny")] == [Stage.ARCHIVED, Stage.PRODUCTION]
    assert verify_audit(here.world).broken is None
    assert isinstance(here.world.state, SqlState)
    here.world.state.close()
