"""What subscribers may fetch over HTTP, who may, and by parts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lockgate.boundary.key_file import KEY_FILE, KeyFile
from lockgate.boundary.keys import KeyScope
from lockgate.entrypoints.api.app import create_app
from lockgate.entrypoints.api.byte_ranges import Part, Unsatisfiable, asked_for
from lockgate.testing.clock import VirtualClock
from tests.samples.asgi import TOKEN, Answer, Client
from tests.samples.followed import CHANNEL, House
from tests.samples.story import Story
from tests.unit.serving.key_desk import KeyDesk

BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.publish(1, 1)
    return house


@pytest.fixture
def desk(empty: Story, tmp_path: Path) -> KeyDesk:
    clock = empty.world.clock
    assert isinstance(clock, VirtualClock)
    return KeyDesk(tmp_path, clock)


@pytest.fixture
def client(empty: Story, house: House, desk: KeyDesk) -> Client:
    return Client(create_app(empty.world, home=house.folder, control_token=TOKEN, keys=KeyFile(desk.folder / KEY_FILE)))


def path_of(digest: str) -> str:
    digits = digest.removeprefix("sha256:")
    return f"/artifacts/{digits[:2]}/{digits[2:]}"


def get(client: Client, path: str, **headers: str) -> Answer:
    return client.get(path, BEARER | {name.replace("_", "-"): value for name, value in headers.items()})


def test_a_pointer_is_given_as_it_lies_there_and_not_twice(client: Client, house: House) -> None:
    for path in (f"/channels/{CHANNEL}", f"/channels/{CHANNEL}.json"):
        answer = get(client, path)
        assert (answer.status, answer.body) == (200, house.channels.read(CHANNEL))
        again = get(client, path, if_none_match=answer.headers["etag"])
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    house.publish(2, 2)
    assert get(client, f"/channels/{CHANNEL}?wait=5", if_none_match=answer.headers["etag"]).status == 200


def test_only_what_a_channel_names_is_given(client: Client, house: House) -> None:
    release = house.releases[1]
    for digest in (release.digest, release.provenance):
        answer = get(client, path_of(digest))
        assert (answer.status, answer.body) == (200, house.artifacts.get(digest))
        assert "immutable" in answer.headers["cache-control"]
    evaluation = house.artifacts.put(b"an evaluation")
    other = house.release(2)
    assert [get(client, path_of(one)).status for one in (evaluation, other.digest)] == [404, 404]
    house.publish(2, 2)
    assert [get(client, path_of(one)).status for one in (other.digest, release.digest)] == [200, 404]
    assert get(client, "/artifacts/..%2f/state.db").status in (400, 404)
    assert get(client, "/artifacts/ab/cd").status == 400


def test_who_asks_shows_a_key_that_covers_the_model(client: Client, house: House, desk: KeyDesk) -> None:
    mine = desk.add("mine", KeyScope.SUBSCRIBE, model=house.model)
    others = desk.add("others", KeyScope.SUBSCRIBE, model="other")
    infer = desk.add("infer", KeyScope.INFER)
    for path in (f"/channels/{CHANNEL}", path_of(house.releases[1].digest)):
        shown = [{"authorization": f"Bearer {text}"} for text in (mine, others, infer, "wrong")]
        assert [client.get(path, one).status for one in shown] == [200, 404, 401, 401]
        assert client.get(path).status == 401
    desk.revoke("mine", desk.clock.now())
    assert client.get(f"/channels/{CHANNEL}", {"authorization": f"Bearer {mine}"}).status == 401


def test_parts_are_given_as_asked_for(client: Client, house: House) -> None:
    digest = house.releases[1].digest
    content, path = house.artifacts.get(digest), path_of(digest)
    size, tag = len(content), get(client, path).headers["etag"]
    for header, first, last in [("bytes=0-9", 0, 9), ("bytes=10-", 10, size - 1), ("bytes=-7", size - 7, size - 1)]:
        answer = get(client, path, range=header)
        assert (answer.status, answer.body) == (206, content[first : last + 1])
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{size}"
    assert get(client, path, range=f"bytes={size}-").status == 416
    assert get(client, path, range="bytes=0-1,5-6").body == content
    assert get(client, path, range="bytes=0-1", if_range=tag).status == 206
    assert get(client, path, range="bytes=0-1", if_range='"other"').status == 200
    assert get(client, path, if_none_match=tag).status == 304
    head = asyncio.run(client.call("HEAD", path, b"", BEARER))
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(size))


def test_without_a_channel_or_a_home_there_is_nothing(client: Client, empty: Story) -> None:
    assert get(client, "/channels/other@production").status == 404
    assert get(client, "/channels/nothing").status == 400
    homeless = Client(create_app(empty.world, home=None, control_token=TOKEN))
    assert get(homeless, f"/channels/{CHANNEL}").status == 404
    assert get(homeless, path_of("sha256:" + "a" * 64)).status == 404


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        ("bytes=5-2", None),
        ("bytes=3-3", Part(3, 1)),
        ("bytes=2-99", Part(2, 8)),
    ],
)
def test_what_is_no_range_asks_for_the_whole(header: str, part: Part | None) -> None:
    assert asked_for(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0", "bytes=10-12"])
def test_what_lies_beyond_the_end_cannot_be_given(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        asked_for(header, 10)
