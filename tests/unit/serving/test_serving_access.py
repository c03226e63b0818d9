"""Who is let in: every way in which a key can be wrong, and what its holder is told."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from lockgate.boundary import keys
from lockgate.boundary.keys import KeyScope, Rate
from lockgate.serving.gateway.access import EVERY_MODEL, Principal, needs
from lockgate.testing.clock import VirtualClock
from tests.unit.serving.key_desk import FEEDBACK, INFER, Caller, KeyDesk, ask, bearing, refused

PATHS = [
    "/v2",
    "/v2/models/delays",
    INFER,
    "/invocations",
    "/version",
    "/openapi.json",
    FEEDBACK,
    "/v2/models/delays/learn",
    "/v2/models/delays/versions/2/stats",
    "/v2/repository/index",
    "/metrics",
    "/else",
    "/",
]
PREDICTIONS = PATHS[:6]
HEALTH = ["/v2/health/live", "/v2/health/ready", "/v2/health/ready/", "/ping", "/health"]


@pytest.fixture
def desk(tmp_path: Path, clock: VirtualClock) -> KeyDesk:
    return KeyDesk(tmp_path, clock)


def test_loopback_is_open_until_there_is_a_file_of_keys(desk: KeyDesk) -> None:
    access = desk.access("127.0.0.1")
    assert [ask(access, Caller(path)) for path in PATHS] == [200] * len(PATHS)
    text = desk.add("mine")
    desk.look_again(access)
    assert ask(access, Caller(INFER)) == 401
    assert ask(access, bearing(text)) == 200


def test_keys_that_open_channels_only_close_nothing_here(desk: KeyDesk) -> None:
    access = desk.access("127.0.0.1")
    channels = desk.add("app", KeyScope.SUBSCRIBE)
    desk.look_again(access)
    assert [ask(access, Caller(path)) for path in PATHS] == [200] * len(PATHS)
    assert ask(desk.access("10.0.0.1"), Caller(INFER)) == 401, "that is closed anyway"
    desk.add("mine", KeyScope.SUBSCRIBE, KeyScope.INFER)
    desk.look_again(access)
    assert [ask(access, Caller(INFER)), ask(access, bearing(channels))] == [401, 403]
    desk.store.write([desk.key("app")])
    desk.look_again(access)
    assert ask(access, Caller(INFER)) == 401, "what was closed once stays so"


def test_a_file_that_opened_nothing_closes_while_nobody_can_tell_what_is_in_it(desk: KeyDesk) -> None:
    desk.add("app", KeyScope.SUBSCRIBE)
    access, path, content = desk.access("127.0.0.1"), desk.store.path, desk.store.path.read_bytes()
    for damaged, status in ((b"{", 401), (content, 200), (b'{"keys": []}', 401)):
        path.write_bytes(damaged)
        desk.look_again(access)
        assert ask(access, Caller(INFER)) == status, damaged


@pytest.mark.parametrize("path", PATHS)
def test_beyond_loopback_every_path_needs_a_key(desk: KeyDesk, path: str) -> None:
    assert ask(desk.access("10.0.0.1"), Caller(path)) == 401


@pytest.mark.parametrize("path", HEALTH)
def test_probes_need_none(desk: KeyDesk, path: str) -> None:
    desk.add("mine")
    assert ask(desk.access(), Caller(path)) == 200


def test_what_is_public_are_predictions_and_what_models_say_of_themselves(desk: KeyDesk) -> None:
    access = desk.access(public=True)
    statuses = {path: ask(access, Caller(path)) for path in PATHS}
    assert [path for path, status in statuses.items() if status == 200] == PREDICTIONS
    text = desk.add("labels", KeyScope.FEEDBACK)
    desk.look_again(access)
    assert ask(access, bearing(text, FEEDBACK)) == 200


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_a_key_comes_in_either_header(desk: KeyDesk, header: str) -> None:
    text = desk.add("mine")
    value = f"bearer  {text}" if header == "authorization" else text
    assert ask(desk.access(), Caller(INFER, [(header, value)])) == 200


def test_whoever_is_let_in_has_a_name(desk: KeyDesk) -> None:
    text = desk.add("mine")
    assert desk.access().check(KeyScope.INFER, bearing(text), "delays") == Principal(desk.key("mine").id, "mine")


def test_a_wrong_key_is_401_and_says_nothing_of_the_right_one(desk: KeyDesk) -> None:
    text = desk.add("mine")
    other = desk.add("other")
    wrong = [
        text[:-1] + ("0" if text[-1] != "0" else "1"),
        text[:-1],
        text + "0",
        other[:17] + text[17:],  # a known id with another's secret
        "lgk_" + "0" * 12 + text[16:],
        desk.key("mine").hash,
        text.upper(),
        f"{text}, Bearer {text}",  # as a proxy joins two headers
        text[:-1] + "٣",  # a digit, of another script
        "",
    ]
    said = set()
    for value in wrong:
        answer, headers, detail = refused(desk.access(), bearing(value))
        assert answer.status == 401, value
        assert headers["www-authenticate"] == 'Bearer realm="lockgate", error="invalid_token"'
        said.add(detail)
    assert said == {"this key is not known here"}


def test_a_secret_is_compared_in_constant_time(desk: KeyDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def spy(kept: str, shown: str) -> bool:
        compared.append((kept, shown))
        return kept == shown

    monkeypatch.setattr(keys, "compare_digest", spy)
    text = desk.add("mine")
    access = desk.access()
    assert [ask(access, bearing(text)), ask(access, bearing(text[:17] + "0" * 64))] == [200, 401]
    assert len(compared) == 2
    assert {kept for kept, _ in compared} == {desk.key("mine").hash}


def test_no_key_is_401_and_names_the_scope_that_is_needed(desk: KeyDesk) -> None:
    desk.add("mine")
    answer, headers, detail = refused(desk.access(), Caller(FEEDBACK))
    assert answer.status == 401
    assert headers["www-authenticate"] == 'Bearer realm="lockgate"'
    assert "'feedback'" in detail


def test_a_password_is_no_key(desk: KeyDesk) -> None:
    text = desk.add("mine")
    assert ask(desk.access(), Caller(INFER, [("authorization", f"Basic {text}")])) == 401


def test_two_keys_are_refused_whichever_is_right(desk: KeyDesk) -> None:
    """A proxy that looks at the first and a server that takes the last would disagree about who asks."""
    text = desk.add("mine")
    for items in (
        [("authorization", f"Bearer {text}"), ("authorization", "Bearer other")],
        [("authorization", f"Bearer {text}"), ("authorization", f"Bearer {text}")],
        [("authorization", f"Bearer {text}"), ("x-api-key", text)],
        [("x-api-key", "other"), ("x-api-key", text)],
    ):
        answer, _, detail = refused(desk.access(), Caller(INFER, items))
        assert (answer.status, detail) == (400, "2 keys found in the headers, one expected")


@pytest.mark.parametrize("query", ["key={}", "a=1&api_key={}", "access_token={}", "token=x", "x-api-key=", "q={}", "q=lgk%5F1"])
def test_a_key_in_the_address_is_refused_even_beside_a_good_header(
    desk: KeyDesk, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = desk.add("mine")
    caller = bearing(text, query_string=query.format(text))
    answer, _, detail = refused(desk.access(), caller)
    assert (answer.status, detail) == (400, "a key stands in the address")
    assert text not in caplog.text
    assert text[17:] not in answer.body.decode()


@pytest.mark.parametrize("query", ["monkey=1", "tokens=3", "page=2"])
def test_other_questions_in_the_address_do_no_harm(desk: KeyDesk, query: str) -> None:
    text = desk.add("mine")
    assert ask(desk.access(), bearing(text, query_string=query)) == 200


@pytest.mark.parametrize("scope", list(KeyScope))
def test_a_key_opens_what_its_scope_says_and_nothing_else(desk: KeyDesk, scope: KeyScope) -> None:
    text = desk.add("one", scope)
    statuses = {path: ask(desk.access(), bearing(text, path)) for path in PATHS}
    assert statuses == {path: 200 if needs(path)[0] is scope else 403 for path in PATHS}


def test_a_missing_scope_is_403_and_is_named(desk: KeyDesk) -> None:
    text = desk.add("mine")
    answer, headers, detail = refused(desk.access(), bearing(text, FEEDBACK))
    assert answer.status == 403
    assert detail == "the key 'mine' has not the scope 'feedback'"
    assert headers["www-authenticate"] == 'Bearer realm="lockgate", error="insufficient_scope", scope="feedback"'
    assert desk.counts == {"denied": 1}


def test_a_key_for_some_models_opens_no_other(desk: KeyDesk) -> None:
    text = desk.add("mine", KeyScope.INFER, KeyScope.REPOSITORY, model="delays")
    paths = {
        INFER: 200,
        "/v2/models/delays": 200,
        "/v2/models/de%6Cays/versions/3/infer": 200,  # as the gateway undoes it
        "/v2": 200,
        "/v2/models/other/infer": 403,
        "/v2/models/delays%2F/infer": 403,
        "/v2/models//infer": 403,
        "/v2/models/delays2": 403,
        "/v2/repository/models/other/load": 403,
        "/v2/repository/models/delays/load": 200,
        "/v2/repository/index": 403,
        "/openapi.json": 403,
        "/version": 200,
    }
    access = desk.access()
    assert {path: ask(access, bearing(text, path)) for path in paths} == paths


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", [], 403),  # which model that is depends on what else is served
        ("model=delays", [], 200),
        ("model=other", [], 403),
        ("model=delays&model=other", [], 403),
        ("model=other&model=delays", [], 200),
        ("model=d%65lays", [], 200),
        ("", [("x-lockgate-model", "delays")], 200),
        ("", [("x-lockgate-model", "other")], 403),
        ("model=other", [("x-lockgate-model", "delays")], 403),
        ("model=", [("x-lockgate-model", "delays")], 200),
        ("&".join(f"a{number}=1" for number in range(30)), [("x-lockgate-model", "delays")], 403),
    ],
)
def test_where_the_path_names_no_model_the_request_does(
    desk: KeyDesk, query: str, headers: list[tuple[str, str]], status: int
) -> None:
    text, free = desk.add("mine", model="delays"), desk.add("free")
    access = desk.access()
    for key, expected in ((text, status), (free, 200)):
        caller = Caller("/invocations", [("authorization", f"Bearer {key}"), *headers], query)
        assert ask(access, caller) == expected


def test_the_log_of_requests_is_told_whose_key_it_was(desk: KeyDesk) -> None:
    text = desk.add("mine")
    access = desk.access()
    callers = [bearing(text), bearing(text, FEEDBACK), bearing(text[:17] + "0" * 64), Caller(INFER)]
    assert [access.caller(one) for one in callers] == [desk.key("mine").id] * 2 + ["", ""]


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("/v2/models/feedback", (KeyScope.INFER, "feedback")),
        ("/v2/models/feedback/infer", (KeyScope.INFER, "feedback")),
        ("/v2/models/a%2Fb/feedback", (KeyScope.FEEDBACK, "a/b")),
        ("/v2/models/a/versions/2/feedback/", (KeyScope.FEEDBACK, "a")),
        ("/v2/models/health/live", (KeyScope.INFER, "health")),
        ("/v2/health/live/../../models/a/infer", (KeyScope.REPOSITORY, EVERY_MODEL)),
        ("//v2/health/live", (KeyScope.REPOSITORY, EVERY_MODEL)),
    ],
)
def test_a_path_is_read_as_the_gateway_reads_it(path: str, needed: tuple[KeyScope, str | None]) -> None:
    assert needs(path) == needed


def test_a_key_expires_to_the_second(desk: KeyDesk) -> None:
    text = desk.add("mine", lifetime=60.0)
    access = desk.access()
    desk.clock.advance(59.0)
    assert ask(access, bearing(text)) == 200
    desk.clock.advance(1.0)
    answer, headers, detail = refused(access, bearing(text))
    assert answer.status == 401
    assert "invalid_token" in headers["www-authenticate"]
    assert detail == "the key 'mine' expired at 2026-01-05 09:01 UTC"


def test_a_key_that_is_revoked_is_refused_within_a_second(desk: KeyDesk) -> None:
    text, other = desk.add("mine"), desk.add("other")
    access = desk.access()
    assert ask(access, bearing(text)) == 200
    desk.revoke("mine", desk.clock.now())
    desk.look_again(access)
    assert "was revoked at" in refused(access, bearing(text))[2]
    assert ask(access, bearing(other)) == 200


def test_only_whoever_has_the_secret_is_told_what_became_of_a_key(desk: KeyDesk) -> None:
    text = desk.add("mine")
    desk.revoke("mine", desk.clock.now())
    assert refused(desk.access(), bearing(text[:17] + "0" * 64))[2] == "this key is not known here"


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"keys": [{"id": "x"}]}', b'{"keys": [], "later": 1}', b"\xff"])
def test_a_broken_file_changes_nothing_and_is_told_once(desk: KeyDesk, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    text = desk.add("mine")
    access = desk.access()
    desk.store.path.write_bytes(content)
    for _ in range(3):
        desk.look_again(access)
    assert ask(access, bearing(text)) == 200
    assert [record.message for record in caplog.records] == ["keys unusable"]
    desk.store.path.unlink()
    new = desk.add("new")
    desk.look_again(access)
    assert [ask(access, bearing(one)) for one in (text, new)] == [401, 200]


def test_a_field_of_a_later_version_is_not_passed_over(desk: KeyDesk) -> None:
    """It might say who may not use the key."""
    text = desk.add("mine")
    content = desk.store.path.read_text()
    desk.store.path.write_text(content.replace('"name":', '"networks": ["10.0.0.0/8"], "name":'))
    assert refused(desk.access(), bearing(text))[0].status == 503


def test_deleting_the_file_opens_nothing(desk: KeyDesk) -> None:
    text = desk.add("mine")
    access = desk.access("127.0.0.1")
    desk.store.path.unlink()
    desk.look_again(access)
    assert [ask(access, bearing(text)), ask(access, Caller(INFER))] == [200, 401]


def test_a_file_that_others_may_write_is_not_believed(desk: KeyDesk) -> None:
    text = desk.add("mine")
    desk.store.path.chmod(0o620)
    assert refused(desk.access("127.0.0.1"), bearing(text))[0].status == 503


def test_keys_that_were_never_understood_let_nobody_in_and_that_is_not_the_callers_fault(desk: KeyDesk) -> None:
    desk.store.path.write_text("{")
    access = desk.access("127.0.0.1")
    answer, headers, _ = refused(access, bearing("lgk_1"))
    assert (answer.status, headers["retry-after"]) == (503, "5")
    assert ask(access, Caller(HEALTH[0])) == 200


def test_what_is_refused_is_logged_without_what_was_sent(desk: KeyDesk, caplog: pytest.LogCaptureFixture) -> None:
    text, password = desk.add("mine"), "lgk_of-another-kind"
    access = desk.access()
    for caller in (bearing(text[:-1]), bearing(password), bearing(text, FEEDBACK), Caller(INFER)):
        ask(access, caller)
    told = [record.__dict__ for record in caplog.records]
    assert [(one["peer"], one["status"], one.get("key")) for one in told] == [
        ("10.0.0.9", 401, None),
        ("10.0.0.9", 401, None),
        ("10.0.0.9", 403, desk.key("mine").id),
        ("10.0.0.9", 401, None),
    ]
    assert not any(secret in str(one) for one in told for secret in (text, text[17:-1], password))


def test_whoever_fails_often_is_told_to_slow_down_and_a_good_key_still_opens(
    desk: KeyDesk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    text = desk.add("mine")
    access = desk.access()
    assert [ask(access, Caller(INFER)) for _ in range(22)] == [401] * 20 + [429] * 2
    _, headers, detail = refused(access, Caller(INFER))
    assert headers["retry-after"] == "6"
    assert "a key with the scope 'infer' is needed" in detail
    assert len(caplog.records) == 20
    assert ask(access, bearing(text)) == 200
    assert ask(access, Caller(INFER, client="10.0.0.8:1")) == 401
    assert desk.counts == {"denied": 24}
    desk.clock.advance(6.0)
    assert [ask(access, Caller(INFER)) for _ in range(2)] == [401, 429]


def test_a_network_of_ipv6_addresses_is_one_caller(desk: KeyDesk) -> None:
    access = desk.access()
    callers = [Caller(INFER, client=f"[2001:db8::{number:x}]:80") for number in range(21)]
    assert [ask(access, one) for one in callers] == [401] * 20 + [429]
    others = [
        "[2001:db8:0:1::1]:80",
        "[::ffff:10.0.0.1]:80",
        "[::ffff:10.0.0.2%eth0]:80",
        "[::ffff:10.0.0.3]:80",
        "nonsense:",
        "",
    ]
    assert [ask(access, Caller(INFER, client=one)) for one in others] == [401] * len(others)


def test_a_key_that_asks_too_often_is_429_and_is_counted_apart(desk: KeyDesk) -> None:
    text = desk.add("mine", rate=Rate(2.0, 3))
    access = desk.access()
    assert [ask(access, bearing(text)) for _ in range(3)] == [200] * 3
    answer, headers, detail = refused(access, bearing(text))
    assert (answer.status, headers["retry-after"]) == (429, "1")
    assert detail == "the key 'mine' may send 2 requests a second, 3 at once"
    assert desk.counts == {"limited": 1}
    desk.clock.advance(1.0)
    assert [ask(access, bearing(text)) for _ in range(3)] == [200, 200, 429]


def test_what_a_key_may_not_do_does_not_use_up_its_rate(desk: KeyDesk) -> None:
    text = desk.add("mine", rate=Rate(1.0, 1))
    access = desk.access()
    assert [ask(access, bearing(text, path)) for path in (FEEDBACK, INFER)] == [403, 200]


def test_many_different_paths_are_not_remembered_for_ever(desk: KeyDesk) -> None:
    text = desk.add("mine")
    access = desk.access()
    assert {ask(access, bearing(text, f"/v2/models/{number}")) for number in range(3000)} == {200}
