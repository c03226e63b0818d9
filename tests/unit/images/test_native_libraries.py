"""A library of the system that copied binaries need is in the base, or the image is not built."""

from __future__ import annotations

import hashlib
import struct
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.distributions import Distribution
from lockgate.integrations.oci import dockerfile, elf
from lockgate.integrations.oci.builder import ImageBuilder
from lockgate.kernel.errors import Corrupt, Invalid
from tests.samples.images import HOME, ROOT, contents, layer, saved

GOMP = "usr/lib/x86_64-linux-gnu/libgomp.so.1"


def library(*needed: str, folder: str = "", bits: int = 64, order: str = "<") -> bytes:
    """An ELF file that is linked to others and holds nothing else. Loaded at another address than it has in the file."""
    words, entry = ("QQ", "Q") if bits == 64 else ("II", "I")
    table = b"\0" + b"".join(one.encode() + b"\0" for one in (*needed, folder))
    offsets = [1 + sum(len(one) + 1 for one in needed[:place]) for place in range(len(needed) + 1)]
    headers = 64 + 2 * 56 if bits == 64 else 52 + 2 * 32
    tags = [*((1, offset) for offset in offsets[:-1]), (5, 0x1000 + headers), (10, len(table))]
    tags += [(29, offsets[-1])] if folder else []
    dynamic = b"".join(struct.pack(order + words, *one) for one in (*tags, (0, 0)))
    size, begins = len(table) + len(dynamic), headers
    told = [(1, 0, 0x1000, headers + size), (2, begins + len(table), 0x1000 + begins + len(table), len(dynamic))]
    if bits == 64:
        head = struct.pack(f"{order}HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
        parts = [struct.pack(f"{order}IIQQQQQQ", kind, 4, at, to, to, many, many, 8) for kind, at, to, many in told]
    else:
        head = struct.pack(f"{order}HHIIIIIHHHHHH", 3, 3, 1, 0, 52, 0, 0, 52, 32, 2, 0, 0, 0)
        parts = [struct.pack(f"{order}IIIIIIII", kind, at, to, to, many, many, 4, 8) for kind, at, to, many in told]
    ident = b"\x7fELF" + bytes((bits // 32, 1 if order == "<" else 2, 1)) + bytes(9)
    assert entry in words
    return ident + head + b"".join(parts) + table + dynamic


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_a_library_is_linked_to(bits: int, order: str, tmp_path: Path) -> None:
    path = tmp_path / "a.so"
    path.write_bytes(library("libgomp.so.1", "libm.so.6", folder="$ORIGIN/../x.libs:/opt", bits=bits, order=order))
    assert elf.needed_by(path) == (("libgomp.so.1", "libm.so.6"), ("$ORIGIN/../x.libs", "/opt"))


def test_real_ones_are_read_and_what_is_no_elf_file_needs_nothing(tmp_path: Path) -> None:
    real = next((Path(np.__file__).parent / "_core").glob("_multiarray_umath*.so"))
    found = elf.needed_by(real)
    assert found is not None
    assert "libc.so.6" in found.names
    (tmp_path / "text.so").write_text("INPUT(libc.so.6)")
    assert elf.needed_by(tmp_path / "text.so") is None


@given(st.data())
def test_a_damaged_one_is_said_to_be_so(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = bytearray(library("libgomp.so.1", folder="$ORIGIN"))
    for place in data.draw(st.lists(st.integers(4, len(whole) - 1), max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.so"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with suppress(Corrupt):
        elf.needed_by(path)


def install(site: Path, name: str, files: dict[str, bytes]) -> Distribution:
    """As pip leaves it."""
    info = f"{name}-1.0.dist-info"
    told = {**files, f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()}
    for path, content in told.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(content)
    digests = {path: urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode() for path, content in told.items()}
    lines = [f"{path},sha256={digest},{len(told[path])}" for path, digest in digests.items()]
    (site / info / "RECORD").write_text("\n".join([*lines, f"{info}/RECORD,,"]) + "\n")
    return Distribution(name, "1.0")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


Made = Callable[..., ImageBuilder]


@pytest.fixture
def builder(tmp_path: Path, cache: Path) -> Made:
    def make(needs: list[Distribution], **more: bytes) -> ImageBuilder:
        return ImageBuilder(HOME, saved(tmp_path / "base.tar", layer(ROOT), layer(more)), cache, lambda _: needs)

    return make


def test_a_library_of_the_system_must_be_in_the_base(site: Path, tmp_path: Path, builder: Made) -> None:
    needs = [install(site, "boost", {"boost/lib_boost.so": library("libgomp.so.1", "libc.so.6", "libcuda.so.1")})]
    one, out = contents(tmp_path / "model"), tmp_path / "out"
    out.mkdir()
    with pytest.raises(Invalid, match=r"the base image lacks libgomp\.so\.1, which boost 1\.0 .*lib_boost\.so.* needs") as told:
        builder(needs).build([one], out)
    assert "apt-get install -y --no-install-recommends libgomp1" in str(told.value.hint)
    assert "--base" in str(told.value.hint)
    assert not list(out.iterdir())
    assert builder(needs, **{GOMP: b"a library"}).build([one], out).is_file()


def test_what_comes_with_it_or_lies_where_it_says_to_look_is_found(site: Path, tmp_path: Path, builder: Made) -> None:
    own = {"boost/_a.so": library("libb-1f2e.so.1"), "boost.libs/libb-1f2e.so.1": library()}
    beside = {"tool/_c.so": library("libgomp.so.1", folder="$ORIGIN/../gomp/lib"), "tool/d.txt": b"no library"}
    needs = [
        install(site, "boost", own),
        install(site, "tool", beside),
        install(site, "gomp", {"gomp/lib/libgomp.so.1": library()}),
    ]
    assert builder(needs).build([contents(tmp_path / "model")], tmp_path).is_file()


def test_what_another_distribution_brings_is_not_found_by_chance(site: Path, tmp_path: Path, builder: Made) -> None:
    """As with LightGBM beside PyTorch, which has a libgomp of its own: it works only if that was imported before."""
    needs = [install(site, "boost", {"boost/a.so": library("libgomp.so.1")})]
    needs.append(install(site, "torch", {"torch/lib/libgomp.so.1": library()}))
    with pytest.raises(Invalid, match=r"lacks libgomp\.so\.1, which boost"):
        builder(needs).build([contents(tmp_path / "model")], tmp_path)


def test_a_dockerfile_says_what_its_base_must_have(site: Path, tmp_path: Path) -> None:
    needs = [install(site, "boost", {"boost/a.so": library("libgomp.so.1")})]
    one, folder = contents(tmp_path / "model"), tmp_path / "context"
    path = dockerfile.export([one], folder, signer=HOME, cache=tmp_path / "cache", needs=lambda _: needs)
    assert "# It must have libgomp.so.1, which boost 1.0 (boost/a.so) needs.\nARG BASE=" in path.read_text()
