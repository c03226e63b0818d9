"""A PostgreSQL server of one's own, thrown away afterwards: real transactions and real locks for tests, with no set-up.

It listens on a Unix socket in its own folder only, and never flushes to the disk, since nothing of it is to last.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from lockgate.kernel.errors import Unavailable

_ROOT_MAY_NOT = "postgres"  # the server refuses to run as root; this user comes with its package
_INITDB = ("--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
}


@contextmanager
def postgres_server() -> Iterator[str]:
    """A running server; yields the URL of its empty database.

    Raises:
        Unavailable: PostgreSQL is not installed, or does not start.
    """
    programs = _programs()
    folder = Path(mkdtemp(prefix="lockgate-pg-"))  # short: a socket's path has at most 107 characters
    user = _ROOT_MAY_NOT if os.geteuid() == 0 else getpass.getuser()
    if os.geteuid() == 0:
        shutil.chown(folder, user=user)
    data = str(folder / "data")
    settings = " ".join(f"-c {name}={value!r}" for name, value in {**_SETTINGS, "unix_socket_directories": str(folder)}.items())
    try:
        _run(
            folder,
            user,
            programs / "initdb",
            "-D",
            data,
            "-U",
            "lockgate",
            "--auth=trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--no-locale",
        )
        _run(folder, user, programs / "pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", settings, "start")
        try:
            yield f"postgresql://lockgate@/postgres?host={folder}"
        finally:
            _run(folder, user, programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    """The folder of PostgreSQL's programs: of the newest that is installed, else what is on PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    for folder in [*reversed(installed), *folders]:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    raise Unavailable("PostgreSQL's server (initdb, pg_ctl) is not installed", hint="Install the package `postgresql`.")


def _run(folder: Path, user: str, program: Path, *arguments: str) -> None:
    command = [str(program), *arguments]
    as_user: dict[str, Any] = {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(
        command,
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **as_user,
    )
    if done.returncode != 0:
        raise Unavailable(f"{program.name} failed ({done.returncode}): {done.stdout.decode(errors='replace')[-2000:]}")
