"""What every verb is given: the home, who acts, and how to answer."""

from __future__ import annotations

import functools
import getpass
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from lockgate.domain.people import Actor
from lockgate.usecases.world import World
from lockgate.wiring.home import Home


@dataclass
class Session:
    home: Home
    actor: Actor
    as_json: bool

    @cached_property
    def world(self) -> World:
        from lockgate.wiring.world import open_world

        return open_world(self.home)

    def answer(self, value: Any, show: Callable[[], None]) -> None:
        """JSON for machines, `show` for people."""
        if self.as_json:
            click.echo(as_json(value))
        else:
            show()

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str = "none") -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        lines = [[cell if isinstance(cell, Text) else Text(str(cell)) for cell in row] for row in rows]
        if not lines:
            click.echo(f"{title}: {empty}")
            return
        table = Table(*columns, title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for line in lines:
            table.add_row(*line)
        Console(soft_wrap=False).print(table)


def as_json(value: Any) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def verb(name: str | None = None, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """A command whose first argument is the session; the global options may stand behind any verb."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def with_session(*args: Any, as_name: str | None, as_json: bool, home: Path | None, verbose: bool, **kwargs: Any) -> Any:
            del verbose  # main() looks at it
            actor = Actor(as_name or getpass.getuser())
            return function(Session(Home.find(home), actor, as_json), *args, **kwargs)

        decorated: Callable[..., Any] = with_session
        for option in reversed(_GLOBAL):
            decorated = option(decorated)
        return click.command(name, click.Command, **settings)(decorated)

    return decorate


_GLOBAL = (
    click.option("--as", "as_name", metavar="NAME", help="Who acts (on a local home; recorded as unauthenticated)."),
    click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for machines."),
    click.option("--home", type=click.Path(path_type=Path), help="The home; else $LOCKGATE_HOME, else .lockgate here or above."),
    click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error."),
)


def ago(seconds: float) -> str:
    """`3 min`, for people: one unit, rounded down."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def line_of(values: Mapping[str, Any]) -> str:
    """`auc 0.713, n 9899`: numbers by name in one line."""
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value) if isinstance(value, dict | list) else str(value)
