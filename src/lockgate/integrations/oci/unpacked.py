"""Run an image's own files without an engine: unpacked into a folder, by this machine's Python, which sees no other library."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tarfile
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import msgspec

from lockgate.boundary.images import TITLE
from lockgate.boundary.quiet import QUIET
from lockgate.integrations.oci.archive import image_in
from lockgate.integrations.oci.media import Descriptor, Manifest, decode
from lockgate.integrations.oci.questions import TRUST_CODE, Question, Reply, last, put
from lockgate.integrations.oci.reading import Files, blob, opened, place
from lockgate.kernel.digest import PREFIX
from lockgate.kernel.errors import Corrupt, Invalid

_PATIENCE = 15.0  # seconds to end
_OURS = ("PYTHON", "LOCKGATE_", *QUIET)  # beginnings of the names that an image sets
_KEPT = ("LANG", "PATH", "TZ", TRUST_CODE)


class _Runs(msgspec.Struct, frozen=True, rename="pascal"):
    env: tuple[str, ...]
    entrypoint: tuple[str, ...]


class _Config(msgspec.Struct, frozen=True):
    config: _Runs


def run(file: Path, question: Question) -> Reply:
    """
    Raises:
        Invalid: it does not start or answer, and what it said. Corrupt: the file is damaged.
    """  # noqa: D212 - there is nothing else to say
    with TemporaryDirectory(prefix="lockgate-image-") as name:
        folder = Path(name)
        runs = _unpack(file, folder / "image")
        python = _interpreter(folder / "python")
        port = _free_port()
        begun = time.monotonic()
        with _started(_argv(runs, folder / "image", python, port), _environment(runs, folder), folder):
            reply = put(msgspec.structs.replace(question, port=port), [str(python)], {})
            return msgspec.structs.replace(reply, seconds=time.monotonic() - begun)


def _unpack(file: Path, folder: Path) -> _Runs:
    with opened(file) as files:
        manifest = decode(blob(files, image_in(files, file)[0].digest), Manifest, "the manifest of the image")
        for layer in manifest.layers:
            if TITLE in layer.annotations:
                _extract(files, layer, folder)
        return decode(blob(files, manifest.config.digest), _Config, "the config of the image").config


def _extract(files: Files, layer: Descriptor, folder: Path) -> None:
    source = files.open(place(layer.digest))
    if source is None:
        raise Corrupt(f"layer {layer.digest} is missing in the image")
    with source:
        if PREFIX + _digits(source) != layer.digest:
            raise Corrupt(f"layer {layer.digest} of the image was altered")
        source.seek(0)
        with tarfile.open(fileobj=source, mode="r|") as archive:
            archive.extractall(folder, filter="data")


def _digits(source: IO[bytes]) -> str:
    state = sha256()
    while chunk := source.read(1 << 20):
        state.update(chunk)
    return state.hexdigest()


def _interpreter(folder: Path) -> Path:
    """One with no library but Python's own."""
    venv.create(folder, symlinks=True, with_pip=False)
    return folder / "bin" / "python"


def _argv(runs: _Runs, image: Path, python: Path, port: int) -> list[str]:
    """As the image has it: on loopback, and with its paths in the folder. What is said last counts."""
    words = [f"{image}{word}" if word.startswith("/") else word for word in runs.entrypoint[1:]]
    return [str(python), *words, "--host", "127.0.0.1", "--port", str(port)]


def _environment(runs: _Runs, folder: Path) -> dict[str, str]:
    told = dict(one.split("=", 1) for one in runs.env)
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    image = folder / "image"
    ours = {name: _moved(value, image) for name, value in told.items() if name.startswith(_OURS)}
    temporary = folder / "tmp"
    temporary.mkdir()
    return {**kept, **ours, "TMPDIR": str(temporary), "HOME": str(temporary)}


def _moved(value: str, image: Path) -> str:
    return ":".join(f"{image}{one}" if one.startswith("/") else one for one in value.split(":"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _started(argv: list[str], environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    said = folder / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    try:
        yield
    except Invalid as error:
        raise Invalid(f"{error.message}\n{last(said.read_bytes())}") from error
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
