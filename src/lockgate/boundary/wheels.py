"""The list of a wheel's files that stands in it, as installers read it: the binary distribution format, version 1.0 (PEP 427)."""

from __future__ import annotations

import csv
import io
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import NamedTuple

from lockgate.kernel.digest import digits

RECORD = "RECORD"  # in the folder NAME-VERSION.dist-info
DIST_INFO = ".dist-info"


class Member(NamedTuple):
    """size: bytes."""

    digest: str
    size: int


def record(members: Mapping[str, Member], name: str) -> bytes:
    """What follows from all other members; nothing is said of itself. name: its own, with its folder."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerows((one, f"sha256={_spelled(member.digest)}", member.size) for one, member in sorted(members.items()))
    lines.writerow((name, "", ""))
    return text.getvalue().encode()


def _spelled(digest: str) -> str:
    return urlsafe_b64encode(bytes.fromhex(digits(digest))).rstrip(b"=").decode()
