"""`python -m lockgate.integrations.local.guard COMMAND…`: runs a command that ends when the process that asked for it ends."""

from __future__ import annotations

import os
import subprocess
import sys

from lockgate.integrations.local.orphan import end_with_parent

NO_SUCH_PROGRAM = 127


def main(words: list[str]) -> int:
    """The command's exit code; −n if signal n ended it."""
    end_with_parent(os.fdopen(0, "rb", closefd=False))
    try:
        return subprocess.run(words, stdin=subprocess.DEVNULL, check=False).returncode
    except OSError as error:
        print(f"{words[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 - standard error is the command's log
        return NO_SUCH_PROGRAM


if __name__ == "__main__":
    code = main(sys.argv[1:])
    if code < 0:
        os.kill(os.getpid(), -code)  # end as the command ended, so that who waits sees the same
    sys.exit(code)
