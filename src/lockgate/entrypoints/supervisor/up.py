"""Start a home's processes, the data plane among them, watch over them until a signal comes, stop them."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from lockgate.boundary.certificates import check_tls
from lockgate.boundary.exposure import Exposure, Tls, check_exposure
from lockgate.boundary.key_file import KEY_FILE
from lockgate.entrypoints.supervisor.children import Child
from lockgate.entrypoints.supervisor.leftovers import clear_leftovers
from lockgate.integrations.local.environment import keyless_environment
from lockgate.kernel.clock import SystemClock
from lockgate.kernel.errors import Conflict, Unavailable
from lockgate.wiring.home import Home

LOOK_EVERY = 0.05  # seconds
DRAIN = 10.0  # seconds the data plane has to finish what is under way
STOP = 5.0  # seconds the others have
_SIGNING = ("control", "controller", "runner", "learner")  # what these do may need the key of releases; the others get none
FREED = 15.0  # seconds within which what a killed supervisor left behind lets go of its ports

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Addresses:
    """data_host: where the data plane listens; None for where the control plane does. public, plain_http, tls: as in `Exposure`.

    url: by which browsers reach the control plane, where a proxy stands before it.
    workers: a number, or a range such as 1-4. options: more of the data plane's own, as its command line takes them.
    """

    host: str = "127.0.0.1"
    port: int = 7070
    data_port: int = 7080
    workers: str = "1"
    data_host: str | None = None
    public: bool = False
    plain_http: bool = False
    tls: Tls | None = None
    options: tuple[str, ...] = ()
    url: str = ""

    @property
    def control(self) -> str:
        return f"http://{_reached(self.host)}:{self.port}"

    @property
    def data(self) -> str:
        return f"{'https' if self.tls else 'http'}://{_reached(self.exposure.host)}:{self.data_port}"

    @property
    def exposure(self) -> Exposure:
        host = self.host if self.data_host is None else self.data_host
        return Exposure(host, self.public, self.plain_http, self.tls, self.control)


def _reached(host: str) -> str:
    """How this machine itself reaches what listens on `host`, as it stands in an address."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound here
    return f"[{host}]" if ":" in host else host


def up(home: Home, addresses: Addresses, on_ready: Callable[[list[Child]], None]) -> None:
    """Run until SIGINT or SIGTERM.

    Raises:
        Conflict: a server lives on this home already, or a port is taken. Unavailable: a process does not come up.
        Invalid: the data plane may not listen there as it was told to, or its TLS files are unusable.
    """
    home.prepare()
    _check(home, addresses.exposure)
    with only_one(home):
        patience = FREED if clear_leftovers(home) else 0.0
        for host, port in ((addresses.host, addresses.port), (addresses.exposure.host, addresses.data_port)):
            await_free(host, port, patience)
        children = [
            Child(name, argv, home.logs / f"{name}.log", None if name in _SIGNING else keyless_environment())
            for name, argv in commands(home, addresses).items()
        ]
        stopping = _stop_on_signal()
        try:
            _start(home, addresses, children, stopping)
            if not stopping():
                on_ready(children)
            while not stopping():
                restarted = [child for child in children if child.keep_running(time.monotonic())]
                if restarted:
                    _write_server(home, addresses, children)
                time.sleep(LOOK_EVERY)
        finally:
            for child in reversed(children):
                child.stop(DRAIN if child.name == "gateway" else STOP)
            home.server.unlink(missing_ok=True)


def commands(home: Home, addresses: Addresses) -> dict[str, list[str]]:
    python = [sys.executable, "-m"]
    own = ["--home", str(home.folder), "--watch-stdin"]
    gateway = ["--port", str(addresses.data_port), "--workers", addresses.workers, *_exposing(addresses.exposure)]
    gateway += ["--home", str(home.data_plane), "--artifacts", str(home.artifacts), *addresses.options]
    return {
        "control": [*python, "lockgate.entrypoints.api", *own, "--port", str(addresses.port), *_exposing_control(addresses)],
        "controller": [*python, "lockgate.entrypoints.controller", *own],
        "runner": [*python, "lockgate.entrypoints.runner", *own],
        "learner": [*python, "lockgate.entrypoints.learner", *own],
        "notifier": [*python, "lockgate.entrypoints.notifier", *own, *(["--url", addresses.url] if addresses.url else [])],
        "gateway": [*python, "lockgate.serving", *gateway, "--secrets", str(home.secrets), "--watch-stdin"],
    }


def _check(home: Home, exposure: Exposure) -> None:
    check_exposure(exposure, home.secrets / KEY_FILE)
    if exposure.tls is not None:
        for warning in check_tls(exposure.tls, SystemClock().now()):
            log.warning("tls", extra={"reason": warning})


def _exposing_control(addresses: Addresses) -> list[str]:
    options = ["--host", addresses.host, *(["--url", addresses.url] if addresses.url else [])]
    return [*options, "--plain-http"] if addresses.plain_http else options


def _exposing(exposure: Exposure) -> list[str]:
    """The data plane's options that say where it listens, and how."""
    options = ["--host", exposure.host, "--control", exposure.control]
    options += ["--public"] if exposure.public else []
    options += ["--plain-http"] if exposure.plain_http else []
    if (tls := exposure.tls) is not None:
        options += ["--tls-cert", str(tls.certificate), "--tls-key", str(tls.key), "--tls-min", tls.minimum]
        options += ["--tls-client-ca", str(tls.client_ca)] if tls.client_ca else []
    return options


@contextmanager
def only_one(home: Home) -> Iterator[None]:
    """Hold the home's lock; the kernel lets go of it whatever becomes of this process."""
    with (home.folder / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Conflict(
                f"a server (process {lock.read().strip() or 'unknown'}) already lives on {home.folder}",
                hint="Use it, or stop it first.",
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def await_free(host: str, port: int, patience: float) -> None:
    """Wait for processes of a former supervisor, which end by themselves, to let go of a port.

    Raises:
        Conflict: somebody else listens there.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end and not is_free(host, port):
        time.sleep(LOOK_EVERY)
    if not is_free(host, port):
        hint = "Stop what listens there, or choose another with --port and --data-port."
        raise Conflict(f"port {port} on {host} is taken", hint=hint)


def is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _start(home: Home, addresses: Addresses, children: list[Child], stopping: Callable[[], bool]) -> None:
    for child in children:
        child.start(time.monotonic())
    _write_server(home, addresses, children)
    patience = time.monotonic() + 60.0
    for name, url in (("control", f"{addresses.control}/health/ready"), ("gateway", f"{addresses.data}/v2/health/live")):
        while not _answers(url):
            if stopping():
                return
            given_up = next((child for child in children if child.given_up), None)
            if given_up is not None:
                raise Unavailable(f"the {given_up.name} dies as soon as it starts", hint=f"Read why in {given_up.log_file}")
            if time.monotonic() > patience:
                raise Unavailable(f"the {name} did not answer within a minute", hint=f"Read why in {home.logs / name}.log")
            for child in children:
                child.keep_running(time.monotonic())
            time.sleep(LOOK_EVERY)
    _write_server(home, addresses, children)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2, context=_unverified()) as response:  # noqa: S310 - our own address
            return bool(response.status == 200)  # noqa: PLR2004
    except ssl.SSLError as error:
        return _asks_for_certificate(error)
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError) and _asks_for_certificate(error.reason)
    except OSError:
        return False


def _unverified() -> ssl.SSLContext:
    """For whether our own child answers, under an address that its certificate need not name. Nothing secret is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _asks_for_certificate(error: ssl.SSLError) -> bool:
    """A data plane that takes only callers with a certificate lives, and does not take us."""
    return "CERTIFICATE_REQUIRED" in (error.reason or "") or "HANDSHAKE_FAILURE" in (error.reason or "")


def _write_server(home: Home, addresses: Addresses, children: list[Child]) -> None:
    content = {
        "pid": os.getpid(),
        "control": addresses.control,
        "data": addresses.data,
        "processes": {child.name: child.process.pid for child in children if child.process},
    }
    draft = home.server.with_suffix(".draft")
    draft.write_text(json.dumps(content, indent=2) + "\n")
    draft.replace(home.server)


def _stop_on_signal() -> Callable[[], bool]:
    received: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    signal.signal(signal.SIGTERM, remember)
    signal.signal(signal.SIGINT, remember)
    return lambda: bool(received)
