"""A hostile model gets nothing by being loaded: no network, no secrets, no other process, no memory without bound."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate.boundary.trusted_types import FILE, TrustedTypes, lay_down
from lockgate.serving.isolation.shop import Settings
from tests.integration.serving.isolation_keeping import Home, answer_of, feeds, new_home, run

pytestmark = [pytest.mark.integration, pytest.mark.skipif(sys.platform != "linux", reason="these fences are Linux's own")]
LOADER = "tests.integration.serving.isolation_sandboxed:load"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:password@index.example")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with new_home(tmp_path, monkeypatch) as one:
        yield one


def said(home: Home, deed: str, runtime: str = "data", **options: Any) -> str:
    """What became of a deed, as a package that did it while it was loaded tells; the worker is asked for another one after it."""

    async def main() -> str:
        async with home.worker() as hosts:
            hostile = await hosts.open(home.packages.make(deed, runtime=runtime, deed=deed, **options))
            await hostile.connected_within(60.0)
            (letters,) = await hostile.run(feeds(*range(400)), 5.0)
            sound = await hosts.open(home.packages.make("sound", runtime=runtime))
            await sound.connected_within(60.0)
            assert [array.tolist() for array in await sound.run(feeds(1.0), 5.0)] == [answer_of(1.0)]
            return "".join(chr(int(letter)) for letter in np.ravel(letters)).strip("\0")

    with home.kept(loader=LOADER, load_limit=60.0, shared=(), hidden=(str(home.path.parent / "secrets"),)):
        return run(main, 120.0)


@pytest.mark.parametrize("deed", ["inet", "inet6", "unix", "netlink", "datagrams", "connect", "io_uring"])
def test_it_has_no_network(home: Home, deed: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert said(home, deed, port=str(server.getsockname()[1])) in ("EPERM", "EACCES")


def test_it_cannot_look_into_its_parent(home: Home) -> None:
    assert said(home, "parent") == "EACCES"


@pytest.mark.parametrize("place", ["secrets/control.token", "home/hosts/keeper.lock", "state.db"])
def test_it_cannot_read_what_lies_beside_the_packages(home: Home, place: str) -> None:
    path = home.path.parent / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text("secret")
    assert said(home, "read", place=str(path)) == "EACCES"


def test_it_cannot_write_but_where_it_works(home: Home, tmp_path: Path) -> None:
    assert said(home, "write", place=str(tmp_path / "new")) == "EACCES"
    assert not (tmp_path / "new").exists()
    assert said(home, "work") == "ok"
    assert not list((home.path / "hosts").glob("own-*"))  # what it wrote went with it


def test_it_finds_no_secret_in_its_environment(home: Home) -> None:
    assert said(home, "environment") == "ok"


def test_it_inherits_no_descriptor(home: Home, tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as file:
        assert file.fileno() > 2
        assert said(home, "descriptors") == "ok"


def test_data_start_no_process_and_signal_none(home: Home) -> None:
    assert said(home, "fork") == "EPERM"
    assert said(home, "spawn") == "EPERM"
    assert said(home, "signal") == "EPERM"


def test_code_that_is_trusted_may_start_some(home: Home) -> None:
    assert said(home, "spawn", runtime="python") == "ok"
    assert said(home, "parent", runtime="python") == "EACCES"
    assert said(home, "inet", runtime="python") == "EPERM"


def test_memory_has_a_bound_without_any_setting(home: Home) -> None:
    assert Settings().memory is None
    assert said(home, "memory") == "MemoryError"


def test_it_is_told_what_the_policy_trusts(home: Home) -> None:
    lay_down(home.path, TrustedTypes("sha256:1", ("company.models.Encoder",)))
    assert said(home, "trusted") == "ok"


def test_nothing_is_loaded_by_a_list_that_is_damaged(home: Home) -> None:
    home.path.mkdir(exist_ok=True)
    (home.path / FILE).write_text("{")
    with home.kept(loader=LOADER):

        async def main() -> str:
            async with home.worker() as hosts:
                return (await hosts.examine(home.packages.make("sound"))).reason

        assert "the list of trusted types cannot be read" in run(main, 60.0)


def test_it_is_not_root(home: Home) -> None:
    assert said(home, "capabilities") == "ok"
