"""`python -m demo`: tell the story; exit 0 only if every act ended as told. On a terminal the server stays up then."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from demo.machinery import Stage
from demo.report import Report, Unexpected
from demo.story import Story


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="where the project, the home and the report go")
    parser.add_argument("--port", type=int, default=7070, help="the control plane's")
    parser.add_argument("--data-port", type=int, default=7080, help="the data plane's")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    report = Report(folder / "report.json")
    stage = Stage(folder, report, arguments.port, arguments.data_port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    started = time.monotonic()
    report.say("reading the flights of 2013, laying out the project")
    try:
        Story(stage).tell()
    except Unexpected as error:
        why = "" if report.acts else f": {error}"  # an act has said it already
        report.say(f"The story ended early{why}. Logs: {folder}/*.log, {stage.home}/logs and {stage.home}/runs")
        return 1
    else:
        report.facts["seconds"] = round(time.monotonic() - started, 1)
        report.write()
        report.say(f"Every act ended as told, in {report.facts['seconds']:.0f} s. Report: {folder / 'report.json'}")
        _leave_up(stage)
        return 0
    finally:
        stage.stop_server()


def _leave_up(stage: Stage) -> None:
    if not sys.stdout.isatty():
        return
    stage.report.say(f"The server stays up: http://127.0.0.1:{stage.port} (Ctrl-C ends it)")
    stage.report.say(f"Later: lockgate up --home {stage.home}")
    try:
        signal.pause()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    sys.exit(main())
