"""`python -m lockgate.serving`: the data plane of one home, or, with --package, of packages alone."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import msgspec

from lockgate.kernel.clock import SystemClock
from lockgate.kernel.errors import Invalid, LockgateError, Refused
from lockgate.kernel.log import configure
from lockgate.serving.grpc import port as grpc_port
from lockgate.serving.server import alone, exposing
from lockgate.serving.server.scaling import parse_bounds
from lockgate.serving.server.settings import Settings
from lockgate.serving.server.supervisor import run

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parser() -> argparse.ArgumentParser:
    asked = argparse.ArgumentParser(prog="python -m lockgate.serving", description=__doc__)
    asked.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    asked.add_argument("--port", type=int, default=7080, help="port to listen on; 0 takes a free one (default: %(default)s)")
    asked.add_argument("--grpc-port", type=int, metavar="N", help="speak gRPC too, here; 0 takes a free port (default: no gRPC)")
    asked.add_argument(
        "--workers", default="1", help="processes that answer, at best one for each core; 1-4: as many as are needed (default: 1)"
    )
    asked.add_argument("--control", help=f"the control plane (default: {alone.CONTROL})")
    asked.add_argument("--home", type=Path, help="the data plane's own folder: routes, records, spool")
    asked.add_argument("--artifacts", type=Path, help="folder of artifacts by digest; read only")
    asked.add_argument("--secrets", type=Path, help="folder with prediction.key and control.token")
    asked.add_argument("--body-limit", type=int, default=16 << 20, help="bytes of one request's body (default: %(default)s)")
    asked.add_argument(
        "--grace", type=float, default=0.5, help="seconds of «not ready» before connections end (default: %(default)s)"
    )
    asked.add_argument("--drain", type=float, default=10.0, help="seconds for requests under way to end (default: %(default)s)")
    asked.add_argument(
        "--orphan-timeout",
        type=float,
        default=30.0,
        help="seconds without the control plane after which a canary's share goes to the champion (default: %(default)s)",
    )
    asked.add_argument(
        "--queue",
        type=float,
        default=0.5,
        help="seconds that a request may wait for its turn; beyond that: 429 (default: %(default)s)",
    )
    asked.add_argument(
        "--idle",
        type=float,
        default=0.0,
        help="seconds after which a model that nobody asks for is put to sleep (default: never)",
    )
    asked.add_argument("--memory", type=_size, help="bytes for all models together, as 800MB or 2GB (default: no limit)")
    asked.add_argument("--access-log", action="store_true", help="keep a line for each request in HOME/logs")
    asked.add_argument("--traces", metavar="URL", help="send traces to an OpenTelemetry collector, as http://127.0.0.1:4318")
    asked.add_argument(
        "--trace-share", type=float, default=0.01, help="of the requests whose caller traces nothing (default: %(default)s)"
    )
    exposing.add_options(asked)
    alone.add_options(asked)
    asked.add_argument(
        "--watch-stdin", action="store_true", help="stop when standard input ends: for whoever starts this process"
    )
    asked.add_argument("-v", "--verbose", action="store_true")
    return asked


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d{1,12})\s*(B|KB|MB|GB|TB)?", text.strip(), re.ASCII | re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} found, bytes expected, as 800MB or 2GB")
    return int(match[1]) * _UNITS[(match[2] or "B").upper()]


def main() -> int:
    given = vars(parser().parse_args())
    watch_stdin = given.pop("watch_stdin")
    configure(verbose=given["verbose"])
    try:
        given["workers"] = parse_bounds(given["workers"])
        given["tls"] = exposing.take_tls(given)
        with alone.prepared(given):
            return _serve(Settings(**given), watch_stdin=watch_stdin)
    except LockgateError as error:
        sys.stderr.write(f"error: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return 3 if isinstance(error, Refused) else 2 if isinstance(error, Invalid) else 1


def _serve(settings: Settings, *, watch_stdin: bool) -> int:
    exposing.check(settings.exposure, settings.key_file, SystemClock())
    if settings.grpc_port is None:
        return run(settings, watch_stdin=watch_stdin)
    grpc_port.check(settings.tls)
    with grpc_port.reserved(settings.host, settings.grpc_port) as port:
        return run(msgspec.structs.replace(settings, grpc_port=port), watch_stdin=watch_stdin)


if __name__ == "__main__":
    sys.exit(main())
