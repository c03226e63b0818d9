"""Read the platform's policy file. One answer holds everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lockgate.domain.policy import Policy
from lockgate.kernel.errors import Fault, InvalidInput
from lockgate.project.document import LARGEST, Document, Path_, parse_document, spell
from lockgate.project.faults import listed, read_spec, suggestion
from lockgate.stages.decide.policy_spec import PolicySpec
from lockgate.stages.decide.roles import GROUP
from lockgate.stages.fields import check_name

FILE = "policy.yaml"


def read_policy(path: Path) -> str:
    """The text of a policy file.

    Raises:
        OSError. InvalidInput: it is no text.
    """
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        told = f"UTF-8 expected, byte 0x{content[error.start]:02x} found"
        raise InvalidInput(path.name, [Fault("", told, path.name, line)]) from None


def parse_policy(text: str, file: str = FILE) -> Policy:
    """The policy that a text states. file: as faults call it.

    Raises:
        InvalidInput: it has faults: all of them.
    """
    size = len(text.encode(errors="replace"))
    if size > LARGEST:
        raise InvalidInput(file, [Fault("", f"{size} bytes found, at most {LARGEST} expected", file)])
    return _policy(parse_document(text, file))


def _policy(document: Document) -> Policy:
    spec, faults = read_spec(document, PolicySpec)
    faults += _contradictions(document)
    if spec is None or faults:
        ordered = sorted(set(faults), key=lambda fault: (fault.line or 0, fault.path, fault.message))
        raise InvalidInput(document.file, ordered, hint="See docs/reference/policy-file.md for every key.")
    return spec.policy()


def _contradictions(document: Document) -> list[Fault]:
    """What no part of the file can see by itself. Looks at what could be read, so that these come with all the others."""
    whole = _mapping(document.value)
    known = _mapping(whole.get("roles"))
    good = [name for name in known if _may_be_called(name)]
    faults = []
    for path, name in _named_roles(whole):
        if name not in known:
            message = f"role {name!r} is given to nobody; {listed(good)} expected"
            faults.append(Fault(spell(path), message, document.file, document.line(path), suggestion(name, good)))
    return faults + [Fault(spell(path), told, document.file, document.line(path)) for path, told in _impossible(whole)]


def _named_roles(whole: dict[str, Any]) -> Iterator[tuple[Path_, str]]:
    places: list[tuple[Path_, Any]] = [
        (("stages", name, "from"), _mapping(rule).get("from")) for name, rule in _mapping(whole.get("stages")).items()
    ]
    places += [(("aliases", name), roles) for name, roles in _mapping(whole.get("aliases")).items()]
    places += [((key, "from"), _mapping(whole.get(key)).get("from")) for key in ("break_glass", "waivers")]
    for path, roles in places:
        for index, name in enumerate(roles if isinstance(roles, list) else []):
            if isinstance(name, str):
                yield (*path, index), name


def _impossible(whole: dict[str, Any]) -> Iterator[tuple[Path_, str]]:
    """Stages that ask for more people than have a role for it. How many are in a group is not known here."""
    for name, rule in _mapping(whole.get("stages")).items():
        need, roles = _mapping(rule).get("need", 1), _mapping(rule).get("from")
        if not isinstance(need, int) or not isinstance(roles, list) or not roles:
            continue
        known = _mapping(whole.get("roles"))
        members = {member for role in roles if isinstance(role, str) for member in _list(known.get(role))}
        have = "has" if len(members) == 1 else "have"
        if len(members) < need and not any(str(member).startswith(GROUP) for member in members):
            yield ("stages", name, "need"), f"{need} people expected, and only {len(members)} {have} a role for it"


def _may_be_called(name: Any) -> bool:
    try:
        return bool(check_name(name))
    except (TypeError, ValueError):
        return False


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
