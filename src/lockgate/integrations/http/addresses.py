"""Which addresses of the internet protocols are public: by the registries of special-purpose addresses (RFC 6890 and later).

Written out here, since what a library calls global differs from release to release, and forms that carry an IPv4 address inside
an IPv6 one are judged by what they carry.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_NO_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by a carrier
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link-local, and where clouds keep the metadata of machines
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
_UNICAST = IPv6Network("2000::/3")  # beyond it nothing is public, but what is translated
_NO_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, among them Teredo
            "2001:db8::/32",  # documentation
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)
_TRANSLATED = IPv6Network("64:ff9b::/96")  # NAT64: the last 32 bits
_SIX_TO_FOUR = IPv6Network("2002::/16")  # the 32 bits behind the prefix
_MAPPED = IPv6Network("::ffff:0:0/96")  # the last 32 bits
_ISATAP = (0x00005EFE, 0x02005EFE)  # bits 64 to 95 of an interface that carries an IPv4 address in the last 32
_LOW = 0xFFFFFFFF


def is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NO_V4)
    bits = int(address)
    if address in _TRANSLATED or address in _MAPPED:
        return is_public(IPv4Address(bits & _LOW))
    if address not in _UNICAST or any(address in network for network in _NO_V6):
        return False
    if (bits >> 32) & _LOW in _ISATAP and not is_public(IPv4Address(bits & _LOW)):
        return False
    return address not in _SIX_TO_FOUR or is_public(IPv4Address((bits >> 80) & _LOW))
