"""Bytecode in images: the same bytes whoever compiles it and when, taken at an import without a look at the source."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.integrations.oci.bytecode import with_bytecode
from lockgate.integrations.oci.contained import program
from lockgate.integrations.oci.layers import Member, Members

TAG = sys.implementation.cache_tag
SOURCE = """
KNOWN = frozenset(("a", "b", "c"))

def among(x):
    'Says.'
    assert x
    return x in {"d", "e", "f", "KNOWN"}
"""


def written(folder: Path, **sources: str) -> Members:
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
        found[f"lib/{name}.py"] = Member(folder / f"{name}.py")
    return found


def bytecode(members: Members) -> dict[str, bytes]:
    return {name: bytes(one.content) for name, one in with_bytecode(members).items() if isinstance(one.content, bytes)}


def test_two_processes_write_the_same_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they are told by their environment, and whatever else they compile."""
    whole = program()
    some = dict(sorted(whole.items())[::3])
    first = bytecode(whole)
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("PYTHONNODEBUGRANGES", "1")
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    again = bytecode(dict(reversed(some.items())))
    assert len(again) > 20
    assert again == {name: first[name] for name in again}
    (moved,) = bytecode(written(tmp_path / "a", x=SOURCE)).values()
    assert moved == bytecode(written(tmp_path / "b", a="z = {'d'}", x=SOURCE))[f"lib/__pycache__/x.{TAG}.pyc"]


def test_an_import_takes_it_without_a_look_at_the_source(tmp_path: Path) -> None:
    (content,) = bytecode(written(tmp_path, mod=SOURCE)).values()
    assert content[:4] == importlib.util.MAGIC_NUMBER
    path = tmp_path / "__pycache__" / f"mod.{TAG}.pyc"
    path.parent.mkdir()
    path.write_bytes(content)
    (tmp_path / "mod.py").write_text("raise SystemExit('the source was taken')")
    os.utime(tmp_path / "mod.py", (0, 0))
    say = "import mod; print(mod.among('e'), mod.among.__doc__, mod.among.__code__.co_filename, sorted(mod.KNOWN))"
    argv = [sys.executable, "-c", say]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == f"True Says. {tmp_path / 'mod.py'} ['a', 'b', 'c']\n", done.stderr


def test_what_is_no_source_of_this_python_or_is_never_imported_has_none(tmp_path: Path) -> None:
    members = dict(written(tmp_path, good="x = 1", template="class {{ name }}:\n", nul="x = '\0'"))
    members["lib/tests/good.py"] = members["lib/data.txt"] = members["lib/good.py"]
    assert set(with_bytecode(members)) - set(members) == {f"lib/__pycache__/good.{TAG}.pyc"}
