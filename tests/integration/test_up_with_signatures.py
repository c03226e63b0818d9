"""A whole installation whose policy asks for signatures: no process of the data plane runs before it knows whose count."""

from __future__ import annotations

import os
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from lockgate.boundary import trust
from lockgate.boundary.acknowledgements import PackageState, Readiness
from lockgate.boundary.trust import TrustedKey
from lockgate.domain.models import ModelVersion, Stage
from lockgate.kernel.clock import SystemClock
from lockgate.ports.state import WORKERS
from lockgate.testing import builders as a
from lockgate.usecases.apply_stage import apply_stage
from lockgate.usecases.publish_routes import publish_routes
from lockgate.usecases.set_policy import set_policy
from lockgate.usecases.sign_version import sign_version
from tests.contracts.runtime_models import onnx
from tests.integration.installation import Installation
from tests.samples.packaged import keep

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
READY, NOT_READY = 200, 503
POLICY = "signatures: {required: true}\n"


def test_a_table_that_was_kept_lets_nothing_in_that_nobody_signed(tmp_path: Path) -> None:
    here = Installation(tmp_path)
    version = keep(here.world, onnx.make(tmp_path / "model"), signed=False)
    _put_into_production(here, version)
    try:
        here.up()
        here.wait(lambda: _status(here) == READY, 30, "the unsigned version serves, since nobody asks for a signature")
        here.down()
        set_policy(here.world, POLICY, a.ANNA)
        here.up()
        laid = here.home.data_plane / trust.FILE
        assert laid.stat().st_mtime <= _started_at(here.pids()["gateway"])
        assert trust.read(laid).keys == (TrustedKey(_own_key(here), "this home"),)
        here.wait(lambda: _loaded(here, version).readiness is Readiness.FAILED, 30, "it is refused at load")
        assert "is not signed" in _loaded(here, version).reason
        here.wait(lambda: _status(here) == NOT_READY, 10, "it says that it cannot answer")
        sign_version(here.world, version.model, version.version, a.ANNA)
        here.wait(lambda: _status(here) == READY, 30, "the signed version serves")
    finally:
        here.down()


def _put_into_production(here: Installation, version: ModelVersion) -> None:
    with here.world.state.write() as tx:
        apply_stage(tx, version, Stage.PRODUCTION, a.ANNA, here.world.clock.now())
        publish_routes(tx, version.model)


def _own_key(here: Installation) -> str:
    assert here.world.signer is not None
    return here.world.signer.public_key


def _status(here: Installation) -> int:
    """Whether it may be asked; 0 while nobody listens."""
    connection = HTTPConnection("127.0.0.1", here.data_port, timeout=5)
    try:
        connection.request("GET", f"/v2/models/{a.MODEL}/ready")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _loaded(here: Installation, version: ModelVersion) -> PackageState:
    """As the worker that runs now tells it."""
    with here.world.state.read() as tx:
        found = tx.find(WORKERS)
    newest = max(found, key=lambda one: one.seen_at)
    return newest.acknowledgement.packages.get(version.digest, PackageState(Readiness.LOADING))


def _started_at(pid: int) -> float:
    """Unix seconds, as the system counts them (proc(5), field 22)."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    booted = SystemClock().now().timestamp() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted + ticks / os.sysconf("SC_CLK_TCK")
