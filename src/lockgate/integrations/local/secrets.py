"""The secrets of webhooks in a file of the home, which its owner alone may read."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lockgate.integrations.local.private_file import replace_private
from lockgate.kernel.errors import Invalid
from lockgate.ports.secrets import WebhookSecret

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_decode = msgspec.json.Decoder(dict[str, WebhookSecret]).decode


@dataclass(frozen=True, slots=True)
class LocalSecrets:
    """A ports.secrets.WebhookSecrets."""

    path: Path

    def read(self) -> Mapping[str, WebhookSecret]:
        try:
            with self.path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                content = file.read()
        except FileNotFoundError:
            return {}
        if mode & _OTHERS:
            raise Invalid(f"{self.path} may be used by others than its owner (mode {mode:o})", hint=f"chmod 600 {self.path}")
        try:
            return _decode(content)
        except msgspec.DecodeError:  # whose message might spell what it could not read
            hint = "Put a copy back, or remove it and set the webhooks anew."
            raise Invalid(f"{self.path} holds no secrets of webhooks", hint=hint) from None

    def write(self, kept: Mapping[str, WebhookSecret]) -> None:
        """On the disk when it returns."""
        replace_private(self.path, msgspec.json.format(msgspec.json.encode(kept)))
