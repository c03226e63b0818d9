"""What a data plane is told when it starts."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.boundary.exposure import Exposure, Tls
from lockgate.boundary.key_file import KEY_FILE
from lockgate.kernel.errors import Invalid, Unavailable
from lockgate.serving.server.scaling import Bounds

_SHORTEST_SECRET, _LONGEST_SECRET = 16, 64  # bytes; the longer bound is blake2b's


class Settings(msgspec.Struct, frozen=True):
    """home: the data plane's own folder (routes.json, records/, spool/, figures/, hosts/). artifacts: read-only. Sizes in bytes,
    times in seconds.

    memory: for all models together; None: no limit. idle: after which a model that nobody asks for is put to sleep; 0: never.
    queue: that a request may wait for its turn. access_log: whether one is kept. traces: an OTLP collector's address, or nothing.
    grpc_port: where gRPC is spoken too; None: nowhere. control: None: there is no control plane, and nobody to tell anything.
    packages: folders that artifacts are links into. keys: the file of keys; None: that among the secrets. records: whether
    records are kept.
    """

    host: str
    port: int
    workers: Bounds
    control: str | None
    home: Path
    artifacts: Path
    secrets: Path
    body_limit: int = 16 << 20
    body_room: int = 64 << 20
    grace: float = 0.5
    drain: float = 10.0
    orphan_timeout: float = 30.0
    queue: float = 0.5
    idle: float = 0.0
    memory: int | None = None
    access_log: bool = False
    grpc_port: int | None = None
    traces: str | None = None
    trace_share: float = 0.01
    public: bool = False
    plain_http: bool = False
    tls: Tls | None = None
    control_ca: Path | None = None
    packages: tuple[Path, ...] = ()
    keys: Path | None = None
    records: bool = True
    verbose: bool = False

    @property
    def exposure(self) -> Exposure:
        told = Exposure(self.host, self.public, self.plain_http, self.tls)
        return told if self.control is None else msgspec.structs.replace(told, control=self.control)

    @property
    def key_file(self) -> Path:
        return self.keys if self.keys is not None else self.secrets / KEY_FILE


class Place(msgspec.Struct, frozen=True):
    """What the supervisor tells a worker: the settings, which place it fills, and the listening socket it inherits."""

    settings: Settings
    worker: str
    descriptor: int


def encode_place(place: Place) -> str:
    return msgspec.json.encode(place, enc_hook=str).decode()


def decode_place(text: str) -> Place:
    return msgspec.json.decode(text, type=Place, dec_hook=lambda kind, value: kind(value))


class Secrets(msgspec.Struct, frozen=True):
    prediction_key: bytes
    control_token: str


def read_secrets(folder: Path) -> Secrets:
    """The key that signs prediction ids and the token of the control channel.

    Raises:
        Unavailable: a file cannot be read. Invalid: the key is too short to sign with, or too long.
    """
    key = _read(folder / "prediction.key")
    if not _SHORTEST_SECRET <= len(key) <= _LONGEST_SECRET:
        raise Invalid(
            f"{folder / 'prediction.key'} holds {len(key)} bytes; {_SHORTEST_SECRET} to {_LONGEST_SECRET} are expected",
            hint="Write 32 random bytes into it. Labels for older predictions will then be refused.",
        )
    return Secrets(key, _read(folder / "control.token").decode().strip())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}", hint="Start `lockgate up` once: it makes the secrets."
        ) from error
