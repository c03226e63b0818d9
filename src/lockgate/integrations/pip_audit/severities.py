"""How grave a weakness is, by the record that an OSV API has of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from lockgate.domain.vulnerabilities import Severity
from lockgate.kernel.errors import Corrupt
from lockgate.stages.decide.scans.names import worse
from lockgate.stages.decide.scans.osv import decode, severity_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{2,99}", re.ASCII)
_ONE_ANSWER, _ALL_ANSWERS = 10.0, 60.0  # seconds
_LARGEST = 16 << 20  # bytes
_RATED = ("GHSA-", "PYSEC-", "CVE-")  # whose records say it most often, in this order


class _Straight(HTTPRedirectHandler):
    """Another address than was asked for is no answer."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


class Severities:
    """service: the address of the API, without its path."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._until = monotonic() + _ALL_ANSWERS
        self._known: dict[str, Severity] = {}
        self._opener = build_opener(_Straight)

    def of(self, names: Sequence[str]) -> Severity:
        """By the first of its records that tells; UNKNOWN where none does, or none comes in time."""
        found = Severity.UNKNOWN
        for name in sorted(names, key=_place):
            if found is Severity.UNKNOWN and _NAME.fullmatch(name):
                found = worse(found, self._of(name))
        return found

    def _of(self, name: str) -> Severity:
        if name not in self._known:
            self._known[name] = self._asked(name)
        return self._known[name]

    def _asked(self, name: str) -> Severity:
        left = self._until - monotonic()
        if left <= 0 or not self._service.startswith(("http://", "https://")):
            return Severity.UNKNOWN
        asked = Request(f"{self._service}/v1/vulns/{name}", headers={"accept": "application/json"})  # noqa: S310 - see above
        with suppress(URLError, OSError, Corrupt), self._opener.open(asked, timeout=min(left, _ONE_ANSWER)) as answer:
            record = decode(answer.read(_LARGEST), name)
            found = Severity.UNKNOWN
            for one in record.affected or (None,):
                found = worse(found, severity_of(record, one))
            return found
        return Severity.UNKNOWN


def _place(name: str) -> int:
    return next((place for place, start in enumerate(_RATED) if name.startswith(start)), len(_RATED))
