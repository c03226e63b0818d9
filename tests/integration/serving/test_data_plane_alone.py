"""A data plane without a control plane: packages by name, signed or not, as a container or a bare machine runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from tempfile import gettempdir

import pytest

from lockgate.boundary import trust
from lockgate.boundary.manifest import Golden
from lockgate.boundary.records import frames
from lockgate.testing.signer import KeySigner
from tests.integration.serving.alone_packages import SIGNER, Alone, alone, bundle, linear, refused, renamed
from tests.integration.serving.data_plane import (
    CARRIER,
    DISTANCE,
    MODEL,
    Folder,
    answer_of,
    call,
    columns,
    wait_for,
)

KEY: tuple[str, ...] = ("--key", SIGNER.public_key)
EVERYWHERE = "0.0.0.0"  # noqa: S104 - that it is refused


@pytest.mark.parametrize("kind", ["folder", "file", "wheel"])
def test_a_signed_package_answers_as_it_did(tmp_path: Path, kind: str) -> None:
    made, vouched = linear(tmp_path), KEY
    if kind == "folder":
        path = made.folder(tmp_path / "model")
    elif kind == "file":
        path = made.file(tmp_path / "delays-7.lockgate")
    else:  # the signature of a wheel is among what installers know; its own tests say so
        path, vouched = made.file(tmp_path / "delays-7-py3-none-any.whl", "delays/_model/"), ()
    with alone("--package", path, *vouched) as plane:
        reply = plane.infer(columns((1.0, "AA"), (4.0, "UA")))
        asked = json.dumps({"inputs": {DISTANCE: [1.0], CARRIER: ["AA"]}}).encode()
        scored = call(plane.url("/invocations"), asked, {"content-type": "application/json"})
        assert plane.get("/v2/health/ready").status == 200
        assert "lockgate_" in plane.get("/metrics").body.decode()
        assert plane.stop() == 0
    assert (reply.status, reply.version) == (200, "7")
    assert reply.json["outputs"][0]["data"] == [answer_of(5.0, 1.0, "AA"), answer_of(5.0, 4.0, "UA")]
    assert scored.json["predictions"] == [answer_of(5.0, 1.0, "AA")]


def test_two_models_are_served_beside_each_other_and_two_of_one_model_are_not(tmp_path: Path) -> None:
    first, second = linear(tmp_path).folder(tmp_path / "a"), renamed(tmp_path, "other").folder(tmp_path / "b")
    with alone("--package", first, "--package", second, "--workers", "2") as plane:
        assert plane.infer(columns((1.0, "AA"))).json["outputs"][0]["data"] == [answer_of(5.0, 1.0, "AA")]
        told = call(plane.url("/v2/models/other/infer"), columns((1.0, "AA")))
        assert told.json["outputs"][0]["data"] == [answer_of(0.0, 1.0, "AA")]
    code, said = refused("--package", first, "--package", linear(tmp_path, 6.0).folder(tmp_path / "c"))
    assert code == 2
    assert f"two packages of {MODEL} found" in said


def test_nothing_waits_for_a_control_plane_that_there_is_not(tmp_path: Path) -> None:
    with alone("--package", linear(tmp_path).folder(tmp_path / "model")) as plane:
        answered = plane.infer(columns((1.0, "AA"))).json["parameters"]["prediction_id"]
        told = plane.feedback([{"prediction_id": answered, "label": 1}])
        time.sleep(0.6)  # several blocks
        home = next(Path(os.environ.get("TMPDIR", "/tmp")).glob(f"lockgate-serve-*/home/spool/{_incarnation(plane)}"))
        wait_for(lambda: not list(home.glob("*.block")), "no block is left")
        assert not (home.parents[1] / "records").exists()
        folder = home.parents[2]
        assert plane.stop() == 0
    assert told.status == 501
    assert "no control plane" in told.json["detail"]
    assert not folder.exists()


def _incarnation(plane: Alone) -> str:
    return str(next(event["incarnation"] for event in plane.events if event["event"] == "worker serves"))


def test_records_are_kept_where_somebody_wants_them(tmp_path: Path) -> None:
    where = tmp_path / "records"
    with alone("--package", linear(tmp_path).folder(tmp_path / "model"), "--records", where) as plane:
        plane.infer(columns((1.0, "AA")))
        plane.stop()
    assert sum(len(list(frames(path.read_bytes()))) for path in where.glob("*.seg")) == 1


def test_not_one_bit_of_a_folder_may_be_another(tmp_path: Path) -> None:
    folder = linear(tmp_path).folder(tmp_path / "model")
    for name in ("files/model.onnx", "manifest.json", "papers/provenance.dsse.json"):
        path = folder / name
        sound = path.read_bytes()
        path.write_bytes(sound[:-40] + bytes([sound[-40] ^ 1]) + sound[-39:])
        code, said = refused("--package", folder, *KEY)
        path.write_bytes(sound)
        assert code in (1, 3), said
        assert Path(name).name.partition(".")[0] in said


@pytest.mark.parametrize("at", [10, 400, -10])
def test_not_one_bit_of_a_file_may_be_another(tmp_path: Path, at: int) -> None:
    path = linear(tmp_path).file(tmp_path / "delays-7.lockgate")
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    code, said = refused("--package", path)
    assert code == 1
    assert "fetch it again" in said


@pytest.mark.parametrize(
    ("make", "code", "why"),
    [
        (lambda tmp_path: tmp_path / "nothing.lockgate", 1, "there is no file"),
        (lambda tmp_path: tmp_path, 2, "holds no release.json"),
        (lambda tmp_path: renamed(tmp_path, MODEL, runtime="abacus").folder(tmp_path / "m"), 1, "runtime 'abacus' found"),
        (lambda tmp_path: renamed(tmp_path, MODEL, runtime="python").folder(tmp_path / "m"), 1, "does not trust"),
        (lambda tmp_path: renamed(tmp_path, MODEL, golden=_other_answers()).folder(tmp_path / "m"), 1, "golden rows"),
    ],
)
def test_what_cannot_be_served_ends_it_with_a_sentence(tmp_path: Path, make: Callable[[Path], Path], code: int, why: str) -> None:
    ended, said = refused("--package", make(tmp_path))
    assert (ended, why in said) == (code, True), said


def _other_answers() -> Golden:
    return Golden({DISTANCE: [1.0], CARRIER: ["AA"]}, [99.0], 1e-4)


def test_somebody_elses_signature_and_a_revoked_one_are_refused(tmp_path: Path) -> None:
    stranger = linear(tmp_path, signer=KeySigner("stranger")).folder(tmp_path / "stranger")
    code, said = refused("--package", stranger, *KEY)
    assert (code, "none of the 1 trusted keys" in said) == (3, True)
    swapped = bundle(tmp_path / "artifacts", Folder(tmp_path / "artifacts").linear(6.0), signed="sha256:" + "0" * 64)
    code, said = refused("--package", swapped.folder(tmp_path / "swapped"), *KEY)
    assert (code, "it was signed for" in said) == (3, True)
    keys = tmp_path / "keys"
    keys.write_text(f"revoked {SIGNER.public_key} laptop\n")
    code, said = refused("--package", linear(tmp_path).folder(tmp_path / "own"), "--trusted-keys", keys)
    assert (code, "which was revoked" in said) == (3, True)
    code, said = refused("--package", linear(tmp_path).folder(tmp_path / "again"), "--trusted-keys", keys, *KEY)
    assert (code, "which was revoked" in said) == (3, True), "given twice, it is revoked all the same"
    keys.write_text("# nobody yet\n")
    code, said = refused("--package", tmp_path / "own", "--trusted-keys", keys)
    assert (code, "names no key" in said) == (2, True)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "Give --key with the public key of who signed it"),
        (("--unsigned",), "nobody said who may ask"),
        (("--unsigned", "--public"), "a certificate expected"),
        (("--home", "x"), "--home found beside --package"),
    ],
)
def test_beyond_this_machine_somebody_must_say_that_it_may(tmp_path: Path, options: tuple[str, ...], why: str) -> None:
    code, said = refused("--package", linear(tmp_path).folder(tmp_path / "model"), "--host", EVERYWHERE, *options)
    assert code in (2, 3)
    assert why in said


def test_a_worker_that_dies_is_started_again(tmp_path: Path) -> None:
    with alone("--package", linear(tmp_path).folder(tmp_path / "model")) as plane:
        plane.kill_worker()
        wait_for(lambda: plane.serving == 2, "the second worker serves")
        assert plane.infer(columns((1.0, "AA"))).status == 200


def test_what_a_killed_server_left_behind_is_removed_by_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, scratch = linear(tmp_path).file(tmp_path / "delays-7.lockgate"), tmp_path / "s"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    with alone("--package", path) as plane:
        assert plane.process is not None
        plane.process.kill()
        plane.ended()
    (left,) = scratch.glob("lockgate-serve-*")
    with alone("--package", path) as plane, alone("--package", path):
        assert not left.exists()
        assert len(list(scratch.glob("lockgate-serve-*"))) == 2, "those that live stay"
    assert not list(scratch.glob("lockgate-serve-*"))


def _walled() -> bool:
    """Whether this process may make a file system that nobody may write, and be somebody without a name."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("setpriv") and _walled()), reason="needs root to give it up")
def test_it_runs_as_nobody_on_a_disk_that_nobody_may_write(tmp_path: Path) -> None:
    folder = linear(tmp_path).folder(tmp_path / "model")
    for path in takewhile(lambda one: one != Path(gettempdir()), (tmp_path, *tmp_path.parents)):
        path.chmod(0o755)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "keys").write_text(trust.spelled(trust.trusting([SIGNER.public_key])))
    wall = f'mount -t tmpfs -o mode=1777 tmpfs {scratch} && mount -o remount,ro,bind / && exec "$@"'
    nobody = ("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all")
    before = ("unshare", "-m", "sh", "-c", wall, "sh", *nobody)
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(scratch)}
    with alone("--package", folder, "--trusted-keys", tmp_path / "keys", before=before, environment=environment) as plane:
        assert plane.infer(columns((1.0, "AA"))).status == 200
        assert not any(event["event"] == "sandbox incomplete" for event in plane.events) or sys.platform != "linux"
        assert plane.stop() == 0
