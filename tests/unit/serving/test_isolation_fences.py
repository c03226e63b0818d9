"""The filter of system calls, decided as the kernel would, on both architectures; and what is said where there is none."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.serving.isolation import sandbox, syscalls
from lockgate.serving.isolation.syscalls import refuse_calls

X86, ARM = syscalls._TABLES["x86_64"], syscalls._TABLES["aarch64"]
ALLOWED, KILLED = "allowed", "killed"
THREAD, FORK = 0x003D0F00, 0x01200011  # flags of clone, as pthread_create and fork have them


def decided(
    table: tuple[int, int], number: int, *arguments: int, processes: bool = False, architecture: int | None = None
) -> str:
    """What the kernel's machine makes of a call."""
    column, own = table
    given_to = {syscalls._NUMBER: number, syscalls._ARCHITECTURE: own if architecture is None else architecture}
    given_to |= {16 + 8 * place: value & 0xFFFFFFFF for place, value in enumerate((*arguments, 0, 0))}
    steps, at, held = syscalls._steps(column, own, processes=processes), 0, 0
    while True:
        step = steps[at]
        at += 1
        match step.code:
            case syscalls._LOAD:
                held = given_to[step.value]
            case syscalls._RETURN:
                return {syscalls._ALLOW: ALLOWED, syscalls._KILL: KILLED}.get(step.value) or errno.errorcode[step.value & 0xFFFF]
            case 0x54:
                held &= step.value
            case code:
                met = {
                    syscalls._EQUAL: held == step.value,
                    syscalls._AT_LEAST: held >= step.value,
                    syscalls._HAS_BITS: bool(held & step.value),
                }[code]
                at += step.then if met else step.otherwise


@pytest.mark.parametrize("table", [X86, ARM])
@pytest.mark.parametrize("processes", [True, False])
def test_no_way_to_the_network_or_into_another_process(table: tuple[int, int], processes: bool) -> None:  # noqa: FBT001
    for name, numbers in syscalls._REFUSED.items():
        number = numbers[table[0]]
        assert number is not None
        assert decided(table, number, processes=processes) == "EPERM", name


@pytest.mark.parametrize("table", [X86, ARM])
def test_pairs_of_streams_only(table: tuple[int, int]) -> None:
    number = syscalls._SOCKETPAIR[table[0]]
    stream, datagram, packets, flags = 1, 2, 5, 0o2004000
    assert decided(table, number, 1, stream) == decided(table, number, 1, stream | flags) == ALLOWED
    assert decided(table, number, 1, datagram) == decided(table, number, 1, datagram | flags) == "EPERM"
    assert decided(table, number, 1, packets) == "EPERM"


@pytest.mark.parametrize("table", [X86, ARM])
def test_threads_and_no_processes_unless_they_are_allowed(table: tuple[int, int]) -> None:
    clone = syscalls._CLONE[table[0]]
    assert decided(table, clone, THREAD) == ALLOWED
    assert decided(table, clone, FORK) == "EPERM"
    assert decided(table, clone, FORK, processes=True) == ALLOWED
    assert decided(table, syscalls._CLONE3) == "ENOSYS"  # the C library falls back to clone
    assert decided(table, syscalls._CLONE3, processes=True) == "ENOSYS"
    for namespace in (0x10000000, 0x40000000, 0x00020000):  # of users, of the network, of mounts
        assert decided(table, clone, FORK | namespace, processes=True) == "EPERM"
        assert decided(table, clone, THREAD | namespace) == "EPERM"


@pytest.mark.parametrize("table", [X86, ARM])
def test_signals_to_oneself_only(table: tuple[int, int]) -> None:
    for numbers in syscalls._KILLS:
        number = numbers[table[0]]
        assert decided(table, number, os.getpid(), 9) == decided(table, number, 0, 9) == ALLOWED
        for other in (os.getppid(), 1, -1, -os.getppid()):
            assert decided(table, number, other, 9) == "EPERM"


@pytest.mark.parametrize("table", [X86, ARM])
def test_another_table_of_calls_is_no_way_around(table: tuple[int, int]) -> None:
    assert decided(table, 41, architecture=0x40000003) == KILLED  # 32 bits
    assert decided(table, 0x40000000 | 41) == "EPERM"  # x32


@given(st.integers(0, 0x3FFFFFFF), st.booleans())
def test_all_else_is_left_alone(number: int, processes: bool) -> None:  # noqa: FBT001
    special = {value for numbers in syscalls._REFUSED.values() for value in numbers}
    special |= {
        value for numbers in (*syscalls._KILLS, *syscalls._FORKS, syscalls._CLONE, syscalls._SOCKETPAIR) for value in numbers
    }
    special.add(syscalls._CLONE3)
    for table in (X86, ARM):
        assert (decided(table, number, processes=processes) == ALLOWED) or number in special


def test_where_there_is_no_filter_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert "no filter of system calls" in str(refuse_calls(processes=False))
    assert "riscv64" in str(refuse_calls(processes=True))


def test_what_is_hidden_is_left_out_of_the_libraries_that_hold_it(tmp_path: Path) -> None:
    for name in ("app/lib", "app/.lockgate/secrets", "app/.lockgate/artifacts", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "app" / "main.py").write_text("")
    (tmp_path / "app" / "link").symlink_to(tmp_path / "app" / ".lockgate")
    hidden = [tmp_path / "app" / ".lockgate"]
    found = set(sandbox._apart_from(hidden, [tmp_path / "app", tmp_path / "elsewhere", hidden[0]]))
    assert found == {tmp_path / "app" / "lib", tmp_path / "app" / "main.py", tmp_path / "elsewhere"}
