"""A gRPC call as the HTTP request that it means: keys, rates, traces and logs are the same for both, and look at this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote


class Metadata:
    """A call's metadata are its headers, with names in small letters; those that hold bytes (`…-bin`) are nobody's header.

    Nor is what is not ASCII: Granian does not hand such a header over, and a unit must be the same over both protocols.
    """

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Sequence[tuple[str, str | bytes]]) -> None:
        self._pairs = pairs

    def get(self, key: str, default: None = None, /) -> str | None:
        for name, value in self._pairs:
            if name == key and isinstance(value, str):
                return value if value.isascii() else default
        return default

    def get_all(self, key: str, /) -> list[str]:
        return [value for name, value in self._pairs if name == key and isinstance(value, str) and value.isascii()]


class Call:
    """name: the method's, as /package.Service/Method. deadline: the caller's, Unix seconds.

    method, path: the HTTP request's that it means, known when its message is. peer: asks for the caller's address.
    """

    __slots__ = ("_peer", "deadline", "headers", "method", "name", "path")

    query_string = ""

    def __init__(
        self, name: str, metadata: Sequence[tuple[str, str | bytes]], deadline: float, peer: Callable[[], bytes]
    ) -> None:
        self.name = name
        self.headers = Metadata(metadata)
        self.deadline = deadline
        self.method = "POST"
        self.path = name
        self._peer = peer

    @property
    def client(self) -> str:
        """Address and port, without the `ipv4:` or `ipv6:` that gRPC puts before them."""
        return unquote(self._peer().decode(errors="replace").partition(":")[2])


def model_path(model: str, version: str, verb: str) -> str:
    """Where a model is asked over HTTP. version: none if it is empty."""
    named = f"/versions/{quote(version, safe='')}" if version else ""
    return f"/v2/models/{quote(model, safe='')}{named}{'/' if verb else ''}{verb}"
