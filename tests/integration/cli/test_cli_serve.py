"""`lockgate serve FILE`, as somebody uses it who has a file and no home."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from lockgate.integrations.oci.builder import ImageBuilder
from lockgate.testing.signer import KeySigner
from tests.contracts.runtime_models import onnx
from tests.integration.serving.alone_packages import SIGNER, bundle
from tests.integration.serving.data_plane import MODEL, Folder
from tests.samples.images import HOME, few, runnable, tiny_base

PATIENCE = 60.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts"
    return bundle(folder, Folder(folder).linear(5.0)).file(tmp_path / "delays-7.lockgate")


def words(*more: str | Path) -> list[str]:
    return [sys.executable, "-P", "-m", "lockgate.entrypoints.cli", "serve", *map(str, more)]


@contextmanager
def served(folder: Path, *more: str | Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        words(*more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(lines: IO[str] | None, until: str) -> str:
    """What it said up to the line with the word."""
    assert lines is not None
    text = ""
    for line in lines:
        text += line
        if until in line:
            return text
    raise AssertionError(f"it ended without {until!r}: {text}")


def refused(tmp_path: Path, *more: str | Path) -> tuple[int, str]:
    ended = subprocess.run(words(*more), capture_output=True, text=True, cwd=tmp_path, timeout=PATIENCE, check=False)
    return ended.returncode, ended.stderr


def ask(command: str) -> object:
    """What `curl` would be answered."""
    _, _, url, _, header, _, body = shlex.split(command)
    name, _, value = header.partition(": ")
    request = urllib.request.Request(url, body.encode(), {name: value})  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=20) as reply:  # noqa: S310
        return json.loads(reply.read())["predictions"]


def test_it_says_what_it_serves_and_the_example_works(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "nothing"
    folder.mkdir()
    (tmp_path / "keys").write_text(f"{SIGNER.public_key} the platform\n")
    with served(folder, file, "--port", "0", "--key", tmp_path / "keys") as process:
        told = said(process.stdout, "Ctrl-C")
        assert f"{MODEL} 7" in told
        assert "signed by the platform" in told
        example = re.search(r"curl .*", told)
        assert example
        assert ask(example[0]) == [8.0]
        assert "answers 8 within 0.0001" in told
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert list(folder.iterdir()) == [], "no home, no file is left"


def test_a_machine_is_told_in_json_and_a_signal_ends_it(tmp_path: Path, file: Path) -> None:
    with served(tmp_path, file, "--port", "0", "--json") as process:
        told = json.loads(_json(process.stdout))
        assert [(one["model"], one["version"], one["signed_by"]) for one in told["models"]] == [(MODEL, 7, None)]
        assert told["url"].startswith("http://127.0.0.1:")
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert "nobody vouches for these packages" in process.stderr.read()


def _json(lines: IO[str] | None) -> str:
    assert lines is not None
    text = ""
    for line in lines:
        text += line
        if line == "}\n":
            break
    return text


def test_nothing_outlives_it(tmp_path: Path, file: Path) -> None:
    with served(tmp_path, file, "--port", "0", "--json") as process:
        port = int(json.loads(_json(process.stdout))["url"].rpartition(":")[2])
        process.kill()
        process.wait()
        until = time.monotonic() + PATIENCE
        while _listens(port) and time.monotonic() < until:
            time.sleep(0.05)
        assert not _listens(port)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, file: Path) -> None:
    content = file.read_bytes()
    cut, altered, text = tmp_path / "cut.lockgate", tmp_path / "altered.lockgate", tmp_path / "text.lockgate"
    cut.write_bytes(content[: len(content) // 2])
    altered.write_bytes(content[:300] + bytes([content[300] ^ 4]) + content[301:])
    text.write_text("no model")
    for path in (cut, altered, text):
        code, why = refused(tmp_path, path)
        assert (code, "fetch it again" in why) == (1, True), why
    code, why = refused(tmp_path, tmp_path / "nothing.lockgate")
    assert (code, "there is no file" in why) == (1, True)
    assert "Traceback" not in why


def test_another_key_is_refused(tmp_path: Path, file: Path) -> None:
    code, why = refused(tmp_path, file, "--key", KeySigner("stranger").public_key)
    assert (code, "none of the 1 trusted keys" in why) == (3, True), why
    code, why = refused(tmp_path, file, "--key", "not a key")
    assert (code, "there is no such file, and it is no public key" in why) == (1, True), why
    (tmp_path / "none").write_text("# nobody\n")
    code, why = refused(tmp_path, file, "--key", tmp_path / "none")
    assert (code, "names no key" in why) == (1, True), why


def test_a_port_that_is_taken_is_said(tmp_path: Path, file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, why = refused(tmp_path, file, "--port", str(port))
    assert (code, f"port {port} on 127.0.0.1 is taken" in why) == (1, True), why


def test_beyond_this_machine_it_must_be_said_that_it_may(tmp_path: Path, file: Path) -> None:
    code, why = refused(tmp_path, file, "--host", "0.0.0.0")  # noqa: S104 - that it is refused
    assert (code, "nobody vouches" in why) == (3, True), why


def test_an_image_in_a_file_is_served_like_any_other(tmp_path: Path) -> None:
    """Its base and its libraries are not looked at: those of this machine run it."""
    made = runnable(onnx.make(tmp_path / "made"), "flights")
    image = ImageBuilder(HOME, tiny_base(tmp_path / "base"), tmp_path / "cache", few).build([made], tmp_path)
    with served(tmp_path, image, "--port", "0", "--key", HOME.public_key) as process:
        text = said(process.stdout, "answers")
        assert "flights 7   package" in text
        assert "signed by" in text
        example = re.search(r"curl .*", text)
        assert example
        assert ask(example[0]) == pytest.approx(list(made.manifest.golden.scores[:1]), abs=1e-4)
    code, why = refused(tmp_path, image, "--key", KeySigner("stranger").public_key)
    assert (code, "none of the 1 trusted keys" in why) == (3, True), why
