"""Where the control plane may listen, and by which provider people sign in: all that is wrong, said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.entrypoints.exposed import Exposed, check_exposure
from lockgate.kernel.clock import SystemClock
from lockgate.kernel.errors import Invalid, InvalidInput
from lockgate.ports.state import USERS
from lockgate.project.identity_file import read_identity_file
from lockgate.testing import company
from lockgate.testing.state import MemoryState
from lockgate.wiring.home import Home
from lockgate.wiring.identity import open_identity

EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound here
GOOD = "issuer: https://id.example.org/realms/a\nclient_id: lockgate\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def peopled(state: MemoryState) -> MemoryState:
    with state.write() as tx:
        tx.add(USERS, company.user())
    return state


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.7"])
def test_on_this_machine_nothing_is_needed(state: MemoryState, home: Home, host: str) -> None:
    check_exposure(Exposed(host), state, home)


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "", "10.0.0.5", "lock.example"])
def test_beyond_it_users_and_tls(state: MemoryState, home: Home, host: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_exposure(Exposed(host), state, home)
    assert [fault.path for fault in caught.value.faults] == ["users", "tls"]
    assert "lockgate user add" in str(caught.value.hint)


def test_tls_ends_before_it_or_the_network_is_trusted(peopled: MemoryState, home: Home) -> None:
    check_exposure(Exposed(EVERYWHERE, "https://lock.example"), peopled, home)
    check_exposure(Exposed(EVERYWHERE, plain_http=True), peopled, home)
    with pytest.raises(InvalidInput, match="tls"):
        check_exposure(Exposed(EVERYWHERE, "http://lock.example"), peopled, home)


def test_an_identity_provider_is_as_good_as_a_user(state: MemoryState, home: Home) -> None:
    (home.folder / "oidc.yaml").write_text(GOOD)
    check_exposure(Exposed(EVERYWHERE, plain_http=True), state, home)


@pytest.mark.parametrize("url", ["lock.example", "ftp://lock.example", "https://lock.example/path", "https://", "https://a?b"])
def test_an_address_that_is_none(state: MemoryState, home: Home, url: str) -> None:
    with pytest.raises(InvalidInput, match="url"):
        check_exposure(Exposed(url=url), state, home)


def written(home: Home, text: str, secret: str | None = "s", mode: int = 0o600) -> Home:  # noqa: S107 - of a test
    (home.folder / "oidc.yaml").write_text(text)
    if secret is not None:
        path = home.secrets / "oidc.secret"
        path.write_text(secret)
        path.chmod(mode)
    return home


def test_without_the_file_nobody_vouches(home: Home) -> None:
    assert open_identity(home, SystemClock()) is None


def test_the_file_has_what_it_needs(home: Home) -> None:
    told = GOOD + "name: Example\nclaim: preferred_username\ngroups_claim: groups\ncreate: true\n"
    provider = open_identity(written(home, told), SystemClock())
    assert provider is not None
    assert (provider.name, provider.create) == ("Example", True)
    file = read_identity_file(home.folder / "oidc.yaml")
    assert (file.claim, file.groups_claim) == ("preferred_username", "groups")


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("", [""]),
        ("- a", [""]),
        ("name: x", ["issuer", "client_id"]),
        (GOOD + "isuer: x", ["isuer"]),
        (GOOD + "client_secret: x", ["client_secret"]),
        ("issuer: http://id.example.org\nclient_id: a", ["issuer"]),
        ("issuer: https://id.example.org?a=b\nclient_id: a", ["issuer"]),
        (GOOD + "create: 1", ["create"]),
        (GOOD + "claim: ''", ["claim"]),
        (GOOD + "client_id: b", ["client_id"]),
    ],
)
def test_faults_of_the_file(home: Home, text: str, paths: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_identity(written(home, text), SystemClock())
    assert [fault.path for fault in caught.value.faults] == paths


@pytest.mark.parametrize(
    ("secret", "mode", "why"), [(None, 0, "cannot be read"), (" \n", 0o600, "empty"), ("s", 0o640, "others")]
)
def test_faults_of_the_secret(home: Home, secret: str | None, mode: int, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        open_identity(written(home, GOOD, secret, mode), SystemClock())
