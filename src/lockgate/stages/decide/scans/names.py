"""One weakness has many names: which of them we say, and which findings are the same one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from lockgate.domain.vulnerabilities import Severity, Vulnerability

OWN_TOOLS = frozenset({"osv", "pip-audit"})  # they look at the locked distributions; what others saw comes on top
_CVE = re.compile(r"CVE-\d{4}-\d{4,10}", re.ASCII | re.IGNORECASE)
_WORDS = {
    "none": Severity.NONE,
    "negligible": Severity.LOW,
    "low": Severity.LOW,
    "moderate": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "high": Severity.HIGH,
    "important": Severity.HIGH,
    "critical": Severity.CRITICAL,
}


def named(identifier: str, aliases: Iterable[str] = ()) -> tuple[str, tuple[str, ...]]:
    """The name that we say, and the others: its CVE number where it has one, so that every tool's finding has the same name."""
    known = dict.fromkeys((identifier, *aliases))
    numbers = sorted(name.upper() for name in known if _CVE.fullmatch(name))
    chosen = numbers[0] if numbers else identifier
    return chosen, tuple(sorted(name for name in known if name.upper() != chosen.upper()))


def cve_in(text: str) -> str | None:
    """The first CVE number in a text."""
    found = _CVE.search(text)
    return found[0].upper() if found else None


def severity_named(word: str) -> Severity:
    """By the words that scanners use; one that nobody knows is UNKNOWN."""
    return _WORDS.get(word.strip().lower(), Severity.UNKNOWN)


def worse(one: Severity, other: Severity) -> Severity:
    """Of two ratings of the same weakness. A rating beats none at all."""
    rated = [severity for severity in (one, other) if severity is not Severity.UNKNOWN]
    return max(rated, default=Severity.UNKNOWN)


def merged(found: Iterable[Vulnerability]) -> tuple[Vulnerability, ...]:
    """Each weakness of each package once, whatever names it was found under; by package and name."""
    kept: list[Vulnerability] = []
    by_name: dict[tuple[str, str, str], int] = {}
    for one in found:
        same = sorted({by_name[key] for key in _keys(one) if key in by_name})
        place = same[0] if same else len(kept)
        if not same:
            kept.append(one)
        for other in same[1:]:  # it has shown two to be one
            kept[place] = _together(kept[place], kept[other])
        kept[place] = _together(kept[place], one)
        by_name |= dict.fromkeys(_keys(kept[place]), place)
    standing = {by_name[key] for one in kept for key in _keys(one)}
    return tuple(sorted((kept[place] for place in standing), key=lambda one: (one.package, one.version, one.id)))


def _keys(one: Vulnerability) -> list[tuple[str, str, str]]:
    return [(one.package, one.version, name) for name in sorted(one.names)]


def _together(one: Vulnerability, other: Vulnerability) -> Vulnerability:
    name, aliases = named(one.id, (*one.aliases, other.id, *other.aliases))
    return replace(
        one,
        id=name,
        aliases=aliases,
        severity=worse(one.severity, other.severity),
        fixed_in=tuple(dict.fromkeys((*one.fixed_in, *other.fixed_in))),
        title=one.title or other.title,
    )
