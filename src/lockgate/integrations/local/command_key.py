"""A key that another program signs with: the client of a key management service, or of a hardware security module.

PROGRAM ARGS…          content on standard input, the signature (Ed25519, base 64) on standard output
PROGRAM ARGS… public   the public key on standard output, unless it was given
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from tempfile import TemporaryFile

from lockgate.boundary import public_keys
from lockgate.kernel.errors import Invalid, Refused, Unavailable

PUBLIC = "public"
_SECONDS = 30.0
_MOST = 16 * 1024  # bytes of what it says


@dataclass(slots=True)
class CommandKey:
    """A ports.signer.Signer. line: split as by a shell, which none is. given: its public key; "": it is asked for it, once."""

    line: str
    given: str = ""
    seconds: float = _SECONDS
    _known: str = field(default="", repr=False)

    @property
    def public_key(self) -> str:
        if not self._known:
            self._known = public_keys.understood(self.given or self._said(b"", PUBLIC))
        return self._known

    def sign(self, content: bytes) -> str:
        """Nothing that it says is believed: Refused if it is no signature of the content by the public key."""
        signature = self._said(content)
        if not public_keys.genuine(self.public_key, content, signature):
            hint = "See that it signs the bytes as they are (pure Ed25519), with the key whose public half it names."
            raise Refused(f"{self._program}: what it gave is no signature of that content by {self.public_key}", hint=hint)
        return signature

    def genuine(self, public_key: str, content: bytes, signature: str) -> bool:
        return public_keys.genuine(public_key, content, signature)

    @property
    def _words(self) -> list[str]:
        try:
            words = shlex.split(self.line)
        except ValueError as error:
            raise Invalid(f"the command to sign with cannot be split into words: {error}") from error
        if not words:
            raise Invalid("the command to sign with is empty", hint="$LOCKGATE_SIGNING_KEY: command:PROGRAM ARGS…")
        return words

    @property
    def _program(self) -> str:
        return self._words[0]

    def _said(self, content: bytes, *more: str) -> str:
        with TemporaryFile() as asked, TemporaryFile() as said, TemporaryFile() as complained:
            asked.write(content)
            asked.seek(0)
            try:
                process = subprocess.Popen(
                    [*self._words, *more], stdin=asked, stdout=said, stderr=complained, start_new_session=True
                )
            except OSError as error:
                raise Unavailable(f"{self._program}, which is to sign, cannot be started: {error.strerror}") from error
            code = self._end(process)
            said.seek(0)
            complained.seek(0)
            if code != 0:
                why = complained.read(_MOST).decode(errors="replace").strip()[-500:]
                raise Unavailable(f"{self._program}, which is to sign, ended with {code}: {why or 'it said nothing'}")
            return said.read(_MOST).decode(errors="replace").strip()

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        try:
            return process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"{self._program}, which is to sign, did not end within {self.seconds:g} s") from None
        finally:
            with suppress(ProcessLookupError):  # it, and all that it started
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
