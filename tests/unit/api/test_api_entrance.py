"""A closed server: who comes in, with what, and that no route was forgotten."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route

from lockgate.domain.access import Scope
from lockgate.domain.events import Action
from lockgate.entrypoints.api.app import create_app
from lockgate.entrypoints.api.people import administering_actor, deciding_actor, writing_actor
from lockgate.entrypoints.api.sign_ins import local
from lockgate.kernel.errors import Unavailable
from lockgate.testing.clock import VirtualClock
from lockgate.testing.state import MemoryState
from lockgate.usecases.change_user import disable_user
from lockgate.usecases.revoke_access_token import revoke_access_token
from lockgate.usecases.world import World
from tests.samples.asgi import PAGE, TOKEN, Answer, Client, client_of
from tests.samples.people import ADMIN, bearer, token_for
from tests.samples.story import MODEL, Story, register

ASK = {"model": MODEL, "version": 1, "to_stage": "Production"}
REQUESTS = "/api/v1/requests"
FREE = {"/health/live", "/health/ready", "/login", "/login/oidc", "/login/oidc/return"}


class GoneState(MemoryState):
    """Cannot be read."""

    def read(self) -> Any:
        raise Unavailable("the database is gone")


@pytest.fixture
def closed(empty: Story) -> Story:
    register(empty, auc=0.671, months=[1, 2], commit="3f1c9a7e2b60")
    token_for(empty.world, "olga")
    return empty


@pytest.fixture
def client(closed: Story) -> Client:
    return client_of(closed)


def signed_in(client: Client, token: str) -> tuple[dict[str, str], str]:
    """The header with the browser's cookie, and what its pages show for writes."""
    answer = client.post("/login", {"token": token}, actor=None)
    assert answer.status == 200, answer.text
    cookie = {"cookie": f"lockgate_session={cookie_of(answer)}"}
    found = re.search(r'<meta name="csrf" content="(\w{64})">', client.get("/", {**PAGE, **cookie}).text)
    assert found is not None
    return cookie, found[1]


def cookie_of(answer: Answer) -> str:
    return SimpleCookie(answer.headers["set-cookie"])["lockgate_session"].value


def ask(client: Client, headers: dict[str, str]) -> Answer:
    return client.post(REQUESTS, ASK, actor=None, headers=headers)


def every_route(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in routes:
        inner = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
        if inner and not isinstance(route, Mount):
            yield from every_route(inner)
        elif isinstance(route, Route | APIRoute):
            for method in route.methods or ():
                yield method, re.sub(r"\{[^}]+\}", "1", route.path)


def app_of(client: Client) -> FastAPI:
    assert isinstance(client.app, FastAPI)
    return client.app


def test_every_route_is_closed_but_those_that_must_be_free(client: Client) -> None:
    routes = sorted(set(every_route(app_of(client).routes)))
    assert len(routes) > 50
    described = app_of(client).openapi()["paths"]
    assert {re.sub(r"\{[^}]+\}", "1", path) for path in described} <= {path for _, path in routes}, "the walk sees them all"
    for method, path in routes:
        sent = {"x-lockgate-actor": "ann", "content-type": "application/json"}
        answer = client.get(path, sent) if method in ("GET", "HEAD") else send(client, method, path, sent)
        assert (answer.status == 401) == (path not in FREE), (method, path, answer.status)
        if answer.status == 401:
            assert answer.headers["www-authenticate"] == "Bearer"


def send(client: Client, method: str, path: str, headers: dict[str, str]) -> Answer:
    import asyncio

    return asyncio.run(client.call(method, path, b"{}", headers))


def test_a_route_that_nobody_thought_about_is_closed(client: Client) -> None:
    app_of(client).add_api_route("/brand/new", lambda: {"secret": 1})
    assert client.get("/brand/new").status == 401
    assert client.get("/brand/../health/live").status == 401
    assert client.get("/nothing/there").status == 401


def test_every_write_says_by_which_scope_it_may_be_done(client: Client) -> None:
    actors = {writing_actor, deciding_actor, administering_actor}

    def apis(routes: list[Any]) -> Iterator[APIRoute]:
        for route in routes:
            if isinstance(route, APIRoute):
                yield route
            inner = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
            yield from apis(inner or [])

    writes = [
        one for one in apis(app_of(client).routes) if (one.methods or set()) - {"GET", "HEAD"} and one.path.startswith("/api/")
    ]
    assert len(writes) > 8
    for one in writes:
        called = {inner.call for inner in one.dependant.dependencies}
        assert called & actors, f"{one.methods} {one.path} takes no ActorNamed, DecidesNamed or AdminNamed"


def test_static_files_are_free_and_a_page_shows_the_way_in(client: Client) -> None:
    assert client.get("/static/lockgate.css").status == 200
    answer = client.page("/models/flights?page=2")
    assert answer.status == 303
    assert answer.headers["location"] == "/login?next=/models/flights%3Fpage%3D2"


def test_the_token_says_who_acts_whatever_the_header_says(closed: Story, client: Client) -> None:
    answer = client.post(
        REQUESTS, ASK, actor="somebody else", headers=bearer(token_for(closed.world, "carl", groups=["release"]))
    )
    assert answer.json["requester"] == "carl"
    with closed.world.state.read() as tx:
        event = tx.events(newest_first=True, limit=1)[0].happened
    assert (event.action, event.actor, event.authenticated) == (Action.REQUEST_CREATED, "carl", True)


def test_a_token_is_taken_as_the_password_of_basic(closed: Story, client: Client) -> None:
    text = token_for(closed.world, "carl")
    basic = {"authorization": "Basic " + b64encode(f"whoever:{text}".encode()).decode()}
    assert client.get("/api/v1/status", basic).status == 200


@pytest.mark.parametrize(
    "shown", ["Bearer", "Bearer x", "Basic !!", "Basic " + b64encode(b"no colon").decode(), "Digest x", "Basic /w==", "lgu_"]
)
def test_what_is_no_token_is_refused(client: Client, shown: str) -> None:
    answer = client.get("/api/v1/status", {"authorization": shown, **PAGE})
    assert answer.status == 401
    assert answer.json["hint"]


def test_a_wrong_token_is_not_mended_by_a_cookie(closed: Story, client: Client) -> None:
    cookie, _ = signed_in(client, token_for(closed.world, "carl"))
    assert client.get("/api/v1/status", cookie).status == 200
    assert client.get("/api/v1/status", {**cookie, "authorization": "Bearer x"}).status == 401


@pytest.mark.parametrize(
    ("scopes", "reads", "writes", "decides"),
    [
        ((Scope.READ,), 200, 403, 403),
        ((Scope.READ, Scope.WRITE), 200, 201, 403),
        ((Scope.WRITE,), 403, 201, 403),
        ((Scope.DECIDE,), 403, 403, 404),
        ((Scope.READ, Scope.ADMIN), 200, 403, 403),
        (tuple(Scope), 200, 201, 404),
    ],
)
def test_scopes(closed: Story, client: Client, scopes: tuple[Scope, ...], reads: int, writes: int, decides: int) -> None:
    shown = bearer(token_for(closed.world, "carl", scopes))
    assert client.get("/api/v1/status", shown).status == reads
    written = ask(client, shown)
    assert written.status == writes
    assert writes != 403 or "scope" in written.json["detail"]
    assert client.post(f"{REQUESTS}/none/approve", actor=None, headers=shown).status == decides


def test_revoked_and_disabled_within_two_seconds(closed: Story, client: Client, clock: VirtualClock) -> None:
    first, second = token_for(closed.world, "carl"), token_for(closed.world, "dora")
    assert [client.get("/api/v1/status", bearer(one)).status for one in (first, second)] == [200, 200]
    revoke_access_token(closed.world, ADMIN, first.split("_")[1])
    disable_user(closed.world, ADMIN, "dora")
    closed.clock.advance(2)
    assert [client.get("/api/v1/status", bearer(one)).status for one in (first, second)] == [401, 401]


def test_an_open_server_closes_with_its_first_user(empty: Story) -> None:
    client = client_of(empty)
    assert client.get("/api/v1/status").status == 200
    assert client.get("/login").headers["location"] == "/"
    token_for(empty.world, "olga")
    empty.clock.advance(2)
    assert client.get("/api/v1/status").status == 401


def test_with_an_unreadable_state_nobody_comes_in(closed: Story) -> None:
    world = World(GoneState(), closed.world.artifacts, closed.clock)
    client = Client(create_app(world, home=None, control_token=TOKEN))
    assert client.get("/api/v1/status").status == 503
    assert client.page("/").status == 503


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(closed: Story, client: Client) -> None:
    text = token_for(closed.world, "carl")
    plain = client.post("/login", {"token": text}, actor=None).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(plain.split("; "))
    assert "Secure" not in plain.split("; ")
    behind = create_app(closed.world, home=None, control_token=TOKEN, url="https://lock.example")
    secure = Client(behind).post("/login", {"token": text}, actor=None, headers={"host": "lock.example"})
    assert "Secure" in secure.headers["set-cookie"].split("; ")
    assert cookie_of(secure) not in plain
    assert len(cookie_of(secure)) == 43, "256 random bits"


def test_a_write_from_a_browser_shows_that_it_came_from_a_page(closed: Story, client: Client) -> None:
    cookie, csrf = signed_in(client, token_for(closed.world, "carl"))
    other, others = signed_in(client, token_for(closed.world, "dora"))
    assert ask(client, cookie).status == 403
    assert ask(client, {**cookie, "x-lockgate-csrf": others}).status == 403
    assert ask(client, {**cookie, "x-lockgate-csrf": csrf[:-1] + "ø"}).status == 403
    answer = ask(client, {**cookie, "x-lockgate-csrf": csrf})
    assert (answer.status, answer.json["requester"]) == (201, "carl")
    assert other != cookie


def test_signing_out_ends_the_login_at_once(closed: Story, client: Client) -> None:
    cookie, csrf = signed_in(client, token_for(closed.world, "carl", (Scope.READ,)))
    assert client.post("/logout", actor=None, headers=cookie).status == 403
    answer = client.post("/logout", actor=None, headers={**cookie, "x-lockgate-csrf": csrf})
    assert answer.status == 200
    assert cookie_of(answer) == ""
    assert client.get("/api/v1/status", cookie).status == 401


def test_signing_in_anew_ends_the_login_before(closed: Story, client: Client) -> None:
    text = token_for(closed.world, "carl")
    cookie, _ = signed_in(client, text)
    client.post("/login", {"token": text}, actor=None, headers=cookie)
    closed.clock.advance(2)
    assert client.get("/api/v1/status", cookie).status == 401


def test_pages_say_who_is_signed_in_and_open_ones_do_not(closed: Story, client: Client) -> None:
    cookie, _ = signed_in(client, token_for(closed.world, "carl <b>"))
    page = client.get("/", {**PAGE, **cookie}).text
    assert "carl &lt;b&gt;" in page
    assert "Sign out" in page
    shown = client.get("/", {**PAGE, **bearer(token_for(closed.world, "dora"))}).text
    assert "dora" in shown
    assert "Sign out" not in shown


def test_whoever_is_signed_in_goes_straight_on(closed: Story, client: Client) -> None:
    cookie, _ = signed_in(client, token_for(closed.world, "carl"))
    assert client.get("/login?next=/runs", {**PAGE, **cookie}).headers["location"] == "/runs"
    assert client.get("/login?next=//evil.example", {**PAGE, **cookie}).headers["location"] == "/"


def test_a_link_from_another_site_is_led_on_from_a_page_of_ours(client: Client) -> None:
    """The browser sent no cookie with it, since they are kept to our own pages: the next request is from one of them."""
    page = client.get("/login?next=/runs", {**PAGE, "sec-fetch-site": "cross-site"})
    assert page.status == 200
    assert 'content="0;url=/runs"' in page.text
    assert "<form" not in page.text


def test_strangers_are_told_nothing_of_the_home(client: Client) -> None:
    page = client.page("/login?next=/runs").text
    assert "<form" in page
    assert "worker" not in page
    assert MODEL not in page


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil.example", "", "/a\tb", "/\n/evil", "\\\\evil", "/a\\b"],
)
def test_no_page_leads_elsewhere(client: Client, path: str) -> None:
    assert local(path) == "/"


def test_where_one_wanted_to_go(client: Client) -> None:
    assert local("/models/flights?page=2") == "/models/flights?page=2"


def test_sign_ins_that_fail_are_slowed_down_by_address_and_keep_no_owner_of_a_token_out(
    closed: Story, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    text = token_for(closed.world, "carl")
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    answers = [client.post("/login", {"token": wrong}, actor=None) for _ in range(11)]
    assert [one.status for one in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) == 6
    assert client.post("/login", {"token": text}, actor=None).status == 200, "a good one is never refused for others' failures"
    closed.clock.advance(6)
    assert client.post("/login", {"token": wrong}, actor=None).status == 401
    assert "sign-in refused" in caplog.text
    assert wrong[17:] not in caplog.text + repr([record.__dict__ for record in caplog.records])


@pytest.mark.parametrize("other", ['prefs={"a": "b c"}', "a b=c", "x@y=1", "a[]=1", "novalue", "path=/", "t=a,b"])
def test_a_browser_is_known_among_whatever_cookies_others_have_set(closed: Story, client: Client, other: str) -> None:
    cookie, csrf = signed_in(client, token_for(closed.world, "carl"))
    beside = {"cookie": f"{other}; {cookie['cookie']}"}
    assert client.get("/", {**PAGE, **beside}).status == 200
    assert client.get("/login?next=/", {**PAGE, **beside}).headers["location"] == "/"
    assert ask(client, {**beside, "x-lockgate-csrf": csrf}).status == 201


def test_a_bad_token_leaves_no_cookie(client: Client) -> None:
    answer = client.post("/login", {"token": "lgu_x"}, actor=None)
    assert answer.status == 401
    assert "set-cookie" not in answer.headers
    assert client.post("/login", {"token": ""}, actor=None).status == 422
    assert client.post("/login", {"token": "x" * 201}, actor=None).status == 422


def test_no_other_site_signs_anybody_in(closed: Story, client: Client) -> None:
    body = {"token": token_for(closed.world, "carl")}
    assert client.post("/login", body, actor=None, headers={"content-type": "text/plain"}).status == 403
    assert client.post("/login", body, actor=None, headers={"sec-fetch-site": "cross-site"}).status == 403


def test_without_a_provider_there_is_no_way_to_one(client: Client) -> None:
    assert client.get("/login/oidc").status == 404
    assert client.get("/login/oidc/return?state=x&code=y").status == 403


def test_what_clients_look_for_and_never_find_is_not_there_for_strangers_too(closed: Story) -> None:
    answer = client_of(closed).get("/.well-known/databricks-config")
    assert answer.status == 404
    assert client_of(closed).get("/.well-known/another").status == 401


def test_what_is_refused_to_all_sends_nobody_for_another_token(closed: Story) -> None:
    client = client_of(closed)
    writer = bearer(token_for(closed.world, "walter", (Scope.READ, Scope.WRITE)))
    answer = asyncio.run(client.call("DELETE", f"/api/2.0/mlflow/registered-models/delete?name={MODEL}", b"", writer))
    assert (answer.status, "cannot be deleted" in answer.text) == (403, True)
    assert "scope" not in answer.text
