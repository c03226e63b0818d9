"""A source over HTTP: what it asks over one connection, how it breaks off, and what a program hears that may not ask."""

from __future__ import annotations

import ssl
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lockgate.client import Subscriber
from lockgate.client.http_source import HttpSource
from lockgate.kernel.clock import SystemClock
from lockgate.kernel.errors import Unavailable
from tests.integration.client.test_following_over_http import TOKEN, control_plane, plainly
from tests.samples.certificates import Authority
from tests.samples.followed import House
from tests.unit.client.following import asked, following, until

pytestmark = pytest.mark.integration


class _Unchanged(BaseHTTPRequestHandler):
    """Has a pointer, and no news. Notes each connection."""

    protocol_version = "HTTP/1.1"

    def __init__(self, callers: list[Any], *more: Any) -> None:
        callers.append(more[1])
        super().__init__(*more)

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        known = self.headers.get("If-None-Match") == '"1"'
        self.send_response(304 if known else 200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "2")
        self.end_headers()
        if not known:
            self.wfile.write(b"{}")


def test_no_news_cost_no_connection() -> None:
    callers: list[Any] = []
    with plainly(partial(_Unchanged, callers)) as address:
        source = HttpSource(address)
        offered = source.pointer("m@production", "", 0.0)
        assert offered is not None
        assert [source.pointer("m@production", offered.tag, 0.0) for _ in range(3)] == [None] * 3
        source.close()
    assert len(callers) == 1


def test_who_breaks_off_does_not_take_the_encryption_away_first(tmp_path: Path) -> None:
    """A question that is just being written would go out in the clear, with its token."""
    authority = Authority(tmp_path, SystemClock().now())
    pair = authority.pair("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Unchanged, [])) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        source = HttpSource(f"https://127.0.0.1:{server.server_port}", TOKEN, authority.certificate)
        source.pointer("m@production", "", 0.0)
        connected = source._connection.sock
        source.interrupt()
        assert isinstance(connected, ssl.SSLSocket)
        assert connected.version() is not None  # None: plain
        with pytest.raises(OSError):
            connected.sendall(b"t")
        source.close()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("channel", "token", "told"), [("", "", "401"), ("", "wrong", "401"), ("other@production", TOKEN, "has no other")]
)
def test_who_may_not_ask_or_asks_for_what_is_not_there_is_told_at_once(
    tmp_path: Path, channel: str, token: str, told: str
) -> None:
    house = House(tmp_path / "home")
    house.publish(1, 1)
    with control_plane(house) as address:
        subscriber = Subscriber(channel or house.channel, address, keys=house.key, folder=tmp_path / "kept", token=token or None)
        begun = time.monotonic()
        with pytest.raises(Unavailable, match=told):
            subscriber.start(30.0)
        assert time.monotonic() - begun < 10.0


def test_leaving_is_no_fault_and_a_revoked_key_is_seen_while_news_are_waited_for(tmp_path: Path) -> None:
    house, keys, faults = House(tmp_path / "home"), tmp_path / "keys", list[str]()
    house.publish(1, 1)
    keys.write_text(house.key + "\n")
    with control_plane(house) as address:
        remote = {"source": address, "token": TOKEN, "on_fault": faults.append}
        with following(house, tmp_path / "left", **remote) as model:
            house.publish(2, 2)
            until(lambda: model.version == 2)
            time.sleep(0.2)  # the next question waits for news
        assert (faults, model.faults) == ([], ())
        with following(house, tmp_path / "kept", **remote, keys=keys) as model:
            house.publish(3, 3)
            until(lambda: model.version == 3)
            time.sleep(0.2)
            keys.write_text(f"{house.key}\nrevoked {house.key}\n")
            until(lambda: any("goes on answering" in one for one in faults), seconds=4.0)
            assert asked(model) == 3
