"""Signing in by an identity provider that really speaks HTTP: what is believed, and what is not."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from html import unescape
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from lockgate.entrypoints.api.app import create_app
from lockgate.integrations.oidc.provider import OidcProvider
from lockgate.kernel.errors import Unavailable
from lockgate.ports.state import USERS
from lockgate.project.identity_file import IdentityFile
from lockgate.testing.clock import VirtualClock
from tests.samples.asgi import PAGE, TOKEN, Answer, Client
from tests.samples.openid import CLIENT, SECRET, Claims, Provider, key_of, provided, spelt, unsigned
from tests.samples.story import Story, begin

pytestmark = pytest.mark.integration


@dataclass
class Company:
    """An empty home whose people sign in at `provider`."""

    story: Story
    provider: Provider

    def client(self, *, secret: str = SECRET, create: bool = True, **file: Any) -> Client:
        told = IdentityFile(issuer=self.provider.issuer, client_id=CLIENT, name="Example", create=create, **file)
        identity = OidcProvider(told, secret, self.story.clock)
        return Client(create_app(self.story.world, home=None, control_token=TOKEN, identity=identity))

    def users(self) -> list[str]:
        with self.story.world.state.read() as tx:
            return [user.name for user in tx.find(USERS)]


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with provided(VirtualClock()) as provider:
        yield provider


@pytest.fixture
def company(running: Provider) -> Company:
    """The provider that runs, as it was at first, at the time of a new story."""
    story = begin()
    fresh = Provider(story.clock)
    for one in fields(fresh):
        if one.name != "issuer":
            setattr(running, one.name, getattr(fresh, one.name))
    return Company(story, running)


def cookies(answer: Answer) -> dict[str, str]:
    return {name: one.value for name, one in SimpleCookie(answer.headers.get("set-cookie", "")).items()}


def begun(client: Client, to: str = "/runs") -> tuple[str, dict[str, str]]:
    """Where the browser comes back to, and the cookie that it shows there."""
    answer = client.get(f"/login/oidc?next={to}", PAGE)
    assert answer.status == 303, answer.text
    back = httpx.get(answer.headers["location"]).headers["location"]
    assert back.startswith("http://127.0.0.1:7070/login/oidc/return?")
    return back.removeprefix("http://127.0.0.1:7070"), {"cookie": f"lockgate_sign_in={cookies(answer)['lockgate_sign_in']}"}


def sign_in(client: Client, to: str = "/runs") -> Answer:
    path, cookie = begun(client, to)
    return client.get(path, {**PAGE, **cookie})


def refused(answer: Answer, why: str) -> None:
    assert answer.status == 403, answer.text
    said = re.search(r'role="alert">(.+?)</p>', answer.text)
    assert said is not None
    assert why in unescape(said[1])
    assert "lockgate_session" not in cookies(answer)


def test_a_person_comes_in_and_is_known(company: Company) -> None:
    client = company.client()
    assert client.get("/api/v1/status").status == 401, "closed, although there is no user yet"
    assert "Sign in with Example" in client.get("/login", PAGE).text
    answer = sign_in(client)
    assert answer.status == 200
    assert 'content="0;url=/runs"' in answer.text
    signed = {"cookie": f"lockgate_session={cookies(answer)['lockgate_session']}"}
    assert "carl@example.org" in client.get("/", {**PAGE, **signed}).text
    assert company.users() == ["carl@example.org"]


@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("basic", [True, False])
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_each_signature_that_is_taken(company: Company, kind: str, *, basic: bool) -> None:
    company.provider.key, company.provider.algorithm, company.provider.basic = key_of(kind), kind, basic
    assert sign_in(company.client()).status == 200


@pytest.mark.parametrize(
    ("alter", "why"),
    [
        (lambda claims: {**claims, "nonce": "another"}, "'nonce'"),
        (lambda claims: {name: value for name, value in claims.items() if name != "nonce"}, "'nonce'"),
        (lambda claims: {**claims, "aud": "another"}, "'aud'"),
        (lambda claims: {**claims, "aud": [CLIENT, "another"]}, "'azp'"),
        (lambda claims: {**claims, "aud": [CLIENT], "azp": "another"}, "'azp'"),
        (lambda claims: {**claims, "iss": "https://evil.example"}, "'iss'"),
        (lambda claims: {**claims, "exp": claims["iat"] - 31}, "expired"),
        (lambda claims: {**claims, "iat": claims["iat"] + 31}, "future"),
        (lambda claims: {name: value for name, value in claims.items() if name != "exp"}, "'exp'"),
        (lambda claims: {name: value for name, value in claims.items() if name != "sub"}, "'sub'"),
        (lambda claims: {**claims, "exp": "soon"}, "'exp'"),
        (lambda claims: {**claims, "email": None}, "no claim"),
        (lambda claims: {**claims, "email": ["carl@example.org"]}, "no claim"),
        (lambda claims: {**claims, "email_verified": False}, "not verified"),
        (lambda claims: {**claims, "email_verified": "false"}, "not verified"),
        (lambda claims: {**claims, "email_verified": None}, "not verified"),
        (lambda claims: {name: value for name, value in claims.items() if name != "email_verified"}, "does not say"),
        (lambda claims: {**claims, "at_hash": "AAAA"}, "'at_hash'"),
    ],
)
def test_claims_that_are_not_for_us_or_not_for_now(company: Company, alter: Callable[[Claims], Claims], why: str) -> None:
    company.provider.altered = alter
    refused(sign_in(company.client()), why)
    assert company.users() == []


def test_addresses_of_which_nothing_is_said_count_where_the_file_says_so(company: Company) -> None:
    company.provider.claims = {name: value for name, value in company.provider.claims.items() if name != "email_verified"}
    assert sign_in(company.client(verified="assumed")).status == 200
    company.provider.claims = {**company.provider.claims, "email_verified": False}
    refused(sign_in(company.client(verified="assumed")), "not verified")


def by_public_key(provider: Provider) -> Callable[[Claims], str]:
    """HS256 under the bytes of the provider's public key, which everybody knows."""
    assert isinstance(provider.key, ECKey)
    public = provider.key.as_pem(private=False)

    def sign(claims: Claims) -> str:
        head, body = (spelt(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "k1"}, claims))
        return f"{head}.{body}.{spelt(hmac.digest(public, f'{head}.{body}'.encode(), 'sha256'))}"

    return sign


def by_stranger(provider: Provider) -> Callable[[Claims], str]:
    return lambda claims: provider.sign(claims, ECKey.generate_key("P-256", {"kid": "k1"}))


def by_unknown_key(provider: Provider) -> Callable[[Claims], str]:
    other = ECKey.generate_key("P-256", {"kid": "k2"})
    return lambda claims: jwt.encode({"alg": "ES256", "kid": "k2"}, claims, other, algorithms=["ES256"])


@pytest.mark.parametrize(
    "signer",
    [
        by_public_key,
        by_stranger,
        by_unknown_key,
        lambda _: unsigned,
        lambda _: lambda _: "a.b.c",
        lambda _: lambda _: "",
    ],
)
def test_signatures_that_are_not_the_provider_s(company: Company, signer: Callable[[Provider], Callable[[Claims], str]]) -> None:
    company.provider.signed = signer(company.provider)
    refused(sign_in(company.client()), "not to be believed")


def test_a_sign_in_ends_once(company: Company) -> None:
    client = company.client()
    path, cookie = begun(client)
    assert client.get(path, {**PAGE, **cookie}).status == 200
    refused(client.get(path, {**PAGE, **cookie}), "not under way")


def test_nobody_is_signed_in_by_somebody_else_s_link(company: Company) -> None:
    client = company.client()
    path, _ = begun(client)
    _, mine = begun(client)
    refused(client.get(path, {**PAGE, **mine}), "not under way")
    refused(client.get(path, PAGE), "not under way")


def test_a_sign_in_is_not_under_way_for_ever(company: Company) -> None:
    client = company.client()
    path, cookie = begun(client)
    company.story.clock.advance(600)
    refused(client.get(path, {**PAGE, **cookie}), "not under way")


def test_a_code_without_our_verifier_is_worth_nothing(company: Company) -> None:
    client = company.client()
    path, _ = begun(client)
    other, cookie = begun(client)
    stolen = parse_qs(urlsplit(path).query)["code"][0]
    own = parse_qs(urlsplit(other).query)["state"][0]
    refused(client.get(f"/login/oidc/return?state={own}&code={stolen}", {**PAGE, **cookie}), "invalid_grant")


def test_the_page_one_is_led_to_is_here(company: Company) -> None:
    for to in ("//evil.example", "https://evil.example/", "/%5Cevil.example"):
        answer = sign_in(company.client(), to)
        assert 'content="0;url=/"' in answer.text
        assert "evil" not in answer.text


def test_the_provider_may_say_no(company: Company) -> None:
    client = company.client()
    path, cookie = begun(client)
    state = parse_qs(urlsplit(path).query)["state"][0]
    refused(client.get(f"/login/oidc/return?state={state}&error=%3Cb%3Eaccess_denied", {**PAGE, **cookie}), "<b>access_denied")


def test_a_wrong_secret_is_told_without_it(company: Company) -> None:
    answer = sign_in(company.client(secret="wrong-secret"))
    refused(answer, "invalid_client")
    assert "wrong-secret" not in answer.text


def test_only_those_who_were_made_here_where_that_is_wanted(company: Company) -> None:
    refused(sign_in(company.client(create=False)), "lockgate user add carl@example.org")


def test_groups_come_with_each_sign_in(company: Company) -> None:
    client = company.client(claim="preferred_username", groups_claim="groups")
    company.provider.claims = {"sub": "s-1", "preferred_username": "carl", "groups": ["release", 7, ""]}
    assert sign_in(client).status == 200
    with company.story.world.state.read() as tx:
        assert tx.find(USERS)[0].groups == ("release",)
    company.provider.claims = {"sub": "s-1", "preferred_username": "carl"}
    assert sign_in(client).status == 200
    with company.story.world.state.read() as tx:
        assert tx.find(USERS)[0].groups == ()


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"issuer": "https://evil.example"}, "issuer"),
        ({"token_endpoint": "http://evil.example/token"}, "token_endpoint"),
        ({"jwks_uri": None}, "jwks_uri"),
        ({"jwks_uri": "https://["}, "jwks_uri"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint"),
    ],
)
def test_a_provider_that_speaks_for_somebody_else(company: Company, metadata: dict[str, str], why: str) -> None:
    company.provider.metadata = metadata
    answer = company.client().get("/login/oidc")
    assert answer.status == 503
    assert why in answer.json["detail"]


def test_a_provider_that_answers_nonsense(company: Company) -> None:
    company.provider.broken = True
    answer = sign_in(company.client())
    assert answer.status == 503
    assert "no JSON object" in answer.text


def test_a_provider_that_does_not_answer(company: Company) -> None:
    gone = IdentityFile(issuer="http://127.0.0.1:9", client_id=CLIENT)
    with pytest.raises(Unavailable, match="does not answer"):
        OidcProvider(gone, SECRET, company.story.clock).ask("http://127.0.0.1:7070/login/oidc/return")
