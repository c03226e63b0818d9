"""A base image is looked at before anything is put upon it; nothing in it is believed before it has the digest that it claims."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lockgate.integrations.oci import base_files, bases, inspecting
from lockgate.integrations.oci.blobs import Blobs
from lockgate.integrations.oci.builder import ImageBuilder
from lockgate.integrations.oci.installed import Installed
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Corrupt, Invalid, LockgateError, NotFound
from tests.samples.images import HOME, LIBC, PYTHON, ROOT, blobs_of, contents, few, layer, saved, tiny_base

NEEDS = Installed("numpy", "2.4", Path(), {}, glibc=28)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "cache")


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_what_docker_saves_and_an_oci_layout_are_read_alike(tmp_path: Path, blobs: Blobs, cache: Path) -> None:
    base = base_files.take(tiny_base(tmp_path), blobs)
    assert bases.check(base, [NEEDS]) == f"/{PYTHON}"
    builder = ImageBuilder(HOME, tiny_base(tmp_path), cache, few)
    built = builder.build([contents(tmp_path / "model")], tmp_path)
    upon = base_files.take(built, Blobs(tmp_path / "another"))
    assert [one.digest for one in upon.layers][:1] == [one.digest for one in base.layers]
    assert upon.digest == builder.digest(built)
    folder = tmp_path / "folder"
    with tarfile.open(built) as archive:
        archive.extractall(folder, filter="data")
    assert base_files.take(folder, Blobs(tmp_path / "third")).layers == upon.layers


def test_compressed_layers_stay_as_they_are(tmp_path: Path, blobs: Blobs) -> None:
    content = gzip.compress(layer(ROOT), mtime=0)
    base = base_files.take(saved(tmp_path / "base.tar", content), blobs)
    assert base.layers[0].digest == digest_bytes(content)
    assert base.layers[0].media_type.endswith("tar+gzip")
    assert base.facts.glibc == 40


@pytest.mark.parametrize(
    ("root", "config", "said"),
    [
        ({"usr/bin/python2.7": b""}, {}, r"Python 3\.\d+ expected.*none found"),
        ({"usr/bin/python3.4": b""}, {}, r"Python 3\.\d+ expected.*3\.4 found"),
        ({PYTHON: b""}, {}, r"numpy 2\.4 needs glibc 2\.28, and no C library was found"),
        ({PYTHON: b"", "lib/ld-musl-x86_64.so.1": b""}, {}, r"needs glibc 2\.28, and musl was found"),
        ({PYTHON: b"", "lib/libc.so.6": LIBC.replace(b"2.40", b"2.17")}, {}, r"needs glibc 2\.28, and glibc 2\.17 was found"),
        (ROOT, {"architecture": "riscv64"}, "it is for linux/riscv64, linux/.* expected"),
        (ROOT, {"os": "windows"}, "it is for windows/"),
    ],
)
def test_a_base_that_cannot_run_what_is_copied(
    root: dict[str, bytes], config: dict[str, Any], said: str, tmp_path: Path, blobs: Blobs
) -> None:
    with pytest.raises(Invalid, match=said) as told:
        bases.check(base_files.take(saved(tmp_path / "base.tar", layer(root), **config), blobs), [NEEDS])
    assert "--base" in str(told.value.hint)


@pytest.mark.parametrize(
    "hostile",
    [
        layer({**ROOT, "../../etc/cron.d/x": b"*"}),
        layer({**ROOT, "/etc/passwd": b"root"}),
        layer(ROOT, link("usr/shadow", "../../../etc/shadow", tarfile.LNKTYPE)),
        layer(ROOT)[:700],
        b"no tar file at all",
    ],
)
def test_hostile_layers_are_refused(hostile: bytes, tmp_path: Path, blobs: Blobs) -> None:
    with pytest.raises((Invalid, Corrupt)):
        base_files.take(saved(tmp_path / "base.tar", hostile), blobs)


def test_a_layer_that_unpacks_without_an_end(tmp_path: Path, blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspecting, "_MOST_BYTES", 1 << 20)
    bomb = gzip.compress(layer({**ROOT, "zeros": bytes(4 << 20)}))
    with pytest.raises(Invalid, match="unpacks to more than"):
        base_files.take(saved(tmp_path / "base.tar", bomb), blobs)


def test_a_layer_that_is_not_the_one_its_config_names(tmp_path: Path, blobs: Blobs) -> None:
    rootfs = {"type": "layers", "diff_ids": [digest_bytes(b"another")]}
    with pytest.raises(Corrupt, match="unpacks to"):
        base_files.take(saved(tmp_path / "base.tar", layer(ROOT), rootfs=rootfs), blobs)


@pytest.mark.parametrize(
    "file",
    [
        layer({"manifest.json": b"[]"}),
        layer({"manifest.json": b"[{"}),
        layer({"manifest.json": b'[{"Config":"../../etc/passwd","Layers":[]}]'}),
        layer({"manifest.json": b'[{"Config":"gone","Layers":["gone"]}]'}),
        layer({"../manifest.json": b"[]"}),
        layer({}, link("manifest.json", "/etc/passwd")),
        layer({"oci-layout": b"{}", "index.json": b'{"schemaVersion":2,"manifests":[]}'}),
        layer(
            {"oci-layout": b"{}", "index.json": b'{"schemaVersion":2,"manifests":[{"mediaType":"","digest":"../x","size":1}]}'}
        ),
        layer({"something": b"else"}),
        b"no tar file at all",
        b"",
    ],
)
def test_files_that_are_no_image(file: bytes, tmp_path: Path, blobs: Blobs) -> None:
    path = tmp_path / "base.tar"
    path.write_bytes(file)
    with pytest.raises(LockgateError):
        base_files.take(path, blobs)
    assert not list((tmp_path / "cache").rglob("blobs/*"))


def test_no_file_and_no_registry_is_asked(tmp_path: Path) -> None:
    builder = ImageBuilder(HOME, str(tmp_path / "gone.tar"), tmp_path / "cache", few)
    with pytest.raises(NotFound, match="there is no image"):
        builder.build([contents(tmp_path / "model")], tmp_path)


@pytest.mark.parametrize("place", range(0, 40, 3))
def test_a_damaged_layout_is_never_taken(place: int, tmp_path: Path, cache: Path) -> None:
    builder = ImageBuilder(HOME, tiny_base(tmp_path), cache, few)
    built = builder.build([contents(tmp_path / "model")], tmp_path)
    blobs = blobs_of(built)
    names = [json.loads(blobs["index.json"])["manifests"][0]["digest"]]
    manifest = json.loads(blobs[names[0]])
    names += [manifest["config"]["digest"], *(one["digest"] for one in manifest["layers"])]
    name = names[place % len(names)]
    content = bytearray(blobs[name])
    content[place * len(content) // 40] ^= 1
    files = {one.replace("sha256:", "blobs/sha256/"): bytes(content) if one == name else told for one, told in blobs.items()}
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(layer(files))
    with pytest.raises(LockgateError):
        base_files.take(damaged, Blobs(tmp_path / "fresh"))


def test_nothing_is_read_twice(tmp_path: Path, blobs: Blobs) -> None:
    path = tiny_base(tmp_path)
    base_files.take(path, blobs)
    before = {one: one.stat().st_mtime_ns for one in (tmp_path / "cache").rglob("*") if one.is_file()}
    base_files.take(path, blobs)
    assert before == {one: one.stat().st_mtime_ns for one in (tmp_path / "cache").rglob("*") if one.is_file()}


def test_a_blob_that_breaks_off_leaves_nothing(tmp_path: Path, blobs: Blobs) -> None:
    with pytest.raises(Corrupt):
        blobs.keep([b"half"], digest_bytes(b"half and more"))
    with pytest.raises(Corrupt, match="larger"):
        blobs.keep(iter(lambda: b"x" * 1000, b""), limit=5000)
    assert not list((tmp_path / "cache" / "blobs").iterdir())
    assert io.BytesIO(b"".join(blobs.chunks(blobs.keep([b"a", b"b"])[0]))).read() == b"ab"
