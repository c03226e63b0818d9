"""pip-audit, run on a list of locked distributions, which asks a service that speaks the OSV API.

It resolves nothing and installs nothing: each line is looked up as it stands, a local version (`2.8.0+cpu`) as the public one it
is made of, since records speak of those. It does not tell how grave a weakness is; the service's own record of it does, and is
asked for. Where no record comes, the severity is UNKNOWN, which counts as high.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from lockgate.domain.distributions import Distribution, normalised
from lockgate.domain.vulnerabilities import Found, Vulnerability
from lockgate.integrations.pip_audit.severities import Severities
from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Unavailable
from lockgate.stages.decide.scans.names import merged
from lockgate.stages.decide.scans.told import weakness

TOOL = "pip-audit"
SERVICE = "https://api.osv.dev"
TIME = 300.0  # seconds for all of it
_ONE_ANSWER = 15  # seconds
_LARGEST = 64 << 20  # bytes of its report
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_HINT = (
    "See that the service can be reached, or take a snapshot: $LOCKGATE_OSV names the PyPI export of OSV (all.zip), "
    "which may also lie in the home as osv.zip."
)


class Weakness(msgspec.Struct, frozen=True):
    id: str
    fix_versions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    description: str = ""


class Looked(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    vulns: tuple[Weakness, ...] | None = None
    skip_reason: str | None = None


class Report(msgspec.Struct, frozen=True):
    dependencies: tuple[Looked, ...]


class PipAudit:
    """A ports.vulnerabilities.VulnerabilityScanner. service: the address of an OSV API, without its path `/v1/…`."""

    def __init__(self, clock: Clock, service: str = SERVICE, seconds: float = TIME) -> None:
        self._clock = clock
        self._service = service.rstrip("/")
        self._seconds = seconds

    def scan(self, packages: Sequence[Distribution]) -> Found:
        if find_spec("pip_audit") is None:
            hint = "pip install 'lockgate[audit]', or take a snapshot: $LOCKGATE_OSV names the PyPI export of OSV (all.zip)."
            raise Unavailable("pip-audit is not installed here", hint=hint)
        if "@" in (said := urlsplit(self._service).netloc):
            host = said.rpartition("@")[2]
            raise Unavailable(f"a name or password in the address of {host} found", hint="Reach it by a proxy that adds them.")
        at = self._clock.now()
        content = self._run(packages)
        report = _read(content, packages)
        severities = Severities(self._service)
        try:
            versions = {one.name: one.version for one in packages}
            told = [(one, weak) for one in report.dependencies for weak in one.vulns or ()]
            found = merged(_told(one.name, versions[normalised(one.name)], weak, severities) for one, weak in told)
        except ValueError as error:
            raise Unavailable(f"pip-audit's report cannot be read: {error}") from error
        return Found(TOOL, f"{self._service}, asked at {at:%Y-%m-%d %H:%M} UTC", at, found, content)

    def _run(self, packages: Sequence[Distribution]) -> bytes:
        with tempfile.TemporaryDirectory(prefix="lockgate-audit-") as folder:
            locked, output = Path(folder, "locked.txt"), Path(folder, "report.json")
            locked.write_text("".join(f"{one.name}=={one.version.partition('+')[0]}\n" for one in packages))
            words = [sys.executable, "-m", "pip_audit", "--requirement", str(locked), "--no-deps", "--disable-pip"]
            words += ["--vulnerability-service", "osv", "--osv-url", f"{self._service}/v1/query", "--timeout", str(_ONE_ANSWER)]
            words += ["--format", "json", "--output", str(output), "--progress-spinner", "off", "--cache-dir", f"{folder}/cache"]
            errors = self._finished(words, folder)
            if not output.exists():
                raise Unavailable(f"pip-audit could not ask {self._service}: {_last_line(errors)}", hint=_HINT)
            if output.stat().st_size > _LARGEST:
                raise Unavailable(f"pip-audit gave more than {_LARGEST:,} bytes")
            return output.read_bytes()

    def _finished(self, words: Sequence[str], folder: str) -> bytes:
        """What it said for people. Its exit code is 1 for what it found and for what went wrong: only the report tells."""
        errors = Path(folder, "errors")
        with errors.open("wb") as file:
            try:
                subprocess.run(
                    words, check=False, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=file, timeout=self._seconds,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise Unavailable(f"pip-audit did not finish within {self._seconds:g} s", hint=_HINT) from None
        return errors.read_bytes()[-20_000:]


def _environment() -> dict[str, str]:
    """Nothing of ours that is secret."""
    return {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.lower() in _PROXIES}


def _read(content: bytes, packages: Sequence[Distribution]) -> Report:
    """Raises Unavailable if it does not speak of every package."""
    try:
        report = msgspec.json.decode(content, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unavailable(f"pip-audit's report cannot be read: {error!s:.300}") from error
    if skipped := [f"{one.name}: {one.skip_reason}" for one in report.dependencies if one.skip_reason]:
        raise Unavailable(f"pip-audit could not look up {'; '.join(skipped)[:500]}")
    if other := {one.name for one in packages} ^ {normalised(one.name) for one in report.dependencies}:
        raise Unavailable(f"pip-audit was asked of other distributions than it told of: {', '.join(sorted(other))[:500]}")
    return report


def _told(name: str, version: str, weak: Weakness, severities: Severities) -> Vulnerability:
    severity = severities.of((weak.id, *weak.aliases))
    about = {"fixed_in": weak.fix_versions, "aliases": weak.aliases}
    return weakness(weak.id, name, version, severity, title=weak.description, python=True, **about)


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return (lines or ["it gave no reason"])[-1][:500]
