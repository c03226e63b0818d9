"""Who we are for a registry: what `docker login` keeps, or three environment variables.

LOCKGATE_REGISTRY names the registry (HOST[:PORT]) that LOCKGATE_REGISTRY_USER and LOCKGATE_REGISTRY_PASSWORD are for; no other
one is ever shown them. Otherwise `$DOCKER_CONFIG/config.json` (or ~/.docker/config.json) is read, with its credential helpers.
Source: the docker client's configuration reference (auths, credsStore, credHelpers) and docker-credential-helpers' protocol.
"""

from __future__ import annotations

import re
import subprocess
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lockgate.boundary.withheld import for_others
from lockgate.kernel.errors import Invalid, Unavailable

_HUB, _HUB_KEY = "docker.io", "https://index.docker.io/v1/"
_HELPER = re.compile(r"[A-Za-z0-9._-]{1,60}", re.ASCII)
_PATIENCE = 15.0  # seconds for a helper, which may have to ask a keyring
_TOKEN_USER = "<token>"  # how a helper says that its secret is an identity token
_NOT_THERE = b"credentials not found"


@dataclass(frozen=True, slots=True)
class Credentials:
    """token: an identity token instead of a password."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


class _Entry(msgspec.Struct, frozen=True):
    auth: str = ""
    identitytoken: str = ""


class _Config(msgspec.Struct, frozen=True, rename="camel"):
    auths: dict[str, _Entry] = {}
    creds_store: str = ""
    cred_helpers: dict[str, str] = {}


class _Helped(msgspec.Struct, frozen=True, rename="pascal"):
    username: str
    secret: str


def credentials_for(host: str, environment: Mapping[str, str]) -> Credentials | None:
    """None: nobody in particular. No message repeats a secret.

    Raises:
        Invalid: the configuration cannot be read. Unavailable: a helper does not answer.
    """
    if environment.get("LOCKGATE_REGISTRY") == host:
        password = environment.get("LOCKGATE_REGISTRY_PASSWORD", "")
        return Credentials(environment.get("LOCKGATE_REGISTRY_USER", ""), password)
    folder = environment.get("DOCKER_CONFIG") or str(Path(environment.get("HOME", "/")) / ".docker")
    path = Path(folder) / "config.json"
    config = _read(path)
    key = _HUB_KEY if host == _HUB else host
    helper = config.cred_helpers.get(host) or config.creds_store
    if helper:
        return _helped(helper, key, environment)
    entry = config.auths.get(key) or config.auths.get(f"https://{host}") or config.auths.get(f"https://{host}/v1/")
    return _of(entry, path, host) if entry is not None else None


def _read(path: Path) -> _Config:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Config)
    except FileNotFoundError:
        return _Config()
    except (msgspec.DecodeError, UnicodeDecodeError):  # its message could repeat a secret
        raise Invalid(f"{path} is not what `docker login` writes", hint="Log in again: docker login REGISTRY.") from None
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error


def _of(entry: _Entry, path: Path, host: str) -> Credentials | None:
    if entry.identitytoken:
        return Credentials(token=entry.identitytoken)
    if not entry.auth:
        return None
    try:
        user, colon, password = b64decode(entry.auth, validate=True).decode().partition(":")
    except ValueError:  # of base 64, or of UTF-8
        colon = ""
    if not colon:
        raise Invalid(f"{path}: what it holds for {host} is no user and password", hint=f"Log in again: docker login {host}.")
    return Credentials(user, password)


def _helped(name: str, key: str, environment: Mapping[str, str]) -> Credentials | None:
    if not _HELPER.fullmatch(name):
        raise Invalid(f"credential helper {name!r:.80} found, a plain name expected")
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run(
            [program, "get"], input=key.encode(), capture_output=True, timeout=_PATIENCE, env=for_others(environment), check=False
        )
        if done.returncode:
            if _NOT_THERE in done.stdout:
                return None
            raise Unavailable(f"{program} cannot say who we are for {key} (exit code {done.returncode})")
        found = msgspec.json.decode(done.stdout, type=_Helped)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{program} cannot be asked: {type(error).__name__}", hint="Install it, or log in again.") from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unavailable(f"{program} says nothing that could be understood") from None
    return Credentials(token=found.secret) if found.username == _TOKEN_USER else Credentials(found.username, found.secret)
