"""Who follows, seen by people: on the model's page and in the status, by channel."""

from __future__ import annotations

from lockgate.boundary.routes import Revision
from lockgate.domain.models import Stage
from lockgate.entrypoints.reading.subscribers import SILENT, channel_clauses, following
from lockgate.ports.state import MODELS, SUBSCRIBERS, VERSIONS
from lockgate.testing import builders as a
from lockgate.testing.released import standing, subscriber
from lockgate.usecases.publish_routes import publish_routes
from tests.samples.asgi import Client, client_of
from tests.samples.story import Story


def follow(story: Story, host: str, kind: str = "subscriber", silent_for: float = 0.0, **said: object) -> None:
    seen_at = story.world.clock.now().timestamp() - silent_for
    known = subscriber(id=f"{kind}/{host}@home/0123456789abcdef", seen_at=seen_at, standing=standing(host=host, **said))
    with story.world.state.write() as tx:
        tx.put(SUBSCRIBERS, known)


def served(story: Story, number: int = 2) -> None:
    """That version in Production, and none in Staging."""
    with story.world.state.write() as tx:
        tx.put(MODELS, a.registered_model(latest_version=number))
        tx.put(VERSIONS, a.version(number, stage=Stage.PRODUCTION))
        publish_routes(tx, a.MODEL)


def clauses(story: Story) -> list[str]:
    with story.world.state.read() as tx:
        return channel_clauses(following(tx, story.world.clock.now()))


def test_a_channel_says_what_runs_where_and_how_many_are_behind(empty: Story) -> None:
    served(empty)
    for host in ("a", "b"):
        follow(empty, host, running=2, ready=(2,), revision=Revision(0, 1))
    follow(empty, "c", running=1, ready=(1,), faults=("no disk",))
    follow(empty, "d", running=None, ready=())
    follow(empty, "long gone", running=1, silent_for=SILENT + 1)
    follow(empty, "w", kind="embedded", channel=a.MODEL, running=1)
    assert clauses(empty) == [
        f"{a.MODEL}: 1 embed it: version 1 on 1",
        f"{a.MODEL}@production: 4 follow: version 2 on 2, version 1 on 1 and nothing on 1; 2 behind, 1 with faults",
    ]


def test_who_cannot_answer_with_a_version_that_has_a_share_is_behind(empty: Story) -> None:
    served(empty)
    follow(empty, "a", running=2, ready=(1,))
    with empty.world.state.read() as tx:
        (one,) = following(tx, empty.world.clock.now(), a.MODEL)
        assert following(tx, empty.world.clock.now(), "fares") == []
    assert (one.behind, one.wanted) == (True, 2)


def test_the_models_page_shows_programs_with_what_they_say(empty: Story) -> None:
    served(empty)
    client: Client = client_of(empty)
    assert "Programs" not in client.page(f"/models/{a.MODEL}").text
    follow(empty, "<till>", running=1, ready=(1,), faults=("<no disk>",))
    follow(empty, "w", kind="embedded", channel=a.MODEL, running=2)
    page = client.page(f"/models/{a.MODEL}").text
    for said in ("&lt;till&gt;", "&lt;no disk&gt;", "behind", "is wanted", "embeds it", "up to date"):
        assert said in page
    assert "0123456789abcdef" not in page
