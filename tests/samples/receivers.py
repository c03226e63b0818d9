"""Receivers of notices that listen on this machine: one speaks HTTP, one SMTP."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from tests.samples.certificates import Pair


class Request(NamedTuple):
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class HttpReceiver:
    """Keeps what it gets. It answers with `status`, `headers` and `body` after `delay` seconds; trickle: a byte each so often."""

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"thank you"
    delay: float = 0.0
    trickle: float = 0.0
    got: list[Request] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=very-secret"

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.got]

    def wait(self, count: int, seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while len(set(self.ids)) < count:
            assert time.monotonic() < end, f"{len(set(self.ids))} of {count} notices came: {self.ids}"
            time.sleep(0.02)


@contextmanager
def http_receiver(tls: Pair | None = None) -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.append(Request(self.path, {name.lower(): text for name, text in self.headers.items()}, body))
            receiver.closing.wait(receiver.delay)
            self.send_response(receiver.status)
            for name, text in {"content-length": str(len(receiver.body)), **receiver.headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self._write(receiver.body)

        def _write(self, body: bytes) -> None:
            try:
                for at in range(len(body)) if receiver.trickle else ():
                    self.wfile.write(body[at : at + 1])
                    if receiver.closing.wait(receiver.trickle):
                        return
                if not receiver.trickle:
                    self.wfile.write(body)
            except OSError:
                pass  # the caller has had enough

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a caller that went away

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class SmtpReceiver:
    """Keeps the mails that it gets. refuse: what it says to a recipient, as `550 no such user`."""

    port: int = 0
    refuse: str = ""
    got: list[EmailMessage] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


@contextmanager
def smtp_receiver(tls: Pair | None = None) -> Iterator[SmtpReceiver]:
    """tls: what it shows after STARTTLS; it takes the password only then."""
    receiver = SmtpReceiver()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            while line := self.rfile.readline().decode().strip():
                receiver.said.append(line)
                if not self._answer(line.partition(" ")[0].upper()):
                    return

        def _answer(self, word: str) -> bool:
            if word == "EHLO":
                self._say(
                    "250-here\r\n250 " + ("AUTH PLAIN" if isinstance(self.request, ssl.SSLSocket) or not tls else "STARTTLS")
                )
            elif word == "STARTTLS" and tls is not None:
                self._say("220 go on")
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(tls.certificate, tls.key)
                self.request = context.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)
                self.request.do_handshake()
                self.rfile = self.request.makefile("rb")
                self.wfile = self.request.makefile("wb", 0)
            elif word == "DATA":
                self._say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                receiver.got.append(message_from_bytes(b"".join(lines), policy=default))
                self._say("250 kept")
            else:
                self._say({"AUTH": "235 welcome", "QUIT": "221 bye", "RCPT": receiver.refuse}.get(word) or "250 fine")
            return word != "QUIT"

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def finish(self) -> None:
            self.rfile.close()
            self.wfile.close()
            self.request.close()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = False

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a caller that does not trust us

    with Server(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def closed_port() -> int:
    """One at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
