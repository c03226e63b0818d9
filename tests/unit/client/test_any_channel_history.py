"""Whatever is published, put back, damaged, refused or cut off, in any order and with restarts in between: a subscriber answers
only by what was published, never goes back, and always answers once it could.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lockgate.boundary.pointers import Pointer, publish
from lockgate.boundary.routes import Revision, Role
from lockgate.client.faults import Faults
from lockgate.client.following import Follower
from lockgate.client.kept import Kept
from lockgate.client.keyring import Keyring
from lockgate.client.sources import Offered, Stream
from lockgate.embedded.model import Model
from lockgate.kernel.errors import LockgateError, Unavailable
from lockgate.testing.clock import VirtualClock
from tests.samples.followed import House

VERSIONS = range(1, 5)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("house"))
    for version in VERSIONS:
        house.release(version)
    house.release(9, wrong=True)
    return house


@dataclass
class Hostile:
    """A source with a will of its own. now: what it offers. ill: what is wrong with it at present."""

    house: House
    now: bytes = b""
    ill: str = ""
    waits: bool = False

    def pointer(self, channel: str, tag: str, wait: float) -> Offered | None:
        del channel, tag, wait
        if self.ill == "500":
            raise Unavailable("500")
        return Offered(self.now[:-5] if self.ill == "cut pointer" else self.now, "")

    @contextmanager
    def artifact(self, digest: str, first: int) -> Iterator[Stream]:
        if self.ill == "cut off":
            raise Unavailable("cut off")
        content = self.house.artifacts.get(digest)
        if self.ill == "swapped":
            content = content[::-1]
        if self.ill == "truncated":
            yield Stream(BytesIO(content[first : max(first, len(content) // 2)]), first, len(content))
        else:
            yield Stream(BytesIO(content[first:]), first, len(content))

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


class FullKept(Kept):
    """full: what cannot be kept any more."""

    full = ""

    def partial(self, digest: str) -> Path:
        self._check("all")
        return super().partial(digest)

    def note(self, content: bytes) -> None:
        self._check("all")
        super().note(content)

    def keep(self, content: bytes) -> None:
        self._check("all", "pointers")
        super().keep(content)

    def _check(self, *what: str) -> None:
        if self.full in what:
            raise Unavailable("the disk is full")


@dataclass
class Told:
    """What the program answers by, over all restarts."""

    folder: Path
    source: Hostile
    published: list[Pointer] = field(default_factory=list)
    clock: VirtualClock = field(default_factory=VirtualClock)
    answering: tuple[Pointer, dict[int, Model]] | None = None
    highest: Revision = field(default_factory=Revision)
    answered: bool = False

    def begin(self) -> None:
        self.kept = FullKept(self.folder, self.source.house.channel)
        self.answering = None
        keyring, stopping = Keyring(self.source.house.key), Event()
        faults = Faults("c", None, stopping)
        self.follower = Follower(
            self.source.house.channel, self.source, keyring, self.kept, faults, self.change, stopping, self.clock
        )
        self.follower.resume()

    def change(self, pointer: Pointer, models: dict[int, Model]) -> None:
        assert pointer in self.published
        assert pointer.revision >= self.highest
        champion = pointer.route.champion
        assert champion is not None
        assert models[champion.version].predict({"x": 1.0}) == champion.version
        assert all(model.digest == pointer.release(version).digest for version, model in models.items())
        self.answering, self.highest, self.answered = (pointer, models), pointer.revision, True

    def turn(self) -> None:
        self.clock.advance(61.0)  # whatever failed is due again
        with suppress(LockgateError):  # it stands among the faults
            self.follower.turn(0.0)
        assert not self.answered or self.answering is not None


actions = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from([*VERSIONS, 9]), st.sampled_from([None, *VERSIONS])),
    st.tuples(st.just("replay"), st.integers(0, 20)),
    st.tuples(st.just("ill"), st.sampled_from(["", "", "500", "cut pointer", "cut off", "swapped", "truncated"])),
    st.tuples(st.just("full"), st.sampled_from(["", "all", "pointers"])),
    st.tuples(st.just("restart")),
    st.tuples(st.just("turn")),
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([("publish", 1, None), ("full", "pointers"), ("publish", 2, None), ("restart",), ("turn",)])
@example([("publish", 1, 2), ("publish", 9, None), ("replay", 0), ("restart",), ("replay", 0)])
@given(st.lists(actions, min_size=3, max_size=20))
def test_any_history_is_answered_by_what_was_published_and_never_backwards(
    house: House, history: list[tuple[object, ...]]
) -> None:
    with TemporaryDirectory() as folder:
        told = Told(Path(folder), Hostile(house))
        told.begin()
        for what, *how in history:
            act(told, str(what), how)
            told.turn()
        told.source.ill, told.kept.full = "", ""
        release(told, 1)
        told.turn()
        assert told.answering is not None
        assert told.answering[0] == told.published[-1]  # when all is well again it is where the channel is


def act(told: Told, what: str, how: list[object]) -> None:
    if what == "publish":
        release(told, *how)
    elif what == "replay" and told.published:
        index = how[0]
        assert isinstance(index, int)
        told.source.now = publish(told.published[index % len(told.published)], told.source.house.signer)
    elif what == "ill":
        told.source.ill = str(how[0])
    elif what == "full":
        told.kept.full = str(how[0])
    elif what == "restart":
        told.begin()


def release(told: Told, champion: object, canary: object = None) -> None:
    house = told.source.house
    assert isinstance(champion, int)
    others = [house.arm(canary, Role.CANARY, 0.3)] if isinstance(canary, int) and canary != champion else []
    pointer = house.pointer(len(told.published) + 1, house.route(champion, *others))
    told.published.append(pointer)
    told.source.now = publish(pointer, house.signer)
