"""Libraries of packages that name their own are found by what is named, in whatever order, and only whole lists count."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.boundary.libraries import VARIABLE, check_pinned, name_of, ready
from lockgate.kernel.errors import Invalid


def test_they_are_found_by_the_whole_list(tmp_path: Path) -> None:
    folder = tmp_path / name_of(["b==2", "a==1"])
    folder.mkdir()
    environment = {VARIABLE: str(tmp_path)}
    assert ready(["a==1", "b==2"], environment) == folder
    assert ready(["a==1"], environment) is None
    assert ready(["a==1", "b==3"], environment) is None
    assert ready(["a==1", "b==2"], {}) is None


@pytest.mark.parametrize("requirement", ["a", "a>=1", "a==1; os_name == 'x'", "--index-url=x", "a @ file:///x", "a==1\n"])
def test_only_pinned_requirements_count(requirement: str) -> None:
    check_pinned(["good[extra]==1.0+cpu"])
    with pytest.raises(Invalid, match="is not pinned"):
        check_pinned([requirement])
