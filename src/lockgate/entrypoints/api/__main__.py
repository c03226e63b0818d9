"""`python -m lockgate.entrypoints.api`: the control plane's web server."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn

from lockgate.boundary.key_file import KEY_FILE, KeyFile
from lockgate.entrypoints.api.app import create_app
from lockgate.entrypoints.api.trusted_list import TrustedList
from lockgate.entrypoints.exposed import Exposed, check_exposure
from lockgate.entrypoints.parent import when_parent_ends
from lockgate.integrations.local.reported_records import LocalRecordSink
from lockgate.kernel import log
from lockgate.wiring.home import Home
from lockgate.wiring.identity import open_identity
from lockgate.wiring.notices import open_notices
from lockgate.wiring.world import open_world


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7070)
    parser.add_argument("--url", default="", help="by which browsers reach it, if that is another one")
    parser.add_argument("--plain-http", action="store_true")
    parser.add_argument("--watch-stdin", action="store_true")
    arguments = parser.parse_args()
    log.configure()
    home = Home(arguments.home)
    world = open_world(home)
    check_exposure(Exposed(arguments.host, arguments.url, arguments.plain_http), world.state, home)
    TrustedList(world.state, home.data_plane).follow()
    keys = KeyFile(home.secrets / KEY_FILE)
    app = create_app(
        world,
        home=home.folder,
        control_token=home.control_token,
        hosts=[arguments.host],
        keys=keys,
        url=arguments.url,
        identity=open_identity(home, world.clock),
        notices=open_notices(home, arguments.url),
        reported=LocalRecordSink(home.records),
    )
    # Workers hold long polls open: a stop does not wait for them to end.
    config = uvicorn.Config(
        app, host=arguments.host, port=arguments.port, log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    if arguments.watch_stdin:
        when_parent_ends(lambda: setattr(server, "should_exit", True))
    server.run()


if __name__ == "__main__":
    main()
