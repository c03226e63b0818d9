"""`python -m lockgate.serving`: the data plane of one home."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.kernel.log import configure
from lockgate.serving.server.settings import Settings
from lockgate.serving.server.supervisor import run


def parser() -> argparse.ArgumentParser:
    asked = argparse.ArgumentParser(prog="python -m lockgate.serving", description=__doc__)
    asked.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    asked.add_argument("--port", type=int, default=7080, help="port to listen on; 0 takes a free one (default: %(default)s)")
    asked.add_argument("--workers", type=int, default=1, help="processes, at best one for each core (default: %(default)s)")
    asked.add_argument("--control", default="http://127.0.0.1:7070", help="the control plane (default: %(default)s)")
    asked.add_argument("--home", type=Path, required=True, help="the data plane's own folder: routes, records, spool")
    asked.add_argument("--artifacts", type=Path, required=True, help="folder of artifacts by digest; read only")
    asked.add_argument("--secrets", type=Path, required=True, help="folder with prediction.key and control.token")
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
        "--watch-stdin", action="store_true", help="stop when standard input ends: for whoever starts this process"
    )
    asked.add_argument("-v", "--verbose", action="store_true")
    return asked


def main() -> int:
    given = vars(parser().parse_args())
    watch_stdin = given.pop("watch_stdin")
    configure(verbose=given["verbose"])
    try:
        if given["workers"] < 1:
            raise Invalid(f"{given['workers']} workers found, at least one expected")
        return run(Settings(**given), watch_stdin=watch_stdin)
    except LockgateError as error:
        sys.stderr.write(f"error: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return 2 if isinstance(error, Invalid) else 1


if __name__ == "__main__":
    sys.exit(main())
