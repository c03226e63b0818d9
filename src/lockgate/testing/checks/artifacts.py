"""The contract of ports.artifacts.ArtifactStore."""

# ruff: noqa: S101 - these are tests, of implementations that are not ours to know

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Invalid, NotFound
from lockgate.ports.artifacts import ArtifactStore

_READ_ONLY = 0o444
_CONTENTS = (b"", b"\0", b"model", bytes(range(256)) * 9000)  # the last is longer than any buffer


def what_is_kept_comes_back(store: ArtifactStore) -> None:
    for content in _CONTENTS:
        digest = store.put(content)
        assert digest == digest_bytes(content)
        assert store.has(digest)
        assert store.get(digest) == content


def keeping_twice_is_keeping_once(store: ArtifactStore) -> None:
    assert store.put(b"model") == store.put(b"model")
    assert store.get(digest_bytes(b"model")) == b"model"


def a_file_is_kept_like_its_bytes(store: ArtifactStore) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        for content in _CONTENTS:
            file.write_bytes(content)
            assert store.put_file(file) == digest_bytes(content)
            assert store.get(digest_bytes(content)) == content
            assert file.read_bytes() == content


def a_copy_is_a_file_for_reading(store: ArtifactStore) -> None:
    with TemporaryDirectory() as folder:
        for content in _CONTENTS:
            path = Path(folder) / f"{len(content)}.bin"
            store.copy(store.put(content), path)
            assert path.read_bytes() == content
            assert stat.S_IMODE(path.stat().st_mode) == _READ_ONLY
            path.unlink()
            assert store.get(digest_bytes(content)) == content


def what_is_not_there_is_not_found(store: ArtifactStore) -> None:
    digest = digest_bytes(b"never kept")
    assert not store.has(digest)
    _raises(NotFound, lambda: store.get(digest))
    with TemporaryDirectory() as folder:
        _raises(NotFound, lambda: store.copy(digest, Path(folder) / "model.onnx"))
        assert not any(Path(folder).iterdir())


def a_name_that_is_no_digest_is_refused(store: ArtifactStore) -> None:
    for name in ("", "model", "sha256:", "sha256:" + "A" * 64, "sha256:../" + "a" * 61, "a" * 64, digest_bytes(b"") + "\n"):
        _raises(Invalid, lambda name=name: store.get(name))  # type: ignore[misc]
        _raises(Invalid, lambda name=name: store.has(name))  # type: ignore[misc]


def many_may_keep_at_once(store: ArtifactStore) -> None:
    digests: list[str] = []
    threads = [threading.Thread(target=lambda n=n: digests.append(store.put(_CONTENTS[n % 4]))) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(digests) == len(threads)
    assert [store.get(digest_bytes(content)) for content in _CONTENTS] == list(_CONTENTS)


def _raises(expected: type[Exception], act: Callable[[], object]) -> None:
    try:
        act()
    except expected:
        return
    raise AssertionError(f"{expected.__name__} expected, nothing was raised")


ARTIFACT_CHECKS: tuple[Callable[[ArtifactStore], None], ...] = (
    what_is_kept_comes_back,
    keeping_twice_is_keeping_once,
    a_file_is_kept_like_its_bytes,
    a_copy_is_a_file_for_reading,
    what_is_not_there_is_not_found,
    a_name_that_is_no_digest_is_refused,
    many_may_keep_at_once,
)
