"""Listings come in pages; a token is the place where the next one begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from lockgate.entrypoints.api.mlflow.shapes.asked import MOST, Listing
from lockgate.kernel.errors import Invalid

T = TypeVar("T")
_TOKEN = re.compile(r"[0-9]{1,15}", re.ASCII)


def page(items: Sequence[T], asked: Listing, called: str, told: Callable[[T], Any]) -> dict[str, Any]:
    """called: what the answer calls the items. told: an item as it is answered."""
    at, most = place(asked), min(asked.max_results or MOST, MOST)
    answer: dict[str, Any] = {called: [told(one) for one in items[at : at + most]]}
    return answer | ({"next_page_token": str(at + most)} if at + most < len(items) else {})


def place(asked: Listing) -> int:
    """
    Raises:
        Invalid: the token is none that a listing gave.
    """  # noqa: D212 - there is nothing else to say
    if not asked.page_token:
        return 0
    if not _TOKEN.fullmatch(asked.page_token):
        raise Invalid(f"page_token {asked.page_token[:40]!r} found, one that a listing gave expected")
    return int(asked.page_token)
