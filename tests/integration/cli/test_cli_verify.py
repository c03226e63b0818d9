"""`lockgate verify` and `lockgate key` as somebody types them who has a file, a public key, and no home."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary import archives, bundles
from lockgate.boundary.public_keys import as_pem, key_id
from lockgate.boundary.trust import TrustedKey, parse
from lockgate.domain.forms import Contents
from lockgate.integrations.local.data_form import DataFormBuilder
from lockgate.integrations.wheel.builder import WheelBuilder
from lockgate.testing import builders as a
from lockgate.testing.signer import KeySigner
from lockgate.usecases.set_policy import set_policy
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.contracts.runtime_models import onnx
from tests.integration.cli.command import CommandLine
from tests.samples.contents import contents_of, files_in
from tests.samples.packaged import keep

SIGNER, OTHER = KeySigner("signer"), KeySigner("other")
KEY = SIGNER.public_key


@pytest.fixture(scope="module")
def given_contents(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    made = onnx.make(tmp_path_factory.mktemp("onnx"))
    return contents_of(made.manifest, files_in(made.artifacts, made.manifest), SIGNER)


@pytest.fixture(scope="module")
def file(given_contents: Contents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return DataFormBuilder(SIGNER).build([given_contents], tmp_path_factory.mktemp("data"))


def test_a_file_and_a_public_key_suffice(file: Path, elsewhere: CommandLine) -> None:
    said = elsewhere("verify", str(file), "--key", KEY, "--rows")
    assert said.code == 0, said.out
    for expected in ("tested-1.lockgate: data file", "version    tested 1", f"signed by  {KEY}", "✓ bill of materials"):
        assert expected in said.out
    assert "✓ golden rows        60 as the original, at most" in said.out
    assert "✗" not in said.out
    assert not elsewhere.home.exists(), "no home is made"


def test_machines_read_it_too(file: Path, elsewhere: CommandLine) -> None:
    told = elsewhere("verify", str(file), "--key", KEY, "--json").json
    assert (told["ok"], told["kind"], told["signer"]["key"]) == (True, "data", KEY)
    (package,) = told["packages"]
    assert package["release"]["model"] == "tested"
    assert package["provenance"]["runDetails"]["builder"]["id"].startswith("pkg:pypi/lockgate@")
    assert package["bill"]["specVersion"] == "1.6"


def test_keys_come_as_text_as_pem_or_as_a_list(file: Path, elsewhere: CommandLine) -> None:
    pem, listed = elsewhere.folder / "key.pem", elsewhere.folder / "trusted-keys"
    pem.write_text(as_pem(KEY))
    listed.write_text(f"{OTHER.public_key} other\n{KEY} the platform\n")
    assert elsewhere("verify", str(file), "--key", str(pem)).code == 0
    said = elsewhere("verify", str(file), "--key", str(listed))
    assert (said.code, f"the platform ({KEY})" in said.out) == (0, True)
    assert elsewhere("verify", str(file), "--key", "rsa:AAAA").code == 1


@pytest.mark.parametrize(
    ("trusted", "why"),
    [
        (OTHER.public_key, "none of the 1 trusted keys"),
        (f"{OTHER.public_key}\nrevoked {KEY} the laptop", "signed by the key the laptop, which was revoked"),
    ],
)
def test_what_nobody_trusted_signed_is_refused(trusted: str, why: str, file: Path, elsewhere: CommandLine) -> None:
    (elsewhere.folder / "keys").write_text(trusted)
    said = elsewhere("verify", str(file), "--key", "keys", "--rows")
    assert said.code == 3
    assert "✗ signature" in said.out
    assert why in said.out
    assert "signed by  nobody who is trusted" in said.out
    assert "not asked: what does not hold is not run" in said.out


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("nokeyfile", "there is no such file, and it is no public key"),
        ("", "there is no such file, and it is no public key"),
        ("ed25519:AAAA", "base64 of 32 bytes expected"),
        ("empty", "empty names no key"),
        ("revoked", "line 1"),
    ],
)
def test_what_is_no_key_is_said_to_be_none(key: str, why: str, file: Path, elsewhere: CommandLine) -> None:
    (elsewhere.folder / "empty").write_text("# nobody yet\n")
    (elsewhere.folder / "revoked").write_text("revoked\n")
    said = elsewhere("verify", str(file), "--key", key)
    assert (said.code, why in said.err) == (1, True), said.err


def test_what_was_altered_or_cut_is_refused(file: Path, elsewhere: CommandLine) -> None:
    content = bytearray(file.read_bytes())
    cut = elsewhere.folder / "cut.lockgate"
    cut.write_bytes(content[:-100])
    content[len(content) // 2] ^= 1
    altered = elsewhere.folder / "altered.lockgate"
    altered.write_bytes(content)
    for path in (cut, altered):
        said = elsewhere("verify", str(path), "--key", KEY)
        assert (said.code, "✗ archive" in said.out) == (3, True)


def test_a_name_in_a_file_never_reaches_the_terminal_as_more_than_text(file: Path, elsewhere: CommandLine) -> None:
    with archives.reading(file) as archive:
        members: dict[str, archives.Content] = {name: archive.read(name) for name in archive.namelist()}
    members["files/\x1b[2J"] = b"cleared"
    members[bundles.RELEASE] = b'{"model":"\\u001b[2J","version":1,"digest":"","provenance":"","sbom":""}'
    path = elsewhere.folder / "odd.lockgate"
    with path.open("wb") as written:
        archives.write(written, members)
    said = elsewhere("verify", str(path), "--key", KEY)
    assert said.code == 3
    assert "\x1b[2J" not in said.out


def test_without_a_key_and_a_home_it_is_asked_for_one(file: Path, elsewhere: CommandLine) -> None:
    said = elsewhere("verify", str(file))
    assert said.code == 2
    assert "Say whose signature counts" in said.err
    assert elsewhere("verify", "nothing.lockgate", "--key", KEY).code == 1


def test_in_a_home_its_own_key_counts_until_it_is_revoked(elsewhere: CommandLine, tmp_path: Path) -> None:
    world = open_world(Home(elsewhere.home))
    keep(world, onnx.make(tmp_path / "model"))
    assert elsewhere("package", a.MODEL, "1", "--as", "data").code == 0
    path = f"dist/{a.MODEL}-1.lockgate"
    said = elsewhere("verify", path)
    assert said.code == 0, said.out
    assert "signed by  this home (ed25519:" in said.out
    assert "numpy" in said.out
    own = elsewhere("key", "show").out.strip()
    assert elsewhere("key", "show").err == f"id {key_id(own)[:12]}\n"
    assert f"this home ({own}), id {key_id(own)[:12]}" in said.out
    assert elsewhere("key", "show", "--pem").out == as_pem(own)
    assert elsewhere("key", "list").out == f"{own}  # {key_id(own)[:12]}\n", "it is no other machine's home"
    assert parse(elsewhere("key", "list").out).keys == (TrustedKey(own),)
    set_policy(world, f"signatures:\n  revoked: [{own} leaked]\n", a.ANNA)
    assert elsewhere("key", "list").out == f"revoked {own} leaked  # {key_id(own)[:12]}\n"
    said = elsewhere("verify", path)
    assert (said.code, "the key leaked, which was revoked" in said.out) == (3, True)


def test_a_wheel_is_looked_into_too(given_contents: Contents, elsewhere: CommandLine, tmp_path: Path) -> None:
    wheel = WheelBuilder(SIGNER, tmp_path / "cache").build([given_contents], tmp_path)
    said = elsewhere("verify", str(wheel), "--key", KEY)
    assert said.code == 0, said.out
    assert "wheel" in said.out
    assert "✓ RECORD" in said.out
    assert elsewhere("verify", str(wheel), "--key", OTHER.public_key).code == 3
