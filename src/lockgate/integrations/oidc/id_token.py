"""An id token is believed when the provider signed it, for us, for this sign-in, and just now (OpenID Connect Core, 3.1.3.7)."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from lockgate.kernel.errors import Refused

LEEWAY = 30  # seconds by which the provider's clock may differ
_HINT = "Try again. If it happens again, see the clocks of both machines, and `issuer` and `client_id` in oidc.yaml."


class _Signatures(JWSRegistry):
    """By public keys only: no `none`, and nothing that a key known to all could have made."""

    algorithms = {name: copy(JWSRegistry.algorithms[name]) for name in ("RS256", "ES256", "EdDSA", "Ed25519")}  # noqa: RUF012


_Signatures.algorithms["EdDSA"].security_warning = None  # RFC 9864 renames it to Ed25519; providers have not yet
_signatures = _Signatures(algorithms=tuple(_Signatures.algorithms), strict_check_header=False)


def checked_claims(
    answer: Mapping[str, Any], keys: dict[str, Any], *, issuer: str, client_id: str, nonce: str, now: float
) -> Mapping[str, Any]:
    """The claims of the id token in `answer`. keys: the provider's (RFC 7517). now: Unix seconds.

    Raises:
        Refused: it is not to be believed.
    """
    text = answer.get("id_token")
    if not isinstance(text, str):
        raise Refused("the identity provider gave no id token", hint="Its client must be one of OpenID Connect (scope `openid`).")
    options: dict[str, Any] = {name: {"essential": True, "value": value} for name, value in (("iss", issuer), ("aud", client_id))}
    params = {"nonce": nonce, "client_id": client_id, "access_token": answer.get("access_token")}
    try:
        token = jwt.decode(text, KeySet.import_key_set(_for_signing(keys)), registry=_signatures)
        claims = CodeIDToken(token.claims, token.header, options, params)
        claims.validate(now=int(now), leeway=LEEWAY)
    except (JoseError, ValueError, TypeError, KeyError) as error:  # the latter for keys and claims that are no such things
        raise Refused(f"the id token is not to be believed: {_why(error)}", hint=_HINT) from error
    return dict(claims)


def _for_signing(keys: dict[str, Any]) -> Any:
    """Providers list keys for encryption beside them, of kinds that need not be known here."""
    listed = keys.get("keys")
    known = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {"keys": [one for one in known if one.get("use", "sig") == "sig" and one.get("kty") in ("RSA", "EC", "OKP")]}


def _why(error: Exception) -> str:
    return error.description or error.error if isinstance(error, JoseError) else type(error).__name__
