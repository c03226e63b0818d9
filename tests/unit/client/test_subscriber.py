"""A subscriber answers by what its channel says, and whatever goes wrong, by what was good before."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from lockgate.boundary.routes import Arm, Revision, Role
from lockgate.boundary.selector import choose, unit_key
from lockgate.client import Subscriber
from lockgate.client.answering import Observed
from lockgate.kernel.errors import Conflict, Invalid, InvalidInput, Unavailable
from lockgate.testing.signer import KeySigner
from tests.samples.followed import House
from tests.unit.client.following import asked, following, until


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def test_it_answers_by_what_the_channel_points_to_and_moves_with_it(house: House, folder: Path) -> None:
    house.publish(1, 1)
    with following(house, folder) as model:
        assert model.predict({"x": 3.0}) == 3.0
        assert model.predict([{"x": 1.0}, {"x": 2.0}]).tolist() == [1.0, 2.0]
        assert model.predict(np.array([[4.0]], dtype=np.float32)).tolist() == [4.0]
        assert (model.version, model.revision, model.faults) == (1, Revision(0, 1), ())
        house.publish(2, 2)
        until(lambda: model.version == 2)
        assert model.predict({"x": 3.0}) == 6.0
        standing = model.standing
        assert (standing.channel, standing.host, standing.running, standing.ready) == (house.channel, "host-1", 2, (2,))
        with pytest.raises(InvalidInput, match="x"):
            model.predict({"y": 1.0})
        with pytest.raises(Conflict, match="started before"):
            model.start()
    assert model.predict({"x": 1.0}) == 2.0  # closed: what was loaded goes on


def test_under_a_plan_by_request_each_is_drawn_anew_whatever_its_key(house: House, folder: Path) -> None:
    house.publish(1, house.route(1, house.arm(2, weight=0.3)))
    with following(house, folder) as model:
        until(lambda: model.standing.ready == (1, 2))
        for key in ("anna", None):
            assert 30 < [asked(model, key) for _ in range(200)].count(2) < 90


def test_a_sticky_canary_is_met_by_key_as_at_the_gateway_and_by_the_host_without_one(house: House, folder: Path) -> None:
    house.publish(1, structs.replace(house.route(1, house.arm(2, weight=0.3)), unit="header:X-User-Id"))
    with following(house, folder) as model:
        until(lambda: model.standing.ready == (1, 2))
        expected = [(2, 1)[choose(unit_key("salt", str(key)), [0.3, 0.7])] for key in range(200)]
        assert [asked(model, str(key)) for key in range(200)] == expected
        assert 30 < expected.count(2) < 90
        assert len({asked(model) for _ in range(20)}) == 1
        assert asked(model) == (2, 1)[choose(unit_key("salt", "host-1"), [0.3, 0.7])]
        told = [model.answer({"x": 1.0}, headers={"x-user-id": str(key)}).version for key in range(200)]
        assert told == expected
        assert model.version == 1


def test_going_back_needs_no_source(house: House, folder: Path) -> None:
    """What is retained lies at hand, and what was loaded stays loaded while the route names it."""
    house.publish(1, 1)
    with following(house, folder) as model:
        house.publish(2, house.route(2, house.arm(1, Role.RETAINED)))
        until(lambda: model.version == 2)
        assert model.standing.ready == (1, 2)
        for path in (house.folder / "artifacts").glob("??/*"):
            path.unlink()
        house.publish(3, house.route(1, house.arm(2, Role.RETAINED)))
        until(lambda: model.version == 1)
        assert model.faults == ()


def test_it_starts_without_a_source_by_what_it_kept(house: House, folder: Path, tmp_path: Path) -> None:
    house.publish(1, 1)
    with following(house, folder):
        pass
    with following(house, folder, source=tmp_path / "nowhere") as model:
        assert asked(model) == 1
        until(lambda: model.faults)
        assert "not there" in model.faults[0]


def test_with_nothing_kept_and_no_source_it_says_why(house: House, folder: Path) -> None:
    subscriber = Subscriber(house.channel, house.folder, keys=house.key, folder=folder)
    with pytest.raises(Unavailable, match="nothing has come yet"):
        subscriber.predict({"x": 1.0})
    with pytest.raises(Unavailable, match="is not there"):
        subscriber.start(0.1)


def test_a_version_whose_golden_rows_fail_is_not_taken_and_the_former_goes_on(house: House, folder: Path) -> None:
    house.publish(1, 1)
    with following(house, folder) as model:
        house.release(2, wrong=True)
        house.publish(2, 2)
        until(lambda: model.faults)
        assert "golden" in model.faults[0]
        assert (asked(model), model.revision) == (1, Revision(0, 1))
        house.publish(3, 3)
        until(lambda: model.version == 3)
        assert model.faults == ()


def test_a_canary_that_cannot_be_had_leaves_its_units_to_the_champion(house: House, folder: Path) -> None:
    house.release(2, wrong=True)
    house.publish(1, house.route(1, house.arm(2, weight=0.5)))
    with following(house, folder) as model:
        until(lambda: model.faults)
        assert {asked(model, str(key)) for key in range(20)} == {1}
        assert model.standing.ready == (1,)


def test_a_package_of_another_model_is_refused_whoever_signed_it(house: House, folder: Path) -> None:
    house.publish(1, 1)
    with following(house, folder) as model:
        house.release(2, named="doubled")
        house.publish(2, 2)
        until(lambda: model.faults)
        assert "tripled 2: a package of 'doubled' found under its name" in model.faults[0]
        assert asked(model) == 1


def test_what_is_not_signed_by_a_trusted_key_is_refused(house: House, folder: Path) -> None:
    stranger = KeySigner("stranger")
    house.publish(1, 1)
    with following(house, folder) as model:
        house.publish(2, 2, [stranger])
        until(lambda: model.faults)
        assert "none of the 1 trusted keys" in model.faults[0]
        house.release(3, signer=stranger)
        house.publish(3, 3)
        until(lambda: any("provenance of tripled 3" in fault for fault in model.faults))
        house.release(4, signed=False)
        house.publish(4, 4)
        until(lambda: any("not signed" in fault for fault in model.faults))
        assert asked(model) == 1


def test_an_old_pointer_that_is_put_back_is_refused_also_after_a_restart(house: House, folder: Path) -> None:
    old = house.publish(1, 1)
    with following(house, folder) as model:
        house.publish(2, 2)
        until(lambda: model.version == 2)
        house.put(old)
        until(lambda: model.faults)
        assert "old pointer" in model.faults[0]
        assert asked(model) == 2
    with following(house, folder) as model:
        until(lambda: model.faults)
        assert asked(model) == 2
        house.publish(3, 1)  # going back on purpose is news
        until(lambda: model.version == 1)
        assert model.faults == ()


def test_what_was_shown_counts_though_it_could_not_be_taken(house: House, folder: Path) -> None:
    good = house.publish(1, 1)
    with following(house, folder) as model:
        house.release(2, wrong=True)
        house.publish(2, 2)
        until(lambda: model.faults)
    house.put(good)
    with following(house, folder) as model:
        until(lambda: any("old pointer" in fault for fault in model.faults))
        assert asked(model) == 1


def test_of_two_pointers_with_one_revision_the_later_one_counts(house: House, folder: Path) -> None:
    first = house.publish(1, 1)
    with following(house, folder) as model:
        house.publish(1, 2)
        until(lambda: model.version == 2)
        house.put(first)
        until(lambda: model.faults)
        assert asked(model) == 2


def test_a_pointer_of_another_channel_is_refused(house: House, folder: Path, tmp_path: Path) -> None:
    house.publish(1, 1)
    other = House(tmp_path / "house", model="other")
    with following(house, folder) as model:
        house.put(other.publish(7, 2))
        until(lambda: model.faults)
        assert "other@production" in model.faults[0]
        assert asked(model) == 1


def test_a_damaged_source_is_told_and_mended(house: House, folder: Path) -> None:
    house.publish(1, 1)
    with following(house, folder) as model:
        release = house.release(2)
        path = house.artifacts.path(release.digest)
        good = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(good[:-1] + b"!")
        house.publish(2, house.route(2))
        until(lambda: model.faults)
        assert "what came is" in model.faults[0]
        path.write_bytes(good)
        until(lambda: model.version == 2)
        assert model.faults == ()


def test_what_was_damaged_on_its_own_disk_is_fetched_again(house: House, folder: Path) -> None:
    house.publish(1, 1)
    with following(house, folder):
        pass
    for path in (folder / "artifacts").glob("??/*"):
        path.chmod(0o600)
        path.write_bytes(b"x" + path.read_bytes())
    with following(house, folder) as model:
        assert asked(model) == 1
        until(lambda: not model.faults)


def test_with_its_last_pointer_damaged_it_starts_by_the_one_before(house: House, folder: Path, tmp_path: Path) -> None:
    house.publish(1, 1)
    with following(house, folder) as model:
        house.publish(2, 2)
        until(lambda: model.version == 2)
    for name in ("", ".shown"):
        (folder / "channels" / f"{house.channel}{name}.json").write_bytes(b"{")
    with following(house, folder, source=tmp_path / "nowhere") as model:
        assert asked(model) == 1
        assert len(model.faults) >= 2
    with following(house, folder) as model:
        until(lambda: model.version == 2)
        until(lambda: not model.faults)


def test_a_revoked_key_takes_nothing_out_of_service_and_lets_nothing_in(house: House, folder: Path, tmp_path: Path) -> None:
    keys, other = tmp_path / "keys", KeySigner("other")
    keys.write_text(f"{house.key} home\n{other.public_key} other\n")
    house.publish(1, 1)
    with following(house, folder, keys=keys) as model:
        keys.write_text(f"revoked {house.key} home\n{other.public_key} other\n")
        until(lambda: any("goes on answering" in fault and "revoked" in fault for fault in model.faults))
        house.publish(2, 2)
        until(lambda: len(model.faults) > 1)
        assert asked(model) == 1
        house.signer = other
        house.release(3)
        house.publish(3, 3)
        until(lambda: model.version == 3)
    with (
        pytest.raises(Unavailable, match="revoked"),
        following(house, tmp_path / "fresh", keys=_revoked(tmp_path, other), patience=0.3),
    ):
        pass


def _revoked(folder: Path, signer: KeySigner) -> Path:
    path = folder / "revoked"
    path.write_text(f"revoked {signer.public_key}\n")
    return path


def test_a_file_of_keys_that_is_gone_leaves_the_former_in_force(house: House, folder: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(house.key)
    house.publish(1, 1)
    with following(house, folder, keys=keys) as model:
        keys.unlink()
        until(lambda: model.faults)
        house.publish(2, 2)
        until(lambda: model.version == 2)
        keys.write_text(house.key)
        until(lambda: not model.faults)


def test_each_fault_is_told_once_and_a_mistake_of_who_is_told_stops_nothing(house: House, folder: Path) -> None:
    told: list[str] = []

    def tell(fault: str) -> None:
        told.append(fault)
        raise RuntimeError("mine")

    house.publish(1, 1)
    with following(house, folder, on_fault=tell) as model:
        house.put(b"{")
        until(lambda: told)
        house.publish(2, 2)
        until(lambda: model.version == 2)
    assert len(told) == 1


def test_what_no_channel_names_any_more_is_removed_and_the_previous_is_kept(house: House, folder: Path) -> None:
    house.publish(1, 1)
    with following(house, folder) as model:
        for version in (2, 3):
            house.publish(version, version)
            until(lambda: model.revision.n == len(house.releases))
        until(lambda: not there(folder, house, 1))
        assert there(folder, house, 2)
        assert there(folder, house, 3)


def there(folder: Path, house: House, version: int) -> bool:
    digits = house.releases[version].digest.removeprefix("sha256:")
    return (folder / "artifacts" / digits[:2] / digits[2:]).exists()


def test_two_subscribers_share_a_folder(house: House, folder: Path, tmp_path: Path) -> None:
    other = House(house.folder, model="other")
    house.publish(1, 1)
    other.publish(1, 5)
    with following(house, folder) as one, following(house, folder) as same, following(other, folder) as another:
        for version in (2, 3, 4):
            house.publish(version, version)
            until(lambda: one.revision == same.revision and one.version == max(house.releases))
        other.publish(2, 6)
        until(lambda: another.version == 6)
        assert one.faults == same.faults == another.faults == ()
    with following(house, folder, source=tmp_path / "none") as one, following(other, folder, source=tmp_path / "none") as another:
        assert (asked(one), asked(another)) == (4, 6)


def test_a_subscribers_folder_is_a_source(house: House, folder: Path, tmp_path: Path) -> None:
    house.publish(1, 1)
    with following(house, folder), following(house, tmp_path / "second", source=folder) as second:
        assert asked(second) == 1


def test_a_channel_that_names_nothing_any_more_is_told_and_the_last_version_goes_on(house: House, folder: Path) -> None:
    house.publish(1, 1)
    with following(house, folder) as model:
        route = house.route(1)
        house.publish(2, type(route)(house.model, ()))
        until(lambda: any("names no version" in fault for fault in model.faults))
        assert asked(model) == 1
        house.publish(3, 1)
        until(lambda: model.revision == Revision(0, 3))
        assert model.faults == ()


def test_whoever_observes_is_told_each_prediction_and_each_failure(house: House, folder: Path) -> None:
    seen: list[Observed] = []
    house.publish(1, 1)
    with following(house, folder, observer=seen.append) as model:
        model.predict({"x": 2.0}, "anna")
        with pytest.raises(InvalidInput):
            model.predict({"x": "two"})
    assert [(one.version, one.first, one.scores, one.failure, one.pointer.revision.n) for one in seen] == [
        (1, True, 2.0, None, 1)
    ]
    assert seen[0].seconds > 0


def test_a_fifo_in_place_of_the_pointer_does_not_hold_it_up(house: House, folder: Path) -> None:
    house.publish(1, 1)
    with following(house, folder) as model:
        path = house.channels.path(house.channel)
        path.unlink()
        os.mkfifo(path)
        until(lambda: any("no plain file" in fault for fault in model.faults))
        assert asked(model) == 1


@pytest.mark.parametrize(
    ("channel", "source", "keys", "told"),
    [
        ("tripled", ".", "ed25519:", "channel"),
        ("tripled@production", "http://user:secret@host", None, "without a user"),
        ("tripled@production", "http://models.example.com", None, "in the clear"),
        ("tripled@production", ".", [], "no key"),
        ("tripled@production", ".", "nowhere/keys", "cannot be read"),
        ("tripled@production", ".", ["ed25519:abc"], "trusted keys"),
    ],
)
def test_bad_settings_are_refused_at_once(
    house: House, folder: Path, channel: str, source: str, keys: str | list[str] | None, told: str
) -> None:
    with pytest.raises(Invalid, match=told) as refused:
        Subscriber(channel, source, keys=house.key if keys is None else keys, folder=folder, token="t")
    assert "secret" not in str(refused.value)


def test_a_segment_with_a_champion_of_its_own_is_answered_by_it(house: House, folder: Path) -> None:
    from lockgate.boundary.routes import Part, Route, Segmentation

    segments = Segmentation("header:airport", ("JFK",))
    own = Route(house.model, (Arm(2, house.release(2).digest, Role.CHAMPION, 1.0),), segments=segments)
    house.release(1)
    whole = Route(house.model, house.route(1).arms, segments=segments, parts=(Part("JFK", own),))
    house.publish(1, whole)
    with following(house, folder) as model:
        until(lambda: model.standing.ready == (1, 2))
        assert model.predict({"x": 1.0}) == 1.0
        assert model.predict({"x": 1.0}, headers={"Airport": "JFK"}) == 2.0
