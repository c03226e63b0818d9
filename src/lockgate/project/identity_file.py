"""`oidc.yaml` in a home: by which identity provider people sign in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ValidationError

from lockgate.boundary.exposure import is_loopback
from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.project.document import read_document
from lockgate.project.faults import faults_of, shown
from lockgate.stages.fields import Spec


def _address(value: str) -> str:
    parts = urlsplit(value)
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not safe or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an address that begins with https:// expected, as the provider writes it in its tokens")
    return value


def _text(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("a printable text expected")
    return value


Text = Annotated[str, AfterValidator(_text)]


class IdentityFile(Spec):
    """name: on the button. claim: of the id token, by which a user is called. groups_claim: without it groups are kept here.

    verified: whether e-mail addresses of which the provider does not say that it verified them count as verified.

    create: whether whoever the provider vouches for becomes a user; else only those that were made here come in.
    """

    issuer: Annotated[str, AfterValidator(_address)]
    client_id: Text
    name: Text = "OpenID Connect"
    claim: Text = "email"
    groups_claim: Text | None = None
    verified: Literal["told", "assumed"] = "told"
    create: bool = False


def read_identity_file(path: Path) -> IdentityFile:
    """What stands there.

    Raises:
        InvalidInput: all that is wrong with it.
    """
    document = read_document(path, path.name)
    faults = list(document.faults)
    if not faults and not isinstance(document.value, dict):
        faults = [Fault("", f"a mapping expected, {shown(document.value)} found", document.file, document.line(()))]
    if not faults:
        try:
            return IdentityFile.model_validate(document.value)
        except ValidationError as error:
            faults = faults_of(error, IdentityFile, document)
    raise InvalidInput(str(path), faults, hint="docs/reference/access.md says what may stand there.")
