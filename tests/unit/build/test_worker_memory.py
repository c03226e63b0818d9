"""What steps give to each other: the same value comes out as went in, and each reader has its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.domain.data import Split, dataset_digest
from lockgate.integrations.local.memory import Memory
from lockgate.integrations.local.values import LocalValues
from lockgate.kernel.digest import digest_file
from lockgate.kernel.errors import Conflict, Corrupt, Invalid, NotFound
from lockgate.ports.executor import Dataset


def memory(folder: Path) -> Memory:
    return Memory(LocalValues(folder / "cache"), folder)


FRAMES = {
    "plain": pd.DataFrame({"a": [1, 2], "b": [1.5, None], "c": ["x", None], "d": [True, False]}),
    "times": pd.DataFrame(
        {"t": pd.to_datetime(["2013-01-01", "NaT"]), "z": pd.to_datetime(["2013-01-01", "2014-01-01"], utc=True)}
    ),
    "named index": pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="id")),
    "gaps in the index": pd.DataFrame({"a": [1, 2, 3]}).iloc[[0, 2]],
    "categories": pd.DataFrame({"a": pd.Categorical(["x", "y"], ordered=True)}),
    "objects": pd.DataFrame({"a": [[1, 2], (3,)]}, dtype=object),
    "nullable": pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}),
    "several levels": pd.DataFrame({("a", "b"): [1]}, index=pd.MultiIndex.from_tuples([(1, 2)])),
    "numbers as names": pd.DataFrame({0: [1], 1: [2]}),
    "the same name twice": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "no columns": pd.DataFrame(index=[1, 2]),
    "no rows": pd.DataFrame({"a": pd.Series([], dtype="float32")}),
    "halves": pd.DataFrame({"a": np.array([1, 2], dtype="float16")}),
    "durations": pd.DataFrame({"a": pd.to_timedelta(["1s", "2s"])}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_comes_back_as_it_was_also_in_another_worker(tmp_path: Path, name: str) -> None:
    digest = memory(tmp_path).keep(FRAMES[name])

    pd.testing.assert_frame_equal(memory(tmp_path).get(digest), FRAMES[name])


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary()),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
        max_leaves=10,
    )
)
def test_any_plain_value_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    folder = tmp_path_factory.getbasetemp() / "values"

    assert memory(folder).get(memory(folder).keep(value)) == value


def test_what_a_reader_does_to_a_value_nobody_else_sees(tmp_path: Path) -> None:
    worker = memory(tmp_path)
    frame, split = worker.keep(FRAMES["plain"]), worker.keep(Split(FRAMES["plain"], [1], None, None))

    mine = worker.get(frame)
    mine["a"] = 0
    mine.loc[0, "b"] = 99.0
    worker.get(split).y_train.append(2)

    pd.testing.assert_frame_equal(worker.get(frame), FRAMES["plain"])
    assert worker.get(split).y_train == [1]


def test_frames_lie_there_as_parquet_which_anything_can_read(tmp_path: Path) -> None:
    digest = memory(tmp_path).keep(FRAMES["plain"])

    assert LocalValues(tmp_path / "cache").get(digest).startswith(b"PAR1")


def test_the_same_value_has_the_same_digest(tmp_path: Path) -> None:
    assert memory(tmp_path).keep(FRAMES["plain"]) == memory(tmp_path).keep(FRAMES["plain"].copy())


def test_many_values_are_not_all_kept_in_memory_and_none_is_lost(tmp_path: Path) -> None:
    worker = memory(tmp_path)
    digests = [worker.keep(number) for number in range(40)]

    assert [worker.get(digest) for digest in digests] == list(range(40))


class Unkeepable:
    def __reduce__(self) -> Any:
        raise ZeroDivisionError("never")


def test_what_cannot_be_kept_says_so(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="a value of type Unkeepable that cannot be kept: never"):
        memory(tmp_path).keep(Unkeepable())


def test_what_is_gone_or_altered_is_not_read(tmp_path: Path) -> None:
    digest = memory(tmp_path).keep([1])
    path = tmp_path / "cache" / digest[7:9] / digest[9:]
    path.chmod(0o644)
    path.write_bytes(b"other")
    with pytest.raises(Corrupt):
        memory(tmp_path).get(digest)
    path.unlink()
    with pytest.raises(NotFound):
        memory(tmp_path).get(digest)


def dataset(folder: Path, *files: str) -> Dataset:
    return Dataset(name="rows", digest=dataset_digest({file: digest_file(folder / file) for file in files}), files=files)


def test_files_of_all_kinds_are_one_frame_in_the_order_of_their_names(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "1.parquet")
    pd.DataFrame({"a": [2]}).to_csv(tmp_path / "2.csv", index=False)
    pd.DataFrame({"a": [3]}).to_csv(tmp_path / "3.csv.gz", index=False)

    frame = memory(tmp_path).data(dataset(tmp_path, "1.parquet", "2.csv", "3.csv.gz"))

    assert (frame["a"].tolist(), frame.index.tolist()) == ([1, 2, 3], [0, 1, 2])


def test_data_that_changes_meanwhile_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    fixed = dataset(tmp_path, "a.csv")
    (tmp_path / "a.csv").write_text("a\n2\n")

    with pytest.raises(Conflict, match="the files of data 'rows' changed while the pipeline ran"):
        memory(tmp_path).data(fixed)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("a.parquet", b"no parquet", r"data file a\.parquet cannot be read"),
        ("a.csv", b"\xff\xfe\x00", r"data file a\.csv cannot be read"),
        ("a.csv.gz", b"no gzip", r"data file a\.csv\.gz cannot be read"),
        ("a.xlsx", b"", r"a name that ends in \.parquet, \.csv or \.csv\.gz expected"),
    ],
)
def test_data_that_cannot_be_read_says_which_file(tmp_path: Path, file: str, content: bytes, said: str) -> None:
    (tmp_path / file).write_bytes(content)

    with pytest.raises(Invalid, match=said):
        memory(tmp_path).data(dataset(tmp_path, file))
