"""Every kind of key that releases may be signed with keeps the contract of signers, and what each does besides."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from lockgate.boundary.public_keys import as_pem, spelled
from lockgate.integrations.http.vault_key import VaultKey
from lockgate.integrations.local.command_key import CommandKey
from lockgate.integrations.local.environment import asked_environment, keyless_environment, own_environment
from lockgate.integrations.local.given_key import key_in_file, key_in_text
from lockgate.integrations.local.signing_key import LocalSigningKey
from lockgate.kernel.errors import Invalid, LockgateError, Refused, Unavailable
from lockgate.testing.checks.signers import SIGNER_CHECKS, Open
from lockgate.testing.signer import KeySigner
from lockgate.wiring.signer import PUBLIC_VARIABLE, VARIABLE, open_release_signer
from tests.samples.vault import NAMESPACE, TOKEN, Vault, vault_server

KINDS = ("memory", "raw", "pem", "text", "command", "command with a public key", "vault")
_PROGRAM = """
import sys
from base64 import b64encode
from hashlib import sha256
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
key = Ed25519PrivateKey.from_private_bytes(sha256(sys.argv[1].encode()).digest())
if sys.argv[2:] == ["public"]:
    print("ed25519:" + b64encode(key.public_key().public_bytes_raw()).decode())
else:
    print(b64encode(key.sign(sys.stdin.buffer.read())).decode())
"""


@pytest.fixture(scope="module")
def vault() -> Iterator[Vault]:
    with vault_server() as server:
        yield server


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "sign.py"
    path.write_text(_PROGRAM)
    return path


def private(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


def pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def written(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path, program: Path, vault: Vault) -> Open:
    public = {name: spelled(private(name).public_key()) for name in ("one", "other")}
    ways: dict[str, Open] = {
        "memory": KeySigner,
        "raw": lambda name: key_in_file(written(tmp_path / name, private(name).private_bytes_raw())),
        "pem": lambda name: key_in_file(written(tmp_path / name, pem(private(name)))),
        "text": lambda name: key_in_text(
            "ed25519-private:" + b64encode(private(name).private_bytes_raw()).decode(), "$LOCKGATE_SIGNING_KEY"
        ),
        "command": lambda name: CommandKey(f"{sys.executable} {program} {name}"),
        "command with a public key": lambda name: CommandKey(f"{sys.executable} {program} {name}", as_pem(public[name])),
        "vault": lambda name: VaultKey(vault.address, TOKEN, name),
    }
    return ways[request.param]


@pytest.mark.parametrize("check", SIGNER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("opened", KINDS, indirect=True)
def test_contract(check: Callable[[Open], None], opened: Open) -> None:
    check(opened)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_not_used(mode: int, tmp_path: Path) -> None:
    path = written(tmp_path / "key", private("one").private_bytes_raw(), mode)
    with pytest.raises(Refused, match=f"mode {mode:04o} found") as told:
        _ = key_in_file(path).public_key
    assert told.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "0 bytes found"),
        (b"x" * 33, "33 bytes found"),
        (
            private("one").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
            "without a password",
        ),
        (
            generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "another kind",
        ),
    ],
)
def test_what_is_no_key_is_told_and_never_shown(content: bytes, found: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=found):
        key_in_file(written(tmp_path / "key", content)).sign(b"content")


def test_a_text_that_is_no_key_is_never_shown() -> None:
    signer = key_in_text("ed25519-private:SECRET!!", "$LOCKGATE_SIGNING_KEY")
    with pytest.raises(Invalid) as told:
        _ = signer.public_key
    assert "SECRET" not in told.value.message + str(told.value.__cause__) + repr(signer)


def test_a_key_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        key_in_file(tmp_path / "none").sign(b"content")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(Invalid, match="no regular file"):
        key_in_file(tmp_path / "pipe").sign(b"content")


def script(folder: Path, text: str) -> str:
    path = folder / "program.py"
    path.write_text(textwrap.dedent(text))
    return f"{sys.executable} {path}"


@pytest.mark.parametrize(
    ("line", "error", "why"),
    [
        ("/no/such/program", Unavailable, "cannot be started"),
        ("'unfinished", Invalid, "split into words"),
        (" ", Invalid, "empty"),
        (f"{sys.executable} -c 'raise SystemExit(\"denied\")'", Unavailable, "ended with 1: denied"),
        (f"{sys.executable} -c pass", Refused, "no signature"),
    ],
)
def test_a_program_that_does_not_sign_is_told(line: str, error: type[LockgateError], why: str) -> None:
    with pytest.raises(error, match=why):
        CommandKey(line, KeySigner().public_key).sign(b"content")


def test_a_program_that_signs_something_else_is_not_believed(program: Path) -> None:
    with pytest.raises(Refused, match="no signature of that content"):
        CommandKey(f"{sys.executable} {program} other", spelled(private("one").public_key())).sign(b"content")


def test_a_program_that_never_ends_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    line = script(
        tmp_path,
        """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        open(sys.argv[1], "w").write(str(child.pid))
        time.sleep(60)
        """,
    )
    told = tmp_path / "pid"
    with pytest.raises(Unavailable, match="did not end within"):
        CommandKey(f"{line} {told}", KeySigner().public_key, seconds=5.0).sign(b"content")
    state = Path(f"/proc/{told.read_text()}/stat")
    end = time.monotonic() + 20.0  # a signal that was sent is not yet one that has arrived
    while state.exists() and state.read_text().split()[2] not in "ZX":
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_key_that_is_rotated_meanwhile_stays_the_one_that_was_named() -> None:
    with vault_server() as vault:
        signer = VaultKey(vault.address, TOKEN, "one", namespace=NAMESPACE)
        before = signer.public_key
        vault.versions = 11
        assert signer.genuine(before, b"content", signer.sign(b"content"))
        assert VaultKey(vault.address, TOKEN, "one").public_key == spelled(vault.key("one", 11).public_key())


def test_a_vault_that_says_no_or_lies_is_told() -> None:
    with vault_server() as vault:
        with pytest.raises(Unavailable, match="answers 403: permission denied") as denied:
            _ = VaultKey(vault.address, "wrong", "one").public_key
        assert "wrong" not in denied.value.message
        vault.lies = True
        with pytest.raises(Refused, match="no signature of that content"):
            VaultKey(vault.address, TOKEN, "one").sign(b"content")
        vault.kind = "ecdsa-p256"
        with pytest.raises(Invalid, match="'ecdsa-p256', ed25519 expected"):
            _ = VaultKey(vault.address, TOKEN, "one").public_key
        vault.raw = b"<html>"
        with pytest.raises(Unavailable, match="answers 200"):
            _ = VaultKey(vault.address, TOKEN, "one").public_key
        address = vault.address
    with pytest.raises(Unavailable, match="does not answer"):
        _ = VaultKey(address, TOKEN, "one").public_key
    for wrong, token in (("", TOKEN), ("ftp://vault", TOKEN), ("https://vault", "")):
        with pytest.raises(Invalid):
            _ = VaultKey(wrong, token, "one").public_key


@pytest.mark.parametrize(
    "address", ["http://10.0.0.5:8200", "http://vault.example.org", "http://[bad", "https://vault:port", "https://:8200"]
)
def test_a_vaults_token_never_crosses_a_network_in_the_clear(address: str) -> None:
    with pytest.raises(Invalid, match=r"https://HOST:PORT expected, or http:// of this machine's loopback"):
        _ = VaultKey(address, TOKEN, "one", seconds=0.1).public_key


def test_the_environment_says_which_key_signs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: Path, vault: Vault
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    signer = open_release_signer(tmp_path / "home")
    assert not (tmp_path / "home").exists(), "nothing is made before it is needed"
    assert signer.public_key == LocalSigningKey(tmp_path / "home" / "secrets" / "release.key").public_key
    one, other = (spelled(private(name).public_key()) for name in ("one", "other"))
    text = "ed25519-private:" + b64encode(private("one").private_bytes_raw()).decode()
    for said, expected in (
        (str(written(tmp_path / "raw", private("one").private_bytes_raw())), one),
        (text, one),
        (f"command:{sys.executable} {program} other", other),
    ):
        monkeypatch.setenv(VARIABLE, said)
        assert open_release_signer(tmp_path / "home").public_key == expected
    monkeypatch.setenv(PUBLIC_VARIABLE, one)
    assert open_release_signer(tmp_path / "home").public_key == one
    monkeypatch.setenv(VARIABLE, "vault:one")
    monkeypatch.setenv("VAULT_ADDR", vault.address)
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    assert open_release_signer(tmp_path / "home").public_key == spelled(vault.key("one", 1).public_key())


def test_other_peoples_code_never_gets_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, "VAULT_TOKEN"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in own_environment().values()
    assert "secret" not in keyless_environment().values()
    assert "secret" not in asked_environment(installing=True).values()
