"""Continuous deployment into one environment and continuous delivery into the other, whichever it is."""

from __future__ import annotations

from lockgate.domain.events import Action
from lockgate.domain.models import RequestState, Stage
from lockgate.domain.people import POLICY
from lockgate.domain.projects import Deployment
from tests.journeys.test_environments_in_a_row import HOUR, Site, site


def said(here: Site) -> list[dict[str, object]]:
    """Of each time that somebody was told whose go is needed."""
    with here.world.state.read() as tx:
        return [one.happened.details for one in tx.events() if one.happened.action is Action.DEPLOYMENT_SET]


def test_the_evidence_brings_it_into_staging_and_a_person_into_production() -> None:
    here = site()
    here.own = {"staging": Deployment.AUTOMATIC}
    here.register()
    assert here.stages() == {1: Stage.STAGING}
    for _ in range(3):
        assert not here.turn(HOUR)
    assert here.requests(RequestState.OPEN) == []
    here.register()
    here.turn()
    assert here.stages() == {1: Stage.ARCHIVED, 2: Stage.STAGING}, "who waits for a person has had its chance"
    here.register()
    here.turn()
    assert here.stages()[2] is Stage.STAGING, "and nobody is pushed out before"
    here.clock.advance(HOUR)
    here.move(2, Stage.PRODUCTION)
    assert here.stages()[2] is Stage.PRODUCTION


def test_a_person_brings_it_into_staging_and_the_evidence_into_production() -> None:
    here = site()
    here.own = {"production": Deployment.AUTOMATIC}
    here.register()
    assert here.requests() == []
    assert not here.turn(HOUR)
    here.move(1, Stage.STAGING)
    assert not here.turn(HOUR / 2)
    assert here.turn(HOUR)
    assert here.stages() == {1: Stage.PRODUCTION}
    assert here.requests()[-1].requester == POLICY.name


def test_an_environments_own_word_goes_before_the_projects() -> None:
    here = site(Deployment.AUTOMATIC)
    here.own = {"staging": Deployment.MANUAL, "production": Deployment.MANUAL}
    here.register()
    assert not here.turn(HOUR)
    assert (here.stages(), here.requests()) == ({1: Stage.NONE}, [])


def test_switching_one_environment_is_an_event() -> None:
    here = site()
    here.register()
    here.own = {"staging": Deployment.AUTOMATIC}
    here.register()
    here.register()
    here.own = {}
    here.register()
    assert said(here) == [
        {"from": None, "to": "manual"},
        {"from": None, "to": "automatic", "environment": "staging"},
        {"from": "automatic", "to": None, "environment": "staging"},
    ]
