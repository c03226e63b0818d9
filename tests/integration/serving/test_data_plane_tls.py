"""TLS: what is sent cannot be read, who answers is who it should be, and, where that is asked for, who asks too."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lockgate.boundary.key_file import KEY_FILE
from lockgate.boundary.keys import KeyScope, new_key
from lockgate.boundary.routes import Arm, Role, Route
from lockgate.integrations.local.keys import LocalKeys
from lockgate.kernel.clock import SystemClock
from lockgate.kernel.errors import Unavailable
from lockgate.serving.control.channel import Channel
from lockgate.wiring.home import Home
from tests.integration.installation import free_port
from tests.integration.serving.data_plane import MODEL, ControlPlane, DataPlane, call, columns, wait_for
from tests.samples.certificates import CLIENT, Authority, Pair

pytestmark = pytest.mark.integration

INFER = f"/v2/models/{MODEL}/infer"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, SystemClock().now())


def trusting(authority: Authority, pair: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.certificate)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def status(port: int, context: ssl.SSLContext, path: str = "/v2/health/live", key: str = "") -> int:
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    try:
        body = columns((1.0, "AA")) if path == INFER else None
        connection.request("POST" if body else "GET", path, body, {"authorization": f"Bearer {key}"} if key else {})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def files(pair: Pair) -> tuple[str, ...]:
    return "--tls-cert", str(pair.certificate), "--tls-key", str(pair.key)


def test_a_request_over_tls_is_answered_and_one_in_the_clear_is_not(
    new_plane: Callable[..., DataPlane], own_control: ControlPlane, authority: Authority, tmp_path: Path
) -> None:
    pair = authority.pair("server", days=3.0)
    key, text = new_key("mine", [KeyScope.INFER], SystemClock().now())
    (tmp_path / "home" / "secrets").mkdir(parents=True)
    LocalKeys(tmp_path / "home" / "secrets" / KEY_FILE).write([key])
    plane = new_plane("--host", "0.0.0.0", "--workers", "2", *files(pair))  # noqa: S104
    own_control.publish(Route(MODEL, (Arm(1, plane.artifacts.linear(0.0), Role.CHAMPION, 1.0),)))
    context = trusting(authority)
    wait_for(lambda: status(plane.port, context, INFER, text) == 200, "the model is ready")
    assert status(plane.port, context, INFER) == 401
    with pytest.raises(ssl.SSLCertVerificationError):
        status(plane.port, ssl.create_default_context())
    with pytest.raises((http.client.HTTPException, OSError)):
        call(plane.url("/v2/health/live"))
    assert ["ends at" in event["reason"] for event in plane.events if event["event"] == "tls"] == [True]
    assert text[17:] not in json.dumps(list(plane.events))


@pytest.mark.parametrize(("minimum", "answered"), [("1.2", True), ("1.3", False)])
def test_tls_is_as_old_as_it_may_be(
    new_plane: Callable[..., DataPlane], authority: Authority, minimum: str, *, answered: bool
) -> None:
    plane = new_plane(*files(authority.pair("server")), "--tls-min", minimum)
    wait_for(lambda: status(plane.port, trusting(authority)) == 200, "it answers")
    old = trusting(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    if answered:
        assert status(plane.port, old) == 200
        return
    with pytest.raises(ssl.SSLError):
        status(plane.port, old)


def test_callers_without_a_certificate_of_the_authority_are_not_heard(
    new_plane: Callable[..., DataPlane], authority: Authority, tmp_path: Path
) -> None:
    plane = new_plane(*files(authority.pair("server")), "--tls-client-ca", str(authority.certificate))
    ours = authority.pair("caller", CLIENT)
    wait_for(lambda: status(plane.port, trusting(authority, ours)) == 200, "a caller with a certificate is answered")
    (tmp_path / "elsewhere").mkdir()
    stranger = Authority(tmp_path / "elsewhere", SystemClock().now()).pair("stranger", CLIENT)
    for pair in (None, stranger):
        with pytest.raises(OSError):
            status(plane.port, trusting(authority, pair))


@pytest.mark.slow
def test_everything_comes_up_with_a_data_plane_that_asks_for_certificates(authority: Authority, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    pair, port, data_port = authority.pair("server"), free_port(), free_port()
    words = [sys.executable, "-m", "lockgate.entrypoints.cli", "up", "--home", str(home.folder), *files(pair)]
    words += ["--tls-client-ca", str(authority.certificate), "--port", str(port), "--data-port", str(data_port)]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as supervisor:
        try:
            wait_for(lambda: "Ctrl-C" in (tmp_path / "log").read_text(), "everything is up", 60.0)
            assert json.loads(home.server.read_text())["data"] == f"https://127.0.0.1:{data_port}"
            assert status(data_port, trusting(authority, authority.pair("caller", CLIENT))) == 200
        finally:
            supervisor.terminate()
            supervisor.wait(30)


class _Control(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"table")

    def log_message(self, *_: object) -> None:
        """Of no use to a test."""


class _Quiet(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """A caller that does not trust us hangs up: that is what the test is about."""


@pytest.fixture
def secure_control(authority: Authority) -> Iterator[int]:
    pair = authority.pair("control")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with _Quiet(("127.0.0.1", 0), _Control) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_control_plane_is_trusted_by_its_authority(secure_control: int, authority: Authority) -> None:
    url = f"https://127.0.0.1:{secure_control}"
    channel = Channel(url, "token", 5.0, authority.certificate)
    assert channel.call("GET", "/control/v1/routes") == b"table"
    channel.close()
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        Channel(url, "token", 5.0).call("GET", "/control/v1/routes")
