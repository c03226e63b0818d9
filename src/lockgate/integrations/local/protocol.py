"""What executor and workers tell each other: lines of JSON."""

from __future__ import annotations

import msgspec

from lockgate.ports.executor import CallStep, LoadData, PackageModel


class Setup(msgspec.Struct, frozen=True, tag="setup"):
    """The first line. project: where code runs. roots: of imports, in it. data: where files lie. values: the cache."""

    project: str
    roots: tuple[str, ...]
    data: str
    values: str


class Warm(msgspec.Struct, frozen=True, tag="warm"):
    libraries: tuple[str, ...]


class Reply(msgspec.Struct, frozen=True):
    """See ports.executor.Outcome."""

    output: str | None = None
    error: str | None = None
    refused: bool = False


Request = Setup | Warm | LoadData | CallStep | PackageModel

request_decoder = msgspec.json.Decoder(Request)
reply_decoder = msgspec.json.Decoder(Reply)
