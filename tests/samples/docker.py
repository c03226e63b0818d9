"""A container engine, a registry and a base image of one's own, thrown away afterwards; nothing of the machine's own is touched.

The engine has no bridge and changes no rule of the network: its containers have none, or the machine's. The base image is the
Python that runs here with its standard library and what `ldd` names, so that nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import mkdtemp

from lockgate.kernel.errors import Unavailable
from tests.integration.installation import free_port

BASE = "lockgate-tests/base:1"
_PATIENCE = 30.0  # seconds to begin
_DRIVERS = ("overlay2", "vfs")
_LEFT_OUT = ("test", "site-packages", "idlelib", "tkinter", "lib2to3", "ensurepip", "turtledemo", "__pycache__", "config-*")
_LIBRARIES = (  # that wheels expect of a system
    *("libstdc++.so.6", "libgcc_s.so.1", "libz.so.1", "libgomp.so.1"),
    *("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libm.so.6"),
)


@dataclass(frozen=True)
class Docker:
    """environment: by which the client finds this engine and no other, and nobody's log-ins."""

    environment: dict[str, str]

    def do(self, *words: str, check: bool = True, timeout: float = 120.0) -> str:
        done = subprocess.run(
            ["docker", *words], capture_output=True, text=True, env=self.environment, timeout=timeout, check=False
        )
        assert done.returncode == 0 or not check, f"docker {' '.join(words)}: {done.stderr[-2000:]}"
        return done.stdout.strip()


@contextmanager
def docker_engine() -> Iterator[Docker]:
    """
    Raises:
        Unavailable: it is not installed, or may not run here.
    """  # noqa: D212 - there is nothing else to say
    _need("dockerd", "docker.io")
    _need("docker", "docker.io")
    if os.geteuid() != 0:
        raise Unavailable("dockerd needs root", hint="Run these tests as root, in a container of your own.")
    folder = Path(mkdtemp(prefix="lockgate-docker-"))
    try:
        for driver in _DRIVERS:
            with ExitStack() as stack:
                try:
                    engine = stack.enter_context(_dockerd(folder / driver, driver))
                except Unavailable:
                    if driver == _DRIVERS[-1]:
                        raise
                    continue
                yield engine
                return
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _dockerd(folder: Path, driver: str) -> Iterator[Docker]:
    (folder / "config").mkdir(parents=True)
    socket = f"unix://{folder}/docker.sock"
    places = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/run", "--pidfile", f"{folder}/pid", "--host", socket]
    network = ["--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip", "127.0.0.1"]
    environment = {"PATH": os.environ["PATH"], "DOCKER_HOST": socket, "DOCKER_CONFIG": f"{folder}/config", "HOME": str(folder)}
    log = folder / "log"
    with log.open("wb") as output:
        argv = ["dockerd", *places, *network, "--storage-driver", driver]
        process = subprocess.Popen(argv, stdout=output, stderr=output, start_new_session=True)
    engine = Docker(environment)
    try:
        _wait(process, log, lambda: bool(engine.do("version", "--format", "{{.Server.Version}}", check=False)))
        yield engine
    finally:
        _end(process)
        for leftover in (folder / "run/netns").glob("*"):  # the machine's own, which it leaves mounted
            subprocess.run(["umount", str(leftover)], check=False, capture_output=True)


@contextmanager
def registry() -> Iterator[str]:
    """Yields HOST:PORT of a registry on loopback, without TLS.

    Raises:
        Unavailable: it is not installed, or does not begin.
    """
    _need("docker-registry", "docker-registry")
    folder = Path(mkdtemp(prefix="lockgate-registry-"))
    port = free_port()
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    log = folder / "log"
    try:
        with log.open("wb") as output:
            argv = ["docker-registry", "serve", str(folder / "config.yml")]
            process = subprocess.Popen(argv, stdout=output, stderr=output, start_new_session=True)
        try:
            _wait(process, log, lambda: _answers(port))
            yield f"127.0.0.1:{port}"
        finally:
            _end(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def base_image(docker: Docker, folder: Path) -> Path:
    """Made, known to the engine as BASE, and saved as a file."""
    root, tar, saved = folder / "root", folder / "root.tar", folder / "base.tar"
    fill_root(root)
    owner = ("--owner=0", "--group=0", "--sort=name", "--mtime=@0")
    subprocess.run(["tar", "--create", "--file", str(tar), *owner, "--directory", str(root), "."], check=True)
    docker.do("import", "--change", "ENV PATH=/usr/local/bin", str(tar), BASE)
    docker.do("save", "--output", str(saved), BASE)
    shutil.rmtree(root)
    tar.unlink()
    return saved


def fill_root(root: Path) -> None:
    """A root folder with this Python, by the path that Python's own images have it at."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    program = root / "usr/local/bin" / f"python{version}"
    library = root / "usr/local/lib" / f"python{version}"
    for folder in (program.parent, root / "tmp", root / "etc", root / "proc", root / "dev", root / "sys"):
        folder.mkdir(parents=True, exist_ok=True)
    base = Path(sys.base_prefix)
    shutil.copy2(base / "bin" / f"python{version}", program)
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    (root / "tmp").chmod(0o1777)
    program.with_name("python3").symlink_to(program.name)
    for needed in _needed_by([program, *(library / "lib-dynload").glob("*.so")]):
        own = needed.is_relative_to(base)  # this Python's: where it is looked for by its name alone
        target = root / ("usr/lib" if own else str(needed.parent).lstrip("/")) / needed.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(needed, target)


def _needed_by(programs: list[Path]) -> set[Path]:
    """Shared libraries, by `ldd`."""
    said = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    words = {word for line in said.splitlines() for word in line.split() if word.startswith("/") and not word.endswith(":")}
    cached = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    for line in cached.splitlines():
        name, _, path = line.strip().partition(" => ")
        if name.partition(" ")[0] in _LIBRARIES and "x86-64" in name:
            words.add(path)
    return {Path(word) for word in words if Path(word).is_file()}


def _need(program: str, package: str) -> None:
    if shutil.which(program) is None:
        raise Unavailable(f"{program} is not installed", hint=f"Install the package `{package}`.")


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _wait(process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            raise Unavailable(f"{process.args!r:.60} does not begin: {log.read_text()[-1000:]}")
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
