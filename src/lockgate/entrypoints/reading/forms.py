"""The forms of a version that were built, for people and for machines."""

from __future__ import annotations

from lockgate.domain.forms import BuiltForm, Form
from lockgate.ports.state import FORMS, Reader


def forms_of(tx: Reader, model: str, version: int) -> tuple[BuiltForm, ...]:
    found = (tx.get(FORMS, model, version, form.value) for form in Form)
    return tuple(one for one in found if one is not None)


def parity_clause(built: BuiltForm) -> str:
    """`20 golden rows as the original, at most 3.1e-08 apart (1e-05 allowed)`."""
    rows = f"{built.rows} golden row{'s' if built.rows != 1 else ''} as the original"
    return f"{rows}, at most {built.difference:.2g} apart ({built.tolerance:.2g} allowed)"


def size_clause(size: int) -> str:
    """`48.1 kB`, `3.2 MB`: bytes for people."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:  # noqa: PLR2004
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB"
