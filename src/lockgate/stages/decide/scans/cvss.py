"""Base scores of CVSS version 3.0 and 3.1 vectors, and what severity a score is.

By FIRST, Common Vulnerability Scoring System v3.1: Specification Document, revision 1: the metrics and their values are those of
section 7.4, the formula that of section 7.1, the rounding that of appendix A, the severities those of section 5. Vectors of
version 4.0 are not scored here: that takes a table of 270 rows, which no formula replaces.
"""

from __future__ import annotations

import re

from lockgate.domain.vulnerabilities import Severity

_LONGEST = 500  # characters
_PREFIX = re.compile(r"CVSS:3\.[01]/")
_VALUES: dict[str, dict[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "PR": {"N": 0.85, "L": 0.62, "H": 0.27},
    "UI": {"N": 0.85, "R": 0.62},
    "S": {"U": 0.0, "C": 1.0},
    "C": {"N": 0.0, "L": 0.22, "H": 0.56},
    "I": {"N": 0.0, "L": 0.22, "H": 0.56},
    "A": {"N": 0.0, "L": 0.22, "H": 0.56},
}
_PRIVILEGES_IF_CHANGED = {"N": 0.85, "L": 0.68, "H": 0.5}
_RATINGS = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))


def base_score(vector: str) -> float:
    """0.0 to 10.0. Temporal and environmental metrics may stand in the vector; they do not count.

    Raises:
        ValueError: it is no vector of version 3.0 or 3.1 with all base metrics, each once.
    """
    said = _metrics(vector)
    changed = said["S"] == "C"
    value = {name: _VALUES[name][said[name]] for name in _VALUES}
    if changed:
        value["PR"] = _PRIVILEGES_IF_CHANGED[said["PR"]]
    impact = _impact(1 - (1 - value["C"]) * (1 - value["I"]) * (1 - value["A"]), changed=changed)
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * value["AV"] * value["AC"] * value["PR"] * value["UI"]
    return _roundup(min((1.08 if changed else 1.0) * (impact + exploitability), 10.0))


def rating(score: float) -> Severity:
    """Raises ValueError if it is no score."""
    if not 0 <= score <= 10:  # noqa: PLR2004 - as the specification has it
        raise ValueError(f"score {score:g} found, 0 to 10 expected")
    return next((severity for least, severity in _RATINGS if score >= least), Severity.NONE)


def _metrics(vector: str) -> dict[str, str]:
    if len(vector) > _LONGEST or not (prefix := _PREFIX.match(vector)):
        raise ValueError(f"CVSS:3.0/… or CVSS:3.1/… expected, {vector!r:.60} found")
    parts = [part.partition(":") for part in vector[prefix.end() :].rstrip("/").split("/")]
    said = {name: value for name, _, value in parts}
    if len(said) < len(parts):
        raise ValueError(f"a metric stands in {vector!r:.100} twice")
    if wrong := [name for name, values in _VALUES.items() if said.get(name) not in values]:
        raise ValueError(f"{vector!r:.100} has no usable {', '.join(wrong)}")
    return said


def _impact(base: float, *, changed: bool) -> float:
    return 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 if changed else 6.42 * base


def _roundup(score: float) -> float:
    """To one decimal, upwards; the same on every machine, as appendix A asks for."""
    scaled = round(score * 100_000)
    return scaled / 100_000 if scaled % 10_000 == 0 else (scaled // 10_000 + 1) / 10
