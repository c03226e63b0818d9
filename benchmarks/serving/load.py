"""Load in a closed loop by wrk: each connection sends its next request when it has its answer."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.machine import cores, pinned

USERS = 1000
_MEMORY = 64 << 20  # bytes of requests that wrk keeps ready
_SCRIPT = """
local shots = {
%(shots)s
}
local bodies = assert(io.open('%(bodies)s', 'rb'))
local requests, number = {}, 0

function init(arguments)
  for n = 1, %(count)d do
    local shot = shots[(n - 1) %% #shots + 1]
    local headers = {['Host'] = wrk.headers['Host'], ['x-user-id'] = 'user-' .. n}
    for name, value in pairs(shot.headers) do headers[name] = value end
    bodies:seek('set', shot.offset)
    requests[n] = wrk.format('POST', shot.path, headers, bodies:read(shot.length))
  end
end

function request()
  number = number %% #requests + 1
  return requests[number]
end

function done(summary, latency, all)
  local e = summary.errors
  io.stderr:write(string.format('{"answers":%%d,"microseconds":%%d,"p50":%%f,"p99":%%f,"refused":%%d,"broken":%%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""

_PAUSES = """
local thread_of_all
statuses_good, statuses_refused = 0, 0

function setup(thread)
  thread_of_all = thread
end

function delay()
  return -%(pause)f * math.log(1 - math.random())
end

function response(status)
  if status == 200 then statuses_good = statuses_good + 1 end
  if status == 429 then statuses_refused = statuses_refused + 1 end
end

function done(summary)
  local e = summary.errors
  io.stderr:write(string.format('{"answers":%%d,"microseconds":%%d,"good":%%d,"refused":%%d,"broken":%%d}\\n',
    summary.requests, summary.duration, thread_of_all:get('statuses_good'), thread_of_all:get('statuses_refused'),
    e.connect + e.read + e.write + e.timeout))
end
"""
_MANY = 5000  # connections: each is silent most of the time


@dataclass(frozen=True, slots=True)
class Shot:
    """One POST."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True)
class Measured:
    """rate: answers a second. p50, p99: seconds. failed: answers that were not 2xx or 3xx, and broken connections."""

    answers: int
    rate: float
    p50: float
    p99: float
    failed: int


@dataclass(frozen=True, slots=True)
class Flooded:
    """rate: requests a second. good: answers a second. refused: those with 429. other: with another status, or broken."""

    rate: float
    good: float
    refused: int
    other: int


def run(port: int, shots: Sequence[Shot], connections: int, seconds: float) -> Measured:
    """Send the shots in turn, each time as another of 1,000 users (`x-user-id`); fewer if the bodies are large."""
    said = _said(port, shots, connections, seconds)
    rate = said["answers"] / said["microseconds"] * 1e6
    return Measured(said["answers"], rate, said["p50"] / 1e6, said["p99"] / 1e6, said["refused"] + said["broken"])


def flood(port: int, shots: Sequence[Shot], rate: float, seconds: float) -> Flooded:
    """Send about so many requests a second, at random times: each of many connections pauses before each request."""
    said = _said(port, shots, _MANY, seconds, _PAUSES % {"pause": 1000 * _MANY / rate})
    whole = said["microseconds"] / 1e6
    other = said["answers"] - said["good"] - said["refused"] + said["broken"]
    return Flooded(said["answers"] / whole, said["good"] / whole, said["refused"], other)


def _said(port: int, shots: Sequence[Shot], connections: int, seconds: float, more: str = "") -> dict[str, int]:
    """What the script tells at its end. more: Lua that is put behind it."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing. Install it: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        script = _script(Path(folder), shots, more)
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "60s", "-s", str(script)]
        command = ["wrk", *options, f"http://127.0.0.1:{port}"]
        done = subprocess.run(pinned(command, cores().load), capture_output=True, text=True, check=False)
    try:
        said: dict[str, int] = json.loads(done.stderr.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise SystemExit(f"wrk said what was not expected:\n{done.stdout}{done.stderr}") from None
    return said


def _script(folder: Path, shots: Sequence[Shot], more: str) -> Path:
    bodies, offset, lines = folder / "bodies", 0, []
    bodies.write_bytes(b"".join(shot.body for shot in shots))
    for shot in shots:
        headers = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in shot.headers.items())
        lines.append(
            f"  {{path = {json.dumps(shot.path)}, offset = {offset}, length = {len(shot.body)}, headers = {{{headers}}}}},"
        )
        offset += len(shot.body)
    count = min(USERS, max(len(shots), _MEMORY * len(shots) // max(1, offset)))
    script = folder / "load.lua"
    script.write_text(_SCRIPT % {"shots": "\n".join(lines), "bodies": bodies, "count": count} + more)
    return script
