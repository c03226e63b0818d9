"""A package that answers: how requests of its signature are read and its answers written, and who runs its model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lockgate.boundary.manifest import Manifest
from lockgate.embedded.scores import Scorer
from lockgate.runtimes.model import Array, Model
from lockgate.serving.protocol.answers import Encoder
from lockgate.serving.protocol.columns import Decoder


class Remote(Protocol):
    """A model in a process of its own."""

    @property
    def full(self) -> bool:
        """Whether it has as many requests under way as it may have."""
        ...

    async def run(self, feeds: Mapping[str, Array], seconds: float) -> Sequence[Array]:
        """See runtimes.model.Model.run. seconds: from now; a time-out counts at its deadline, whatever the process does.

        Raises:
            RuntimeFailure: the model raised, the process died, or the time is over.
        """
        ...


class Shadowed(Protocol):
    """A shadow in a process of its own."""

    def offer(self, request_id: str, rows: int, packed: bytes) -> bool:
        """Ask without waiting: its outcome comes by that id. packed: the feeds, by isolation.wire.pack.

        False if there is no room: nothing was sent.
        """
        ...


class Engine:
    """What runs a package's model: `inline` in this process, or `remote`; neither while it sleeps. A shadow has only `shadow`.

    A model sleeps when nobody asked for it for long, or when its memory is needed; `wake` has it loaded again.
    """

    __slots__ = ("asked_at", "inline", "remote", "shadow", "wake")

    def __init__(self, inline: Model | None = None, remote: Remote | None = None, shadow: Shadowed | None = None) -> None:
        self.inline = inline
        self.remote = remote
        self.shadow = shadow
        self.wake: Callable[[], Awaitable[None]] | None = None
        self.asked_at = 0.0  # monotonic seconds

    @property
    def asleep(self) -> bool:
        return self.inline is None and self.remote is None


@dataclass(frozen=True, slots=True)
class Package:
    digest: str
    manifest: Manifest
    decoder: Decoder
    encoder: Encoder
    scorer: Scorer
    engine: Engine


def package_of(digest: str, manifest: Manifest, engine: Engine) -> Package:
    """Raises Invalid if nothing here can read or write what its signature says."""
    signature = manifest.signature
    return Package(digest, manifest, Decoder(signature), Encoder(signature), Scorer(signature), engine)
