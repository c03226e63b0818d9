"""The SQL of one kind of noun, built once and kept: what differs between calls are parameters only."""

from __future__ import annotations

from functools import cache, cached_property
from importlib import import_module
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Delete,
    Executable,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    union_all,
)

from lockgate.integrations.sql.tables import COLLECTIONS, EVENTS
from lockgate.ports import rows
from lockgate.ports.state import Kind


class Statements:
    """Parameters bear the names of columns; `limit` and `offset` theirs."""

    def __init__(self, kind: Kind[Any], dialect: str) -> None:
        self._kind = kind
        self._table = COLLECTIONS[kind.name]
        self._insert = import_module(f"sqlalchemy.dialects.{dialect}").insert  # each has its own; loading both takes 20 ms
        self._finds: dict[Any, Select[Any]] = {}
        self._counts: dict[Any, Select[Any]] = {}

    @cached_property
    def get(self) -> Select[Any]:
        return select(self._table.c.body).where(*_equal(self._table, self._kind.key))

    @cached_property
    def add(self) -> Executable:
        """Nothing where the key is taken; the row count tells which it was."""
        return cast("Executable", self._new().on_conflict_do_nothing(index_elements=self._kind.key))

    @cached_property
    def put(self) -> Executable:
        """Over what has the key, in its place: `ordinal` stays."""
        new = self._new()
        changed = {name: new.excluded[name] for name in (*self._kind.asked, "body")}
        return cast("Executable", new.on_conflict_do_update(index_elements=self._kind.key, set_=changed))

    @cached_property
    def remove(self) -> Delete:
        return delete(self._table).where(*_equal(self._table, self._kind.key))

    def find(self, fields: tuple[str, ...], *, newest_first: bool, limited: bool, offset: bool) -> Select[Any]:
        shape = (fields, newest_first, limited, offset)
        if shape not in self._finds:
            found = select(self._table.c.body).where(*_equal(self._table, fields))
            self._finds[shape] = _page(found, self._table.c.ordinal, newest_first=newest_first, limited=limited, offset=offset)
        return self._finds[shape]

    def count(self, fields: tuple[str, ...]) -> Select[Any]:
        if fields not in self._counts:
            self._counts[fields] = select(func.count()).select_from(self._table).where(*_equal(self._table, fields))
        return self._counts[fields]

    def _new(self) -> Any:
        """An INSERT of all columns but `ordinal`, which the database gives; nothing is asked back."""
        names = (*rows.column_types(self._kind), "body")
        new = self._insert(self._table).inline().values({name: bindparam(name) for name in names})
        return new.execution_options(preserve_rowcount=True)


@cache
def events(*, by: tuple[str, ...], actions: int, newest_first: bool, limited: bool) -> Select[Any]:
    """Events after `after` and before `before`, of the subject, model or actor where `by` names these, and of so many actions:
    `action_0`, `action_1` and so on.
    """
    between = [EVENTS.c.seq > bindparam("after"), EVENTS.c.seq < bindparam("before"), *_equal(EVENTS, by)]
    of = [EVENTS.c.action == bindparam(f"action_{n}") for n in range(actions)]
    if len(of) <= 1 or not limited:
        return _page(
            select(EVENTS).where(*between, or_(*of) if of else true()), EVENTS.c.seq, newest_first=newest_first, limited=limited
        )
    return _of_actions(between, of, newest_first=newest_first)


def _of_actions(between: list[ColumnElement[bool]], of: list[ColumnElement[bool]], *, newest_first: bool) -> Select[Any]:
    """A page of each action by its own index, then of all of them: a rare one is found as quickly as a common one."""
    each = [
        _page(select(EVENTS.c.seq).where(*between, one), EVENTS.c.seq, newest_first=newest_first, limited=True).subquery()
        for one in of
    ]
    found = union_all(*(select(one.c.seq) for one in each)).subquery()
    seqs = _page(select(found.c.seq), found.c.seq, newest_first=newest_first, limited=True).subquery()
    return _page(select(EVENTS).join(seqs, EVENTS.c.seq == seqs.c.seq), EVENTS.c.seq, newest_first=newest_first, limited=False)


_ROW = ", ".join(EVENTS.c.keys())
WRITTEN = f"SELECT {_ROW} FROM events WHERE seq > {{}} ORDER BY seq LIMIT {{}}"  # noqa: S608 - numbers of ours, and no types
ADD_EVENT = insert(EVENTS).inline()
LAST_EVENT = select(EVENTS.c.seq, EVENTS.c.hash).order_by(EVENTS.c.seq.desc()).limit(1)


def _equal(table: Table, fields: tuple[str, ...]) -> list[ColumnElement[bool]]:
    return [table.c[field] == bindparam(field) for field in fields]


def _page(
    found: Select[Any], order: ColumnElement[int], *, newest_first: bool, limited: bool, offset: bool = False
) -> Select[Any]:
    found = found.order_by(order.desc() if newest_first else order)
    if limited:
        found = found.limit(bindparam("limit"))
    return found.offset(bindparam("offset")) if offset else found
