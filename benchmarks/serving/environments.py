"""A virtual environment for each peer, under a cache folder: no two of them want the same versions."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "benchmarks" / "requirements"


class Absent(Exception):
    """A contestant that cannot take part here. Its message is the reason, and the report shows it."""


def python(cache: Path, name: str) -> Path:
    """The interpreter of an environment that holds exactly `requirements/NAME.txt`; made or renewed where it does not.

    Raises:
        Absent: it cannot be installed; the message holds the end of what pip said.
    """
    wanted = REQUIREMENTS / f"{name}.txt"
    folder = cache / "venvs" / name
    stamp, found = folder / "requirements.sha256", folder / "bin" / "python"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == digest):
        print(f"· installing {wanted.relative_to(ROOT)} (pinned, hashed)", flush=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], name)
        pip = [str(found), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
        _run([*pip, "--require-hashes", "--only-binary=:all:", "-r", str(wanted)], name)
        stamp.write_text(digest)
    return found


def versions(name: str) -> dict[str, str]:
    """What its requirements pin, by name. Where a pin depends on the Python, the last one stands."""
    lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()
    pins = (line.split(" ")[0].partition("==") for line in lines if "==" in line)
    return {name: version for name, _, version in pins}


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise Absent(f"{name} cannot be installed here: {' '.join(said)[-400:]}")
