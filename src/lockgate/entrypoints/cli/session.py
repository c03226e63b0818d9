"""What every verb is given: the home, who acts, and how to answer."""

from __future__ import annotations

import functools
import getpass
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from lockgate.domain.access import Scope
from lockgate.domain.people import Actor, fault_in_name
from lockgate.kernel.errors import NotFound, Refused
from lockgate.usecases.world import World
from lockgate.wiring.home import Home

TOKEN_VARIABLE = "LOCKGATE_TOKEN"


@dataclass
class Session:
    """named: by --as. scope: what a token must be for where one says who acts."""

    home: Home
    named: str | None
    as_json: bool
    makes_home: bool
    scope: Scope = Scope.WRITE

    @cached_property
    def actor(self) -> Actor:
        """Who acts: the user of the token in $LOCKGATE_TOKEN, else who was named, else the user of this machine.

        A name without a token holds on a home with users too, and is recorded as unauthenticated: whoever can write the database
        can do anything.

        Raises:
            Refused: the token opens nothing, or not this. UsageError: --as names somebody else.
        """
        text = os.environ.get(TOKEN_VARIABLE, "").strip()
        return self._authenticated(text) if text else Actor(self.named or getpass.getuser())

    def _authenticated(self, text: str) -> Actor:
        from lockgate.usecases.recognise_caller import recognise_token

        caller = recognise_token(self.world, text)
        if caller is None:
            hint = f"lockgate user token NAME makes a new one; without ${TOKEN_VARIABLE}, --as NAME acts unauthenticated."
            raise Refused(f"the token in ${TOKEN_VARIABLE} is unknown here, has ended, or its user is disabled", hint=hint)
        if self.named not in (None, caller.actor.name):
            raise click.UsageError(f"--as {self.named} found, and the token in ${TOKEN_VARIABLE} is {caller.actor.name}'s")
        if self.scope not in caller.scopes:
            hint = f"lockgate user token {caller.actor.name} --scope {self.scope.value} makes one."
            raise Refused(f"the token in ${TOKEN_VARIABLE} has not the scope {self.scope.value!r}", hint=hint)
        return caller.actor

    @cached_property
    def world(self) -> World:
        """The home's.

        Raises:
            NotFound: there is no home yet, and this verb only looks: it makes none.
        """
        from lockgate.wiring.world import open_world

        if not (self.makes_home or self.home.exists):
            hint = "lockgate up or lockgate run makes one; name one that lies elsewhere by --home or $LOCKGATE_HOME."
            raise NotFound(f"there is no home at {self.home.folder}", hint=hint)
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
        from rich.table import Column, Table
        from rich.text import Text

        lines = [[cell if isinstance(cell, Text) else Text(str(cell)) for cell in row] for row in rows]
        if not lines:
            click.echo(f"{title}: {empty}")
            return
        console = Console()
        cells = [[Text(name), *(line[index] for line in lines)] for index, name in enumerate(columns)]
        widths = _widths(cells, console.width if console.is_terminal else None)
        headers = [Column(name, width=width) for name, width in zip(columns, widths, strict=True)]
        table = Table(*headers, title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for line in lines:
            table.add_row(*line)
        console.width = max(sum(widths) + _BETWEEN_COLUMNS * len(widths) + 2, len(title))
        console.print(table)


_BETWEEN_COLUMNS = 3


def _widths(columns: Sequence[Sequence[Any]], available: int | None) -> list[int]:
    """As wide as their cells, where there is no limit; else folded at blanks. No word is cut: names are for copying."""
    widths = [max(cell.cell_len for cell in column) for column in columns]
    words = [max(len(word) for cell in column for word in cell.plain.split() or [""]) for column in columns]
    while available is not None and sum(widths) + _BETWEEN_COLUMNS * len(widths) + 2 > available:
        widest = max(range(len(widths)), key=lambda index: (widths[index] > words[index], widths[index]))
        if widths[widest] <= words[widest]:
            break
        widths[widest] -= 1
    return widths


def as_json(value: Any) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def verb(
    name: str | None = None, *, makes_home: bool = False, scope: Scope = Scope.WRITE, who: str = "--as", **settings: Any
) -> Callable[[Callable[..., Any]], click.Command]:
    """A command whose first argument is the session; the global options may stand behind any verb.

    makes_home: it may begin a home where there is none. scope: of the actor's token, if there is one; looked at where it acts.
    who: the option that says who acts, where --as says something else.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def with_session(*args: Any, as_name: str | None, as_json: bool, home: Path | None, verbose: bool, **kwargs: Any) -> Any:
            del verbose  # main() looks at it
            _check_name(as_name, who)
            return function(Session(Home.find(home), as_name, as_json, makes_home, scope), *args, **kwargs)

        decorated: Callable[..., Any] = with_session
        for option in reversed((_acting(who), *_GLOBAL)):
            decorated = option(decorated)
        return click.command(name, click.Command, **settings)(decorated)

    return decorate


def _check_name(name: str | None, option: str) -> None:
    fault = fault_in_name(name) if name is not None else None
    if fault is not None:
        raise click.BadParameter(f"{name!r}: {fault}; give the name of a person", param_hint=option)


def _acting(option: str) -> Callable[[Any], Any]:
    text = "Who acts, if no $LOCKGATE_TOKEN says so; recorded as unauthenticated."
    return click.option(option, "as_name", metavar="NAME", help=text)


_GLOBAL = (
    click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for machines."),
    click.option("--home", type=click.Path(path_type=Path), help="The home; else $LOCKGATE_HOME, else .lockgate here or above."),
    click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error."),
)


def segment_option(text: str) -> Callable[[Any], Any]:
    """`--segment NAME`; None without it. text: the help."""
    return click.option("--segment", metavar="NAME", callback=_named, help=text)


def _named(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """An empty name is a script's unset variable: it must not mean all traffic."""
    if value == "":
        raise click.BadParameter("'' found, the name of a segment expected; for all traffic leave --segment out")
    return value


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
