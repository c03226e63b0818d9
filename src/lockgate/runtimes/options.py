"""A package's options, as its runtime knows them: types checked, nothing unknown passed over."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from lockgate.boundary.manifest import Manifest
from lockgate.kernel.errors import Invalid

Known = TypeVar("Known", bound=msgspec.Struct)


def options_of(manifest: Manifest, known: type[Known]) -> Known:
    """The manifest's options as a `known` struct, which should forbid unknown fields.

    Raises:
        Invalid: an option has another name or type.
    """
    try:
        return msgspec.convert(manifest.options, known)
    except msgspec.ValidationError as error:
        expected = ", ".join(known.__struct_fields__)
        raise Invalid(f"options of a package for {manifest.runtime}: {error}; known are {expected}") from error
