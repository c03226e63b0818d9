"""Signing people in by an identity provider that speaks OpenID Connect. Needs the extra `oidc`."""
