"""The keeper's arithmetic: when what died is tried again, what fits into the memory, and what is known of a package."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.manifest import Golden, Lineage, Manifest, Signature, Tensor
from lockgate.kernel.digest import digest_bytes
from lockgate.kernel.errors import Invalid, LockgateError, Refused
from lockgate.runtimes.model import Array
from lockgate.serving.isolation.budget import Need, free, inline_need, isolated_need, refusal
from lockgate.serving.isolation.children import ended
from lockgate.serving.isolation.golden import GoldenRows
from lockgate.serving.isolation.lives import Lives, Patience, after_death, after_refusal
from lockgate.serving.isolation.memory import human
from lockgate.serving.isolation.orders import (
    Beat,
    Failed,
    Footprint,
    Loaded,
    Order,
    decode_order,
    decode_status,
    encode_order,
    encode_status,
)
from lockgate.serving.isolation.priority import giving_way
from lockgate.serving.isolation.shop import Crowded, Settings, Shop
from lockgate.serving.isolation.talk import Want
from lockgate.serving.isolation.verdicts import Verdict, Verdicts
from lockgate.testing.clock import VirtualClock

GB = 1 << 30
PATIENCE = Patience()


def test_short_lives_make_pauses_grow_until_the_package_has_failed_and_is_tried_ever_more_rarely() -> None:
    lives, pauses, failed = Lives(), [], []
    for _ in range(16):
        lives, pause, gone = after_death(lives, 0.5, PATIENCE)
        pauses.append(pause)
        failed.append(gone)
    assert pauses[:4] == [0.05, 0.1, 0.2, 0.4]
    assert failed == [False] * 4 + [True] * 12
    assert pauses[4:8] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == PATIENCE.longest_retry


def test_a_long_life_is_forgiven_everything() -> None:
    lives = after_death(Lives(short=40), 3.0, PATIENCE)
    assert lives == (Lives(), PATIENCE.first_pause, False)


@given(st.lists(st.floats(0.0, 10.0), max_size=60))
def test_pauses_are_bounded_whatever_happens(lived: list[float]) -> None:
    lives = Lives()
    for seconds in lived:
        lives, pause, failed = after_death(lives, seconds, PATIENCE)
        assert PATIENCE.first_pause <= pause <= (PATIENCE.longest_retry if failed else PATIENCE.longest_pause)


def test_a_package_that_says_no_has_failed_at_once_and_is_asked_ever_more_rarely() -> None:
    lives, pauses = Lives(), []
    for _ in range(12):
        lives, pause, failed = after_refusal(lives, PATIENCE)
        assert failed
        pauses.append(pause)
    assert pauses[:3] == [1.0, 2.0, 4.0]
    assert pauses[-1] == PATIENCE.longest_retry


FOOTPRINT = Footprint(growth=1 * GB, spike=2 * GB, process=int(1.5 * GB))


def test_an_inline_package_is_needed_in_every_worker_and_loaded_by_all_at_once() -> None:
    assert inline_need(FOOTPRINT, 4) == Need(4 * GB, 8 * GB, 4)
    assert isolated_need(FOOTPRINT) == Need(int(1.5 * GB), int(2.5 * GB), 1)


def test_old_and_new_must_fit_together_or_the_new_one_is_refused_with_the_figures() -> None:
    old = inline_need(FOOTPRINT, 2)
    assert free(5 * GB, [old]) == 3 * GB
    assert refusal(6 * GB, [old], inline_need(FOOTPRINT, 2)) is None
    reason = refusal(5 * GB, [old], inline_need(FOOTPRINT, 2))
    assert reason == "loading it needs up to 2 × 2 GB = 4 GB of memory, 3 GB of the budget of 5 GB are free"
    alone = refusal(1 * GB, [], isolated_need(FOOTPRINT))
    assert alone == "loading it needs up to 2.5 GB of memory, 1 GB of the budget of 1 GB are free"


def test_loading_gives_way_only_where_that_can_be_taken_back() -> None:
    def level() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    levels = [level()]
    with giving_way(3):
        levels.append(level())
    levels.append(level())
    assert levels[0] == levels[2]
    assert levels[1] - levels[0] in (0, 3)


def test_a_process_that_has_grown_counts_as_it_is_and_what_is_let_go_of_is_free_again(tmp_path: Path) -> None:
    async def room(want: Want) -> None:
        async with shop.room(want, report):
            shop.hold(want, report)

    one, other = Want(DIGEST, isolated=True), Want(digest_bytes(b"other"), isolated=True)
    report = Loaded(0.5, 0.001, Footprint(process=GB), batchable=True)
    shop = Shop(tmp_path, tmp_path, Settings(budget=2 * GB), VirtualClock())
    asyncio.run(room(one))
    shop.uses(one, GB + GB // 2)
    with pytest.raises(Crowded, match=r"up to 1 GB of memory, 512 MB of the budget of 2 GB are free"):
        asyncio.run(room(other))
    shop.let_go(one)
    asyncio.run(room(other))


@pytest.mark.parametrize(("amount", "text"), [(0, "0 kB"), (1536, "2 kB"), (3 << 20, "3 MB"), (int(1.5 * GB), "1.5 GB")])
def test_amounts_are_written_for_people(amount: int, text: str) -> None:
    assert human(amount) == text


def test_how_a_process_ended_is_said_in_words() -> None:
    assert ended(-11) == "crashed by signal 11 (SIGSEGV)"
    assert ended(-9) == "was killed (signal 9); the system may have run out of memory"
    assert ended(-64) == "crashed by signal 64 (SIGRTMAX)"
    assert ended(3) == "ended with code 3"


DIGEST = digest_bytes(b"package")
SOUND = Verdict(report=Loaded(0.5, 0.001, FOOTPRINT, batchable=True))


def test_a_verdict_outlives_a_restart_but_not_another_library(tmp_path: Path) -> None:
    Verdicts(tmp_path, "libraries").keep(DIGEST, SOUND)
    assert Verdicts(tmp_path, "libraries").get(DIGEST) == SOUND
    assert Verdicts(tmp_path, "other libraries").get(DIGEST) is None


def test_a_verdict_that_might_come_out_otherwise_is_not_kept(tmp_path: Path) -> None:
    verdicts = Verdicts(tmp_path, "libraries")
    verdicts.keep(DIGEST, Verdict("out of memory", lasting=False))
    assert verdicts.get(DIGEST) == Verdict("out of memory", lasting=False)
    assert Verdicts(tmp_path, "libraries").get(DIGEST) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[", b"\xff", b'{"environment": "libraries"}'])
def test_a_damaged_verdict_is_none(tmp_path: Path, content: bytes) -> None:
    Verdicts(tmp_path, "libraries").keep(DIGEST, SOUND)
    next(tmp_path.glob("*.json")).write_bytes(content)
    assert Verdicts(tmp_path, "libraries").get(DIGEST) is None


def test_a_disk_that_refuses_costs_an_examination_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "examined").write_bytes(b"a file where a folder should be")
    verdicts = Verdicts(tmp_path / "examined", "libraries")
    verdicts.keep(DIGEST, SOUND)
    assert verdicts.get(DIGEST) == SOUND


@pytest.mark.parametrize("status", [SOUND.report, Failed("no", lasting=False), Beat(1.5, 7)])
def test_statuses_come_back_the_same(status: Loaded | Failed | Beat) -> None:
    assert decode_status(encode_status(status)) == status


@pytest.mark.parametrize(
    "line", [b"", b"hello\n", b"{}", b"\xff", b'{"type":"beat","busy":-1,"own":0}', b'{"type":"beat","busy":1e999,"own":0}']
)
def test_what_is_no_status_is_refused(line: bytes) -> None:
    with pytest.raises(Invalid, match="no status"):
        decode_status(line)


def test_an_order_comes_back_the_same() -> None:
    order = Order("sha256:d", "/artifacts", "/own", socket="/s", memory=5, nice=3)
    assert decode_order(encode_order(order)) == order


def manifest(golden: Golden) -> Manifest:
    signature = Signature((Tensor("x", "FP64", (-1, 1)),), (Tensor("score", "FP64", (-1, 1)),), "score")
    return Manifest("m", "python", (), signature, golden, Lineage("run-1", None, False, "tester", {}, {}))  # noqa: FBT003


class Scaled:
    def __init__(self, factor: float, *, centred: bool = False) -> None:
        self._factor, self._centred = factor, centred

    def run(self, feeds: Mapping[str, Array]) -> Sequence[Array]:
        return [self._factor * (feeds["x"] - (feeds["x"].mean() if self._centred else 0.0))]


def test_golden_rows_must_come_out_as_the_original_models() -> None:
    rows = GoldenRows(manifest(Golden({"x": [1.0, 2.0]}, [2.0, 4.0], 0.1)))
    rows.check(Scaled(2.04))
    with pytest.raises(Refused, match=r"differ from the original model's by up to 0\.4, 0\.1 is allowed"):
        rows.check(Scaled(2.2))
    with pytest.raises(LockgateError, match="finite"):
        rows.check(Scaled(float("nan")))


def test_only_a_model_whose_rows_do_not_depend_on_each_other_may_be_asked_for_several_callers_at_once() -> None:
    assert GoldenRows(manifest(Golden({"x": [1.0, 2.0]}, [2.0, 4.0], 0.1))).answers_rows_alone(Scaled(2.0))
    centred = GoldenRows(manifest(Golden({"x": [1.0, 2.0]}, [-1.0, 1.0], 0.1)))
    centred.check(Scaled(2.0, centred=True))
    assert not centred.answers_rows_alone(Scaled(2.0, centred=True))


@pytest.mark.parametrize(
    ("golden", "message"),
    [
        (Golden({"x": [1.0]}, [2.0, 4.0], 0.1), "2 golden scores found for 1 golden rows"),
        (Golden({"y": [1.0]}, [2.0], 0.1), "do not fit the signature"),
        (Golden({"x": ["one"]}, [2.0], 0.1), "do not fit the signature"),
    ],
)
def test_golden_rows_that_are_none_are_refused(golden: Golden, message: str) -> None:
    with pytest.raises(Refused, match=message):
        GoldenRows(manifest(golden))
