"""The types that a platform's policy trusts beside Lockgate's own list, on their way to the processes that load packages.

A package never has a say: the control plane writes what the policy says into a file of the data plane's home, the keeper hands it
to each process that loads something as one variable of its environment. Which types no policy can allow is said here, once, for
both planes: those that run code by being named, called or filled, whoever writes the arguments.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from lockgate.boundary import laying
from lockgate.kernel.digest import digest_json, short
from lockgate.kernel.errors import Invalid

FILE = "trusted-types.json"  # in the data plane's home
VARIABLE = "LOCKGATE_TRUSTED_TYPES"
MOST = 500  # types
_LONGEST = 200  # characters of one
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
# Of the standard library these hold values and do nothing else; the rest of it opens, starts, imports or evaluates something.
_PLAIN = frozenset(
    {
        *("collections.Counter", "collections.OrderedDict", "collections.defaultdict", "collections.deque"),
        *("datetime.date", "datetime.datetime", "datetime.time", "datetime.timedelta", "datetime.timezone"),
        *("decimal.Decimal", "fractions.Fraction", "uuid.UUID"),
    }
)
# Libraries whose purpose is to run, build, fetch or unpickle what they are given; and Lockgate, whose types hold keys and state.
_RUNNERS = frozenset(
    {
        *("IPython", "_pytest", "cffi", "cloudpickle", "dask", "dill", "distutils", "fsspec", "jax", "joblib", "jsonpickle"),
        *("keras", "lockgate", "mlflow", "numba", "numexpr", "pip", "pkg_resources", "pytest", "ray", "requests", "setuptools"),
        *("sh", "shelve", "skops", "tensorflow", "torch", "urllib3", "wheel", "yaml", "httpx", "aiohttp", "paramiko", "invoke"),
    }
)
_RUNNING_PARTS = frozenset(
    {"_testing", "conftest", "distutils", "externals", "f2py", "joblib", "npyio", "pickle", "testing", "tests"}
)
# scipy.stats' distributions run text as code when their state is set; numpy's and pandas' readers open what they are told to.
_RUNNING_TYPES = re.compile(
    r"scipy\.stats\..*(rv_|_distn|dist)\w*|(numpy|pandas|scipy|sklearn)\.(.*\.)?\w*(load|read_|fetch|open|eval|exec|memmap|fromfile)\w*"
    r"|numpy\.(vectorize|frompyfunc|DataSource)|.*\.(Memory|Parallel|FunctionTransformer|FunctionType|CodeType|LambdaType)",
    re.ASCII,
)


def refusal_of(type_name: str) -> str | None:
    """Why no policy may trust the type `module.Name`; None where it may. The name alone is looked at, nothing is imported."""
    if len(type_name) > _LONGEST or _NAME.fullmatch(type_name) is None:
        return f"{type_name!r:.120} is no name of a class; MODULE.CLASS expected"
    if type_name in _PLAIN:
        return None
    top, *parts = type_name.split(".")
    if top in sys.stdlib_module_names or top.lstrip("_") in sys.stdlib_module_names:
        return f"{type_name} is of Python's standard library, which opens, starts and runs things"
    if top in _RUNNERS or _RUNNING_PARTS.intersection(parts):
        return f"{type_name} is of a part of {top} that runs, fetches or unpickles what it is given"
    if _RUNNING_TYPES.fullmatch(type_name):
        return f"{type_name} opens or runs what the file names"
    return None


def check_types(types: Collection[str]) -> tuple[str, ...]:
    """In order, each once.

    Raises:
        Invalid: one can run code by being loaded, or there are too many; all that are refused are named.
    """
    found = sorted(set(types))
    if len(found) > MOST:
        raise Invalid(f"{len(found)} trusted types found, at most {MOST} expected")
    if refused := [reason for one in found if (reason := refusal_of(one)) is not None]:
        raise Invalid(f"the policy may not trust these types: {'; '.join(refused[:5])}", hint="Take them from `trusted_types`.")
    return tuple(found)


class TrustedTypes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """policy: digest of the policy that names them; "" where there is none."""

    policy: str = ""
    types: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.policy:
            return "Lockgate's own list"
        return f"Lockgate's own list and {len(self.types)} types of the policy {short(self.policy)}"

    @property
    def digest(self) -> str:
        """Of the types alone: the same list in another policy trusts the same."""
        return digest_json(list(self.types))


NONE = TrustedTypes()


def lay_down(folder: Path, trusted: TrustedTypes) -> bool:
    """Write it where the data plane looks, whole or not at all. Returns whether anything was to be changed.

    Raises:
        Invalid: as check_types. OSError: the folder cannot be written.
    """
    check_types(trusted.types)
    return laying.lay_down(folder / FILE, encode(trusted))


def read(folder: Path) -> TrustedTypes:
    """What lies there; Lockgate's own list alone where nothing does.

    Raises:
        Invalid: it cannot be read, or names what no policy may trust. Nothing is loaded by half of a list.
    """
    try:
        return decode((folder / FILE).read_bytes())
    except FileNotFoundError:
        return NONE
    except OSError as error:
        raise Invalid(f"{folder / FILE} cannot be read: {error.strerror}") from error


def encode(trusted: TrustedTypes) -> bytes:
    return msgspec.json.encode(trusted)


def decode(content: bytes | str) -> TrustedTypes:
    """Raises Invalid if it is none, or names what no policy may trust."""
    try:
        found = msgspec.json.decode(content, type=TrustedTypes)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(
            f"the list of trusted types cannot be read: {error}", hint="Start `lockgate up`: it writes it anew."
        ) from error
    check_types(found.types)
    return found


def told(environment: Mapping[str, str]) -> TrustedTypes:
    """What this process was started with. Raises as decode."""
    content = environment.get(VARIABLE, "")
    return decode(content) if content else NONE
