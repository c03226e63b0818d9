"""Scanners of images as programs on the PATH. Stand-ins write what the real ones do: those are not installed here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lockgate.integrations.image_scanners.programs import ImageScanners
from lockgate.kernel.errors import Invalid, Unavailable

pytestmark = pytest.mark.integration


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CLAIR_API", raising=False)
    return folder


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


ECHO = """printf '{"said": "%s"}' "$*" """


def test_each_that_is_there_is_run_on_the_file(programs: Path, tmp_path: Path) -> None:
    image = tmp_path / "image.tar"
    image.write_bytes(b"image")
    for name in ("trivy", "grype", "clairctl"):
        program(programs, name, ECHO)
    trivy, grype = (json.loads(one)["said"] for one in ImageScanners().reports(str(image)))
    assert trivy == f"image --quiet --format json --input {image}"
    assert grype == f"--quiet --output json oci-archive:{image}"


def test_clair_is_asked_of_what_lies_in_a_registry(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAIR_API", "http://clair.example")
    program(programs, "clairctl", ECHO)
    (said,) = ImageScanners().reports("registry.example/team/app:1")
    assert json.loads(said)["said"] == "report --out json registry.example/team/app:1"


def test_they_are_told_none_of_our_secrets(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("LOCKGATE_SIGNING_KEY", "VAULT_TOKEN", "LOCKGATE_DATABASE", "LOCKGATE_TOKEN", "LOCKGATE_REGISTRY_PASSWORD")
    for name in names:
        monkeypatch.setenv(name, "hush")
    monkeypatch.setenv("TRIVY_CACHE_DIR", "/cache")
    program(programs, "trivy", f"""printf '{{"said": "%s"}}' "{"".join(f"${name}" for name in names)}$TRIVY_CACHE_DIR" """)
    assert json.loads(ImageScanners().reports("app:1")[0])["said"] == "/cache"


def test_none_of_them_says_what_to_do(programs: Path) -> None:
    with pytest.raises(Unavailable, match="no scanner of images is installed") as error:
        ImageScanners().reports("image.tar")
    assert "--report FILE" in (error.value.hint or "")


def test_one_that_fails_says_why(programs: Path) -> None:
    program(programs, "trivy", "echo 'fetching' >&2; echo 'FATAL no database' >&2; exit 1")
    with pytest.raises(Unavailable, match="trivy ended with 1: FATAL no database"):
        ImageScanners().reports("app:1")


def test_one_that_hangs_is_ended(programs: Path) -> None:
    program(programs, "trivy", "exec /bin/sleep 60")
    with pytest.raises(Unavailable, match=r"did not finish within 0\.2 s"):
        ImageScanners(0.2).reports("app:1")


def test_what_looks_like_an_option_is_no_image(programs: Path) -> None:
    program(programs, "trivy", ECHO)
    with pytest.raises(Invalid, match="a file or a reference"):
        ImageScanners().reports("--config=/etc/passwd")
