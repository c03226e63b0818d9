"""The keeper's side of a process that runs a model: how it is started, what it says, how it ended, and that it is gone."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Collection, Mapping
from pathlib import Path
from shutil import rmtree

from lockgate.boundary.quiet import quieted
from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.serving.isolation.orders import LONGEST_LINE, Failed, Loaded, Order, Status, decode_status, encode_order

_FAREWELL = 1.0  # seconds for a process to end when its input has
_PASSED = (
    *("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "SSL_CERT_FILE"),
    "LOCKGATE_TRUST_CODE",  # the platform's word, never a package's
)
_PASSED_KINDS = ("LC_", "CUDA_", "NVIDIA_")
_INSTALLING = "PIP_"  # where libraries come from; the address may hold a password, so no model sees it
_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "BLIS")


class NotLoaded(LockgateError):
    """The process could not load its package. lasting: it would be the same again."""

    def __init__(self, message: str, *, lasting: bool) -> None:
        super().__init__(message)
        self.lasting = lasting


def environment(threads: int, more: Collection[str] = ()) -> dict[str, str]:
    """What a model gets to see of ours: no secrets, unless they are among `more`.

    threads: of numeric libraries, which look here when they are imported.
    """
    names = {*_PASSED, *more}
    passed = {name: value for name, value in os.environ.items() if name in names or name.startswith(_PASSED_KINDS)}
    limits = {f"{name}_NUM_THREADS": str(threads) for name in _THREADS}
    # A fixed hash seed: some libraries add up in the order of a set, and two hosts of one package must say the same.
    fixed = {"VECLIB_MAXIMUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false", "PYTHONHASHSEED": "0"}
    return quieted(passed | limits | fixed)


def installing(base: Mapping[str, str]) -> dict[str, str]:
    """What building an environment gets to see beside that."""
    return {**base, **{name: value for name, value in os.environ.items() if name.startswith(_INSTALLING)}}


class Child:
    """A process of its own group: what it started is ended with it, and the folder that it wrote in goes."""

    def __init__(self, process: Process, own: Path) -> None:
        self._process = process
        self._own = own

    @classmethod
    async def start(cls, python: Path, order: Order, environment: Mapping[str, str]) -> Child:
        # -P: a file that happens to lie in the current folder must not stand in for a library.
        argv = [str(python), "-P", "-m", "lockgate.serving.isolation.host", encode_order(order)]
        own = Path(order.own)
        os.mkdir(own, 0o700)  # noqa: PTH102 - one call of the system, which waits for nothing
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True, limit=LONGEST_LINE
            )
        except BaseException:
            rmtree(own, ignore_errors=True)
            raise
        return cls(process, own)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def hear(self) -> Status | None:
        """What it says next; None once it has ended.

        Raises:
            Invalid: it says nonsense.
        """
        assert self._process.stdout is not None  # noqa: S101 - it was started so
        try:
            line = await self._process.stdout.readline()
        except ValueError as error:
            raise Invalid(f"no status: {error}") from error
        return decode_status(line) if line else None

    async def loaded(self, patience: float) -> Loaded:
        """Wait until the package is loaded, at most so many seconds.

        Raises:
            NotLoaded: it said why not, it died, or the time is over; the process may still be there.
        """
        try:
            async with asyncio.timeout(patience):
                while True:
                    status = await self.hear()
                    if isinstance(status, Loaded):
                        return status
                    if isinstance(status, Failed):
                        raise NotLoaded(status.reason, lasting=status.lasting)
                    if status is None:
                        code = await self._process.wait()
                        raise NotLoaded(f"loading it {ended(code)}", lasting=code != -signal.SIGKILL)
        except TimeoutError:
            raise NotLoaded(f"it was not loaded within {patience:g} s", lasting=False) from None
        except Invalid as error:
            raise NotLoaded(error.message, lasting=True) from error

    async def end(self) -> int:
        """End it, by force if it does not end by itself, and whatever it started. Returns its exit code."""
        assert self._process.stdin is not None  # noqa: S101 - it was started so
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_FAREWELL):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            self.kill()
            code = await self._process.wait()
            await asyncio.to_thread(rmtree, self._own, ignore_errors=True)
        return code

    def alarm(self) -> None:
        """End it because it hangs: it writes where, if it still can."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGALRM)

    def kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return  # nobody of the group is left


def ended(code: int) -> str:
    """How a process ended, in words that complete `it …`."""
    if code == -signal.SIGKILL:
        return "was killed (signal 9); the system may have run out of memory"
    if code < 0:
        try:
            name = f" ({signal.Signals(-code).name})"
        except ValueError:
            name = ""
        return f"crashed by signal {-code}{name}"
    return f"ended with code {code}"
