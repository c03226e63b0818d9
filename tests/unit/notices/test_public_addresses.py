"""Which addresses are public, and which URLs a notice may go to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.integrations.http.addresses import is_public
from lockgate.integrations.http.target import parse
from lockgate.kernel.errors import Invalid

NOT_PUBLIC = """
127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254
169.254.170.2 100.64.0.1 100.127.255.255 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.7 192.88.99.1 224.0.0.1
224.0.1.1 239.255.255.250 240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:10.0.0.1 fe80::1 febf::1 fec0::1 fc00::1 fd00:ec2::254
fdff::1 ff02::1 ff0e::1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::a00:1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2
2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe::1 2002:c0a8:1::1 3fff::1 5f00::1 2a00:1450::5efe:a00:1 2a00:1450::200:5efe:7f00:1
"""
PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 169.253.255.255 172.15.255.255
172.32.0.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 223.255.255.255
2606:4700::1111 2a00:1450:4001:80b::200e ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1 2001:200::1 2a00:1450::5efe:808:808
"""


@pytest.mark.parametrize("text", NOT_PUBLIC.split())
def test_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC.split())
def test_public(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_as_itself(inner: IPv4Address) -> None:
    bits = int(inner)
    expected = is_public(inner)
    for outer in (0x64FF9B << 96 | bits, 0xFFFF << 32 | bits, 0x2002 << 112 | bits << 80 | 1):
        assert is_public(IPv6Address(outer)) is expected


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_that_the_standard_library_calls_private_is_public(address: IPv4Address | IPv6Address) -> None:
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    known = inner or address
    if known.is_private or known.is_loopback or known.is_link_local or known.is_multicast or known.is_unspecified:
        assert not is_public(address)


@pytest.mark.parametrize(
    ("url", "shown", "path"),
    [
        ("https://hooks.example.org/a/b?c=d", "hooks.example.org", "/a/b?c=d"),
        ("https://HOOKS.example.org.", "hooks.example.org", "/"),
        ("https://hooks.example.org:8443/x#part", "hooks.example.org:8443", "/x"),
        ("https://[2606:4700::1111]:444/x", "[2606:4700::1111]:444", "/x"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/"),
    ],
)
def test_a_url_is_taken_apart(url: str, shown: str, path: str) -> None:
    target = parse(url, ())
    assert (target.shown, target.path, target.named) == (shown, path, False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "https://",
        "https:///path",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "http://hooks.example.org/",
        "https://user:secret@hooks.example.org/",
        "https://user@hooks.example.org/",
        "https://hooks.example.org:0/",
        "https://hooks.example.org:99999/",
        "https://hooks.example.org:x/",
        "https://hooks.example.org\\@other.example/",
        "https://hooks.example.org/a b",
        "https://hooks.example.org/\r\nx-injected:1",
        "https://hooks.exämple.org/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.01/",
        "https://[::1%25eth0]/",
        "https://[::1/",
        "https://hooks..example.org/",
        "https://-hooks.example.org/",
        "https://" + "a" * 64 + ".org/",
        "https://hooks.example.org/" + "a" * 2048,
    ],
)
def test_what_is_no_url_for_a_notice_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(url, ())
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("private", "url", "named"),
    [
        (("localhost",), "http://localhost:9000/", True),
        (("localhost:9000",), "http://LOCALHOST:9000/", True),
        (("127.0.0.1:9000",), "http://127.0.0.1:9000/", True),
        (("[::1]:9000",), "http://[::1]:9000/", True),
        (("::1",), "http://[::1]:9000/", True),
        (("Jenkins.corp",), "https://jenkins.corp/", True),
        (("jenkins.corp:8443",), "https://jenkins.corp/", False),
        (("corp",), "https://jenkins.corp/", False),
    ],
)
def test_hosts_that_the_policy_names(private: tuple[str, ...], url: str, named: bool) -> None:  # noqa: FBT001
    assert parse(url, private).named is named
