"""A server on loopback that answers as the transit secrets engine of HashiCorp Vault does, with real keys."""

from __future__ import annotations

import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TOKEN = "hvs.tests"
NAMESPACE = "team"


class Vault:
    """versions: of every key. kind: of all keys. lies: signs something else than it is asked to."""

    def __init__(self) -> None:
        self.versions = 1
        self.kind = "ed25519"
        self.lies = False
        self.raw: bytes | None = None  # answered to everything
        self.asked: list[str] = []
        self.address = ""

    def key(self, name: str, version: int) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(sha256(f"{name} {version}".encode()).digest())

    def answer(self, path: str, headers: Any, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(path)
        if headers["x-vault-token"] != TOKEN or headers["x-vault-namespace"] not in (None, NAMESPACE):
            return 403, {"errors": ["permission denied"]}
        match path.strip("/").split("/"):
            case ["v1", "transit", "keys", name]:
                return 200, {"data": {"type": self.kind, "latest_version": self.versions, "keys": self._public(name)}}
            case ["v1", "transit", "sign", name]:
                version = body.get("key_version") or self.versions
                content = b"another" if self.lies else b64decode(body["input"])
                signature = b64encode(self.key(name, version).sign(content)).decode()
                return 200, {"data": {"signature": f"vault:v{version}:{signature}", "key_version": version}}
        return 404, {"errors": []}

    def _public(self, name: str) -> dict[str, dict[str, str]]:
        keys = {version: self.key(name, version).public_key() for version in range(1, self.versions + 1)}
        return {str(version): {"public_key": b64encode(key.public_bytes_raw()).decode()} for version, key in keys.items()}


@contextmanager
def vault_server() -> Iterator[Vault]:
    vault = Vault()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _answer(self, body: dict[str, Any]) -> None:
            status, said = vault.answer(self.path, self.headers, body)
            content = vault.raw if vault.raw is not None else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nobody wants to know."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        vault.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield vault
        finally:
            server.shutdown()
