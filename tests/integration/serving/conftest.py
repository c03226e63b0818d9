"""A data plane in a process of its own, and the control plane it talks to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.serving.data_plane import ControlPlane, DataPlane, Folder


@pytest.fixture
def own_control() -> Iterator[ControlPlane]:
    with ControlPlane().serving() as control:
        yield control


@pytest.fixture
def new_plane(tmp_path: Path, own_control: ControlPlane) -> Iterator[Callable[..., DataPlane]]:
    """Starts a data plane on one home; options are its command line's."""
    started = []

    def start(*options: str) -> DataPlane:
        control = f"http://127.0.0.1:{own_control.port}"
        plane = DataPlane(tmp_path / "home", Folder(tmp_path / "artifacts"), control, ("--grace", "0.1", *options))
        started.append(plane)
        plane.start()
        return plane

    yield start
    for plane in started:
        if plane.process is not None:
            plane.stop()
