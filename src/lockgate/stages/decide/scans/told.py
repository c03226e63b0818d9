"""What a report says, in our form, before it is believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lockgate.domain.distributions import normalised
from lockgate.domain.vulnerabilities import Severity, Vulnerability
from lockgate.stages.decide.scans.names import named

_LONGEST_NAME, _LONGEST_TEXT = 200, 300  # characters
_MOST_FIXES, _MOST_ALIASES = 20, 50


@dataclass(frozen=True, slots=True)
class Told:
    """tool, database, subject: as in domain.vulnerabilities.Scan. found: as often as it stands there."""

    tool: str
    database: str
    subject: str
    found: tuple[Vulnerability, ...]


def line(text: str, longest: int = _LONGEST_TEXT) -> str:
    """One line of text that can be shown: what is none becomes a blank."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text[: 4 * longest]).split())[:longest]


def weakness(
    identifier: str,
    package: str,
    version: str,
    severity: Severity,
    *,
    fixed_in: Iterable[str] = (),
    aliases: Iterable[str] = (),
    title: str = "",
    python: bool = False,
) -> Vulnerability:
    """python: the package is a Python distribution, whose name has one spelling.

    Raises:
        ValueError: it has no name, or speaks of no package.
    """
    told, what = line(identifier, _LONGEST_NAME), line(package, _LONGEST_NAME)
    if not told or not what:
        raise ValueError(f"a finding without {'a name' if not told else 'a package'} stands in it")
    others = [line(one, _LONGEST_NAME) for one in aliases]
    name, rest = named(told, [one for one in others if one][:_MOST_ALIASES])
    fixes = [line(one, _LONGEST_NAME) for one in fixed_in]
    return Vulnerability(
        id=name,
        package=normalised(what) if python else what,
        version=line(version, _LONGEST_NAME),
        severity=severity,
        fixed_in=tuple(dict.fromkeys(one for one in fixes if one))[:_MOST_FIXES],
        aliases=rest,
        title=line(title),
    )
