"""Asks a data plane on this machine: run where it runs, as a program of its own, with nothing but Python's own library.

Standard input: one line of JSON with `port`, `path`, `body`, `patience` (seconds). Standard output: one with `status`, `body` (a
text) and `seconds`, from the start of process 1 to the answer, or null where nobody can tell.
"""

import json
import os
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

_PAUSE = 0.05
_OK = 200


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    until = time.monotonic() + asked["patience"]
    while _status(asked["port"], "GET", "/v2/health/ready")[0] != _OK:
        if time.monotonic() > until:
            sys.exit("it was not ready in time")
        time.sleep(_PAUSE)
    status, body = _status(asked["port"], "POST", asked["path"], asked["body"].encode())
    sys.stdout.write(json.dumps({"status": status, "body": body, "seconds": _age_of_first()}))


def _status(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def _age_of_first() -> float | None:
    """Seconds since process 1 was started; in a container that is the data plane."""
    try:
        started = int(Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        return None


if __name__ == "__main__":
    main()
