"""What programs that use a model by themselves tell the control plane: what they saw, and how far they follow a channel."""

from __future__ import annotations

import msgspec

from lockgate.boundary.observations import Block
from lockgate.boundary.records import Record
from lockgate.boundary.routes import Revision


class Standing(msgspec.Struct, frozen=True):
    """How a subscriber stands. revision: of the pointer that it follows. ready: versions that it can answer with; of them
    `running` is the one that answers whoever is in no trial. faults: what keeps it from following; empty while all is well.
    """

    channel: str
    host: str
    revision: Revision
    running: int | None = None
    ready: tuple[int, ...] = ()
    faults: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """As JSON. block: its worker names the reporter, as `embedded/HOST` or `subscriber/HOST`; sent again, it changes nothing."""

    block: Block
    records: tuple[Record, ...] = ()
    standing: Standing | None = None
