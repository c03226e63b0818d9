"""Load in a closed loop: wrk where it is installed, else a small client of our own (slower, but the same for both sides)."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True)
class Measured:
    """rate: answers a second. p50, p99: seconds. failed: answers that were not 200, and broken connections."""

    rate: float
    p50: float
    p99: float
    failed: int


def run(port: int, path: str, bodies: Sequence[bytes], connections: int, seconds: float) -> Measured:
    """POST the bodies in turn, each with a user of its own in `x-user-id`."""
    if shutil.which("wrk"):
        return _wrk(port, path, bodies, connections, seconds)
    given = json.dumps([port, path, [body.decode() for body in bodies], connections, seconds])
    argv = [sys.executable, "-m", "benchmarks.load"]
    return Measured(**json.loads(subprocess.run(argv, input=given, capture_output=True, text=True, check=True).stdout))


def _wrk(port: int, path: str, bodies: Sequence[bytes], connections: int, seconds: float) -> Measured:
    lines = ["local bodies = {"]
    lines += [f"  [==[{body.decode()}]==]," for body in bodies]
    lines += [
        "}",
        "local number = 0",
        "request = function()",
        "  number = number + 1",
        "  wrk.headers['x-user-id'] = 'user-' .. number % 1000",
    ]
    lines += [f"  return wrk.format('POST', '{path}', wrk.headers, bodies[number % #bodies + 1])", "end"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join(lines))
        script.flush()
        argv = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}", "--latency", "-s", script.name]
        text = subprocess.run([*argv, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
    return Measured(_figure(r"Requests/sec:\s+([\d.]+)", text), _time("50%", text), _time("99%", text), _failed(text))


def _figure(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"wrk said what was not expected:\n{text}")
    return float(found.group(1))


def _time(quantile: str, text: str) -> float:
    found = re.search(rf"{quantile}\s+([\d.]+)(us|ms|s)", text)
    return float(found.group(1)) * _UNITS[found.group(2)] if found else float("nan")


def _failed(text: str) -> int:
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    others = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return sum(map(int, errors.groups() if errors else ())) + (int(others.group(1)) if others else 0)


async def _client(port: int, requests: Sequence[bytes], until: float, times: list[float]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    number = failed = 0
    while (begun := time.perf_counter()) < until:
        number += 1
        writer.write(requests[number % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head).group(1))  # type: ignore[union-attr]
        await reader.readexactly(length)
        failed += not head.startswith(b"HTTP/1.1 200")
        times.append(time.perf_counter() - begun)
    writer.close()
    return failed


async def _load(port: int, path: str, bodies: Sequence[str], connections: int, seconds: float) -> Measured:
    head = "POST {path} HTTP/1.1\r\nHost: x\r\nx-user-id: user-{n}\r\nContent-Length: {length}\r\n\r\n{body}"
    requests = [
        head.format(path=path, n=n, length=len(bodies[n % len(bodies)]), body=bodies[n % len(bodies)]).encode()
        for n in range(1000)
    ]
    times: list[float] = []
    begun = time.perf_counter()
    clients = [_client(port, requests[n:] + requests[:n], begun + seconds, times) for n in range(connections)]
    failed = sum(await asyncio.gather(*clients))
    times.sort()
    spent = time.perf_counter() - begun
    return Measured(len(times) / spent, times[len(times) // 2], times[len(times) * 99 // 100], failed)


def main() -> None:
    measured = asyncio.run(_load(*json.loads(sys.stdin.read())))
    Path("/dev/stdout").write_text(json.dumps(measured.__dict__))


if __name__ == "__main__":
    main()
