"""The client of a container engine is a program of others': it gets what it needs to find its engine, and none of our secrets."""

from __future__ import annotations

from pathlib import Path

from lockgate.integrations.oci.engine import find


def test_the_client_is_told_none_of_our_secrets(tmp_path: Path) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\necho $DOCKER_HOST $LOCKGATE_TRUST_CODE $LOCKGATE_SIGNING_KEY $VAULT_TOKEN $LOCKGATE_DATABASE\n")
    client.chmod(0o755)
    secrets = dict.fromkeys(("LOCKGATE_SIGNING_KEY", "VAULT_TOKEN", "LOCKGATE_DATABASE"), "hush")
    engine = find({"PATH": str(tmp_path), "DOCKER_HOST": "unix:///here", "LOCKGATE_TRUST_CODE": "1", **secrets})
    assert engine is not None
    assert engine.version == "unix:///here 1"
    assert engine.do("image", "ls") == "unix:///here 1"
