"""Records and services of the OSV format for tests: a snapshot on the disk, and a small API over real HTTP."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def record(identifier: str, name: str, version: str, *, at: datetime, **fields: Any) -> dict[str, Any]:
    """Of every version of the distribution up to this one; mended in 999."""
    events = [{"introduced": "0"}, {"fixed": "999"}]
    package = {"name": name, "ecosystem": "PyPI"}
    affected = [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}], "versions": [version]}]
    return {"id": identifier, "modified": at.isoformat(), "summary": f"{name} is bad", "affected": affected, **fields}


def snapshot(path: Path, *records: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in records:
            archive.writestr(f"{one['id']}.json", json.dumps(one))
    return path


@contextmanager
def osv_api(*records: dict[str, Any], broken: bytes | None = None) -> Iterator[tuple[str, list[str]]]:
    """The address of an OSV API that knows these records, and the paths that it was asked. broken: what it answers instead."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

        def do_POST(self) -> None:
            asked.append(self.path)
            query = json.loads(self.rfile.read(int(self.headers["content-length"])))
            name = query["package"]["name"]
            found = [one for one in records if name in [entry["package"]["name"] for entry in one["affected"]]]
            self._say({"vulns": found} if found else {})

        def do_GET(self) -> None:
            asked.append(self.path)
            found = next((one for one in records if self.path == f"/v1/vulns/{one['id']}"), None)
            if found is None:
                self.send_error(404)
            else:
                self._say(found)

        def _say(self, value: Any) -> None:
            content = json.dumps(value).encode() if broken is None else broken
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
