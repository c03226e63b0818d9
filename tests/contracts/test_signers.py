"""A toy key and Ed25519 in a file keep one contract; and what only the file does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.integrations.local.signing_key import LocalSigningKey
from lockgate.kernel.errors import Corrupt, Invalid
from lockgate.testing.checks.signers import SIGNER_CHECKS, Open
from lockgate.testing.signer import MemorySigner


@pytest.mark.parametrize("check", SIGNER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("where", ["memory", "file"])
def test_contract(check: Callable[[Open], None], where: str, tmp_path: Path) -> None:
    check(MemorySigner if where == "memory" else lambda name: LocalSigningKey(tmp_path / f"{name}.key"))


def test_the_key_is_its_owners_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    key = LocalSigningKey(tmp_path / "secrets" / "audit.key")
    assert key.public_key.startswith("ed25519:")
    assert [path.name for path in key.path.parent.iterdir()] == ["audit.key"]
    assert key.path.stat().st_mode & 0o777 == 0o600
    assert key.path.parent.stat().st_mode & 0o777 == 0o700


def test_several_that_need_it_first_at_once_have_one_key(tmp_path: Path) -> None:
    found: list[str] = []
    start = threading.Barrier(4)

    def first() -> None:
        start.wait(10)
        found.append(LocalSigningKey(tmp_path / "audit.key").public_key)

    threads = [threading.Thread(target=first) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(set(found)) == 1
    assert len(found) == 4


def test_what_is_no_key_is_told_and_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    path.write_bytes(b"short")
    with pytest.raises(Corrupt, match="5 bytes found, a key has 32"):
        _ = LocalSigningKey(path).public_key
    assert path.read_bytes() == b"short"


def test_a_public_key_that_was_cut_is_refused(tmp_path: Path) -> None:
    key = LocalSigningKey(tmp_path / "audit.key")
    with pytest.raises(Invalid, match="32 bytes expected"):
        key.genuine(key.public_key[:-4], b"content", key.sign(b"content"))
