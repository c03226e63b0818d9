"""How often something may happen, and how often an address may fail without being told to slow down.

The limit is the generic cell rate algorithm: each key has the time at which its next request is due, and a request may come early
by as much as the burst allows. One number for each key.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, IPv6Network

from lockgate.boundary.keys import Rate

MOST_PEERS = 4096
_ROUNDING = 1e-9  # seconds
FAILURES = Rate(per_second=1 / 6, burst=20)


def decide(due: float, now: float, rate: Rate) -> tuple[float, float]:
    """When the next request is due after this one, and 0; or `due` as it was, and the seconds to wait. Pure.

    due, now: seconds on one monotonic clock. A `due` beyond what the rate can have led to (the machine started again, or the rate
    was changed) counts as a burst that is used up.
    """
    interval = 1.0 / rate.per_second
    due = min(max(due, now), now + rate.burst * interval)
    wait = due - now - (rate.burst - 1) * interval
    return (due, wait) if wait > _ROUNDING else (due + interval, 0.0)


class Failures:
    """Refusals by address, in one worker. Addresses that were not heard of for longest are forgotten when there are too many."""

    def __init__(self, rate: Rate = FAILURES) -> None:
        self._rate = rate
        self._dues: OrderedDict[str, float] = OrderedDict()

    def wait(self, peer: str, now: float) -> float:
        """Count a failure. 0 while there are few; else the seconds until the next one is taken as the first was."""
        network = _network(peer)
        self._dues[network], wait = decide(self._dues.get(network, 0.0), now, self._rate)
        self._dues.move_to_end(network)
        if len(self._dues) > MOST_PEERS:
            self._dues.popitem(last=False)
        return wait


def _network(peer: str) -> str:
    """An IPv6 caller has as many addresses as it likes within its /64."""
    if ":" not in peer:
        return peer
    try:
        address = IPv6Address(peer.strip("[]"))
    except ValueError:
        return peer
    return str(address.ipv4_mapped or IPv6Network((int(address) >> 64 << 64, 64)))
