"""Where a data plane may listen, the TLS files it is given, and the options that say so."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from lockgate.boundary.certificates import check_tls
from lockgate.boundary.exposure import Exposure, Tls, check_exposure, is_loopback
from lockgate.boundary.key_file import KEY_FILE
from lockgate.boundary.keys import KeyScope
from lockgate.entrypoints.supervisor.up import Addresses, commands
from lockgate.kernel.errors import Invalid, InvalidInput
from lockgate.serving.control.channel import Channel
from lockgate.serving.server.exposing import add_options, granian_options, take_tls
from lockgate.testing.clock import START, VirtualClock
from lockgate.wiring.home import Home
from tests.samples.certificates import CLIENT, Authority
from tests.unit.serving.key_desk import KeyDesk

HERE = ["127.0.0.1", "127.8.0.1", "localhost", "::1", "[::1]"]
ELSEWHERE = ["0.0.0.0", "", "::", "10.1.2.3", "example.org", "localhost.example.org", "127.1", "0", "2130706433"]  # noqa: S104
TLS = Tls(Path("server.pem"), Path("server.key"))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, START)


def found(exposure: Exposure, keys: Path) -> list[str]:
    """What keeps it from listening there."""
    try:
        check_exposure(exposure, keys)
    except InvalidInput as error:
        return [fault.path for fault in error.faults]
    return []


@pytest.mark.parametrize("host", HERE)
def test_on_this_machine_nothing_is_needed(host: str, tmp_path: Path) -> None:
    assert is_loopback(host)
    assert found(Exposure(host), tmp_path / KEY_FILE) == []


@pytest.mark.parametrize("host", ELSEWHERE)
def test_beyond_it_callers_need_keys_and_a_line_that_nobody_reads(host: str, tmp_path: Path) -> None:
    assert not is_loopback(host)
    assert found(Exposure(host), tmp_path / KEY_FILE) == ["keys", "tls"]


@pytest.mark.parametrize(
    ("exposure", "faults"),
    [
        (Exposure("10.0.0.1", public=True), ["tls"]),
        (Exposure("10.0.0.1", plain_http=True), ["keys"]),
        (Exposure("10.0.0.1", tls=TLS), ["keys"]),
        (Exposure("10.0.0.1", public=True, tls=TLS), []),
        (Exposure("10.0.0.1", public=True, plain_http=True), []),
        (Exposure("127.0.0.1", control="http://10.0.0.2:7070"), ["control"]),
        (Exposure("127.0.0.1", control="https://10.0.0.2:7070"), []),
        (Exposure("127.0.0.1", control="http://10.0.0.2:7070", plain_http=True), []),
        (Exposure("127.0.0.1", control="http://[::1]:7070"), []),
    ],
)
def test_each_is_said_apart(exposure: Exposure, faults: list[str], tmp_path: Path) -> None:
    assert found(exposure, tmp_path / KEY_FILE) == faults


def test_with_keys_it_may_listen(tmp_path: Path, clock: VirtualClock) -> None:
    desk = KeyDesk(tmp_path, clock)
    desk.add("mine")
    desk.revoke("mine", clock.now())
    assert found(Exposure("10.0.0.1", tls=TLS), desk.store.path) == [], "closed to all is safe, and a restart must not fail"


def test_keys_that_open_channels_only_let_nobody_in(tmp_path: Path, clock: VirtualClock) -> None:
    desk = KeyDesk(tmp_path, clock)
    desk.add("app", KeyScope.SUBSCRIBE)
    with pytest.raises(InvalidInput) as caught:
        check_exposure(Exposure("10.0.0.1", tls=TLS), desk.store.path)
    assert "only some of the scope subscribe" in caught.value.faults[0].message


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1"])
def test_a_file_of_keys_that_is_broken_keeps_it_from_starting(host: str, tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("{")
    with pytest.raises(Invalid, match="this is no file of keys"):
        check_exposure(Exposure(host, tls=TLS), tmp_path / KEY_FILE)


def test_a_good_certificate_is_not_worth_a_word(authority: Authority) -> None:
    pair = authority.pair("server")
    assert check_tls(Tls(pair.certificate, pair.key, client_ca=authority.certificate), START) == []


@pytest.mark.parametrize(("days", "said"), [(15.0, ""), (13.0, "ends at 2026-01-18 09:00 UTC"), (-2.0, "ended at 2026-01-03")])
def test_the_end_of_a_certificate_is_warned_of(authority: Authority, days: float, said: str) -> None:
    pair = authority.pair("server", days=days)
    assert said in "".join(check_tls(Tls(pair.certificate, pair.key), START))
    assert bool(said) == bool(check_tls(Tls(pair.certificate, pair.key), START))


def test_a_certificate_for_callers_is_none_for_a_server(authority: Authority) -> None:
    pair = authority.pair("caller", CLIENT)
    [warning] = check_tls(Tls(pair.certificate, pair.key), START)
    assert "unsuitable certificate purpose" in warning


def test_a_private_key_that_everybody_can_read_is_warned_of(authority: Authority) -> None:
    pair = authority.pair("server")
    pair.key.chmod(0o644)
    [warning] = check_tls(Tls(pair.certificate, pair.key), START)
    assert "can be read by everybody" in warning


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_password(authority: Authority) -> None:
    pair = authority.pair("server", password="open sesame")
    with pytest.raises(Invalid, match=r"server\.key is encrypted"):
        check_tls(Tls(pair.certificate, pair.key), START)


def test_files_that_do_not_fit_are_named(authority: Authority, tmp_path: Path) -> None:
    one, other = authority.pair("one"), authority.pair("other")
    (tmp_path / "text").write_text("no certificate")
    for tls, said in (
        (Tls(one.certificate, other.key), "other.key is not the private key of"),
        (Tls(tmp_path / "none", one.key), "there is no file"),
        (Tls(one.certificate, tmp_path), "there is no file"),
        (Tls(tmp_path / "text", one.key), "cannot be used"),
        (Tls(one.certificate, tmp_path / "text"), "cannot be used"),
        (Tls(one.certificate, one.key, client_ca=tmp_path / "text"), "cannot be used"),
    ):
        with pytest.raises(Invalid, match=said):
            check_tls(tls, START)


def test_a_channel_needs_an_authority_that_is_one(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no certificate")
    for path in (tmp_path / "text", tmp_path / "none"):
        with pytest.raises(Invalid, match="cannot be used as an authority"):
            Channel("https://127.0.0.1:1", "token", 1.0, path)


def taken(*words: str) -> Tls | None:
    asked = argparse.ArgumentParser()
    add_options(asked)
    return take_tls(vars(asked.parse_args(words)))


def test_the_options_say_what_granian_is_told(authority: Authority) -> None:
    pair = authority.pair("server")
    words = ["--tls-cert", str(pair.certificate), "--tls-key", str(pair.key), "--tls-min", "1.3"]
    plain, told = granian_options(taken(*words)), granian_options(taken(*words, "--tls-client-ca", str(authority.certificate)))
    assert (plain["ssl_cert"], plain["ssl_key"], str(plain["ssl_protocol_min"])) == (pair.certificate, pair.key, "tls1.3")
    assert (plain["ssl_client_verify"], told["ssl_client_verify"], told["ssl_ca"]) == (False, True, authority.certificate)
    assert granian_options(taken()) == {}


@pytest.mark.parametrize("words", [("--tls-cert", "a"), ("--tls-key", "a"), ("--tls-client-ca", "a")])
def test_half_of_what_tls_needs_is_too_little(words: tuple[str, str]) -> None:
    with pytest.raises(Invalid, match="both a certificate and its key"):
        taken(*words)


def test_the_supervisor_hands_on_where_the_data_plane_listens(tmp_path: Path) -> None:
    tls = Tls(Path("a.pem"), Path("a.key"), "1.3", Path("ca.pem"))
    addresses = Addresses(data_host="0.0.0.0", public=True, plain_http=True, tls=tls)  # noqa: S104 - nothing is bound
    words = commands(Home(tmp_path), addresses)["gateway"]
    asked = argparse.ArgumentParser(allow_abbrev=False)
    add_options(asked)
    known, rest = asked.parse_known_args(words[3:])
    assert take_tls(vars(known)) == tls
    assert known.public
    assert known.plain_http
    assert rest[rest.index("--host") + 1] == "0.0.0.0"  # noqa: S104
    assert rest[rest.index("--control") + 1] == "http://127.0.0.1:7070"
    assert (addresses.data, addresses.control) == ("https://127.0.0.1:7080", "http://127.0.0.1:7070")


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert Addresses(host="::1").control == "http://[::1]:7070"
    assert Addresses(data_host="::").data == "http://[::1]:7080"
