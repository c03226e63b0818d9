"""Bytecode beside the sources of an image.

Nothing in it may be written, so Python would compile all that it imports at each start. The same sources give the same bytes with
the same release of Python, in any process; another release of the same X.Y may compile otherwise, and one that cannot read the
bytes takes the sources.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lockgate.integrations.oci.layers import Member, Members
from lockgate.kernel.errors import Unavailable

_COMPILER = Path(__file__).with_name("compiler.py")
_NEVER_IMPORTED = frozenset(("tests", "test"))
_LENGTH = 4
_LONGEST = 600.0  # seconds


def with_bytecode(members: Members) -> Members:
    """And theirs, where an import looks for it.

    Raises:
        Unavailable: Python cannot be started, and its reason.
    """
    sources = {name: one.content for name, one in sorted(members.items()) if _is_source(name)}
    paths = [(str(content), name) for name, content in sources.items() if isinstance(content, Path)]
    compiled = zip((name for _, name in paths), _compiled(paths), strict=True)
    return {**members, **{_place(name): Member(content) for name, content in compiled if content}}


def _is_source(name: str) -> bool:
    return name.endswith(".py") and not _NEVER_IMPORTED.intersection(name.split("/"))


def _place(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc")


def _compiled(paths: list[tuple[str, str]]) -> Iterator[bytes]:
    argv = [sys.executable, "-I", "-S", "-B", str(_COMPILER)]  # without what this process was told by its environment
    try:
        done = subprocess.run(argv, input=json.dumps(paths).encode(), capture_output=True, timeout=_LONGEST, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"sources were not compiled within {_LONGEST:g} s") from None
    if done.returncode:
        raise Unavailable(f"sources cannot be compiled: {done.stderr.decode(errors='replace').strip()[-500:]}")
    told, at = memoryview(done.stdout), 0
    while at < len(told):
        size = int.from_bytes(told[at : at + _LENGTH], "little")
        yield bytes(told[at + _LENGTH : at + _LENGTH + size])
        at += _LENGTH + size
