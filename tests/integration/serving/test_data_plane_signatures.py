"""Where trusted keys lie in its home, a data plane loads nothing that nobody of them vouches for: whatever role it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from lockgate.boundary import statements, trust
from lockgate.boundary.acknowledgements import PackageState, Readiness
from lockgate.boundary.routes import Arm, Role, Route, Shadow
from lockgate.boundary.trust import Trust, TrustedKey
from lockgate.testing.signer import KeySigner
from tests.integration.serving.alone_packages import SIGNER, renamed
from tests.integration.serving.data_plane import MODEL, ControlPlane, DataPlane, Folder, columns, wait_for

OTHER = KeySigner("other")
TRUSTED = trust.trusting([SIGNER.public_key, OTHER.public_key])
WITHOUT_OTHER = Trust((TrustedKey(SIGNER.public_key), TrustedKey(OTHER.public_key, "laptop", revoked=True)))
NewPlane = Callable[..., DataPlane]


def signed(store: Folder, digest: str, signer: KeySigner = SIGNER, about: str | None = None) -> str:
    """The digest of the statement, which lies among the artifacts."""
    return store.put(statements.say({MODEL: about or digest}, statements.PROVENANCE, {"made": "by a test"}, signer))


def lay(tmp_path: Path, trusted: Trust | None) -> None:
    trust.lay_down(tmp_path / "home" / "data-plane", trusted)


def state(control: ControlPlane, digest: str) -> PackageState:
    def known() -> PackageState | None:
        found = control.package(digest)
        return found if found is not None and found.readiness is not Readiness.LOADING else None

    return cast("PackageState", wait_for(known, f"the worker has said what became of {digest}"))


def champion(digest: str, provenance: str) -> Route:
    return Route(MODEL, (Arm(1, digest, Role.CHAMPION, 1.0, provenance),))


def test_what_a_trusted_key_signed_is_loaded(tmp_path: Path, own_control: ControlPlane, new_plane: NewPlane) -> None:
    store = Folder(tmp_path / "artifacts")
    digest = store.linear(1.0)
    lay(tmp_path, TRUSTED)
    own_control.publish(champion(digest, signed(store, digest)))
    plane = new_plane()
    wait_for(lambda: own_control.able(1), "the worker has the package")
    assert plane.infer(columns((1.0, "AA"))).version == "1"


def test_nothing_else_is_loaded_whatever_it_is_for(tmp_path: Path, own_control: ControlPlane, new_plane: NewPlane) -> None:
    store = Folder(tmp_path / "artifacts")
    good, unsigned, strange, swapped, gone, altered, shadow = (store.linear(float(bias)) for bias in range(7))
    papers = {
        unsigned: ("", "is not signed"),
        strange: (signed(store, strange, KeySigner("stranger")), "none of the 2 trusted keys"),
        swapped: (signed(store, swapped, about=good), "it was signed for"),
        gone: ("sha256:" + "0" * 64, "is not signed"),
        altered: (signed(store, altered), "its signature is wrong"),
        shadow: (signed(store, shadow, KeySigner("stranger")), "none of the 2 trusted keys"),
    }
    envelope = store.file(papers[altered][0])
    envelope.write_bytes(envelope.read_bytes().replace(b'"sig":"', b'"sig":"AAAA', 1))
    roles = {unsigned: Role.RETAINED, strange: Role.CANARY, swapped: Role.PINNED, gone: Role.PINNED, altered: Role.HELD_BACK}
    arms = [Arm(number, digest, role, 0.0, papers[digest][0]) for number, (digest, role) in enumerate(roles.items(), 2)]
    lay(tmp_path, TRUSTED)
    own_control.publish(
        Route(
            MODEL,
            (*arms, Arm(1, good, Role.CHAMPION, 1.0, signed(store, good))),
            shadows=(Shadow(9, shadow, provenance=papers[shadow][0]),),
        )
    )
    plane = new_plane()
    for digest, (_, why) in papers.items():
        found = state(own_control, digest)
        assert (found.readiness, why in found.reason) == (Readiness.FAILED, True), found
    wait_for(lambda: plane.infer(columns((1.0, "AA"))).status == 200, "the champion answers")
    assert plane.infer(columns((1.0, "AA")), 2).status != 200


def test_a_package_that_a_process_of_its_own_would_run_is_looked_at_too(
    tmp_path: Path, own_control: ControlPlane, new_plane: NewPlane
) -> None:
    made = renamed(tmp_path, MODEL, runtime="python")
    lay(tmp_path, TRUSTED)
    own_control.publish(champion(made.release.digest, ""))
    plane = new_plane()
    assert "is not signed" in state(own_control, made.release.digest).reason
    assert not any(event["event"] == "host ended" for event in plane.events), "no process was started for it"


def test_a_revoked_key_ends_loading_and_not_answering(tmp_path: Path, own_control: ControlPlane, new_plane: NewPlane) -> None:
    store = Folder(tmp_path / "artifacts")
    before, after = store.linear(1.0), store.linear(2.0)
    lay(tmp_path, TRUSTED)
    own_control.publish(champion(before, signed(store, before, OTHER)))
    plane = new_plane()
    wait_for(lambda: own_control.able(1), "the worker has the package")
    lay(tmp_path, WITHOUT_OTHER)
    wait_for(lambda: _warned(plane), "the log says that nobody vouches for the champion")
    own_control.publish(
        Route(
            MODEL,
            (
                Arm(2, after, Role.CANARY, 0.0, signed(store, after, OTHER)),
                *champion(before, signed(store, before, OTHER)).arms,
            ),
        )
    )
    assert "laptop, which was revoked" in state(own_control, after).reason
    assert plane.infer(columns((1.0, "AA"))).version == "1", "what is loaded goes on answering"
    own_control.publish(champion(after, signed(store, after)))
    wait_for(lambda: own_control.able(1), "signed anew, it is loaded", 40.0)
    lay(tmp_path, None)
    own_control.publish(champion(before, ""))
    wait_for(lambda: plane.infer(columns((1.0, "AA"))).version == "1", "nothing need be signed any more")


def _warned(plane: DataPlane) -> bool:
    return any("nobody vouches for a package that answers" in event["event"] for event in list(plane.events))


def test_keys_that_cannot_be_read_let_nothing_pass(tmp_path: Path, own_control: ControlPlane, new_plane: NewPlane) -> None:
    store = Folder(tmp_path / "artifacts")
    digest = store.linear(1.0)
    lay(tmp_path, TRUSTED)
    (tmp_path / "home" / "data-plane" / trust.FILE).write_text("ed25519:half of a li")
    own_control.publish(champion(digest, signed(store, digest)))
    new_plane()
    assert state(own_control, digest).readiness is Readiness.FAILED
