"""What can be asked for is written down: every key of the project file, every verb, every event, every port."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest
from pydantic import BaseModel

import lockgate.ports
from lockgate.domain.events import Action
from lockgate.entrypoints.cli import VERBS
from lockgate.entrypoints.cli import lockgate as command_line
from lockgate.project.load import ProjectFile

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "reference"
REFERENCE = (DOCS / "project-file.md").read_text()


def keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
        for inner in inside(field.annotation):
            yield from keys(inner)


def inside(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from inside(argument)


@pytest.mark.parametrize("key", sorted(set(keys(ProjectFile))))
def test_every_key_of_the_project_file_is_in_the_reference(key: str) -> None:
    assert key in REFERENCE


def test_every_verb_exists_and_says_what_it_does() -> None:
    context = click.Context(command_line)
    for name in VERBS:
        command = command_line.get_command(context, name)
        assert command is not None, name
        assert command.help, name


def first_column(page: str) -> list[str]:
    """What stands between backticks in the first column of the page's table, row by row."""
    rows = re.findall(r"^\| (`.+?) \|", (DOCS / page).read_text(), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def ports() -> Iterator[str]:
    """Every Protocol of the ports; a transaction's two sides are described with the state that hands them out."""
    for module in pkgutil.iter_modules(lockgate.ports.__path__, "lockgate.ports."):
        for name, found in vars(importlib.import_module(module.name)).items():
            if getattr(found, "_is_protocol", False) and found.__module__ == module.name and name not in ("Reader", "Writer"):
                yield name


def test_every_event_is_in_the_reference_and_nothing_else() -> None:
    assert first_column("events.md") == [action.value for action in Action]


def test_every_port_is_in_the_reference_and_nothing_else() -> None:
    assert sorted(first_column("ports.md")) == sorted(ports())


def test_the_readme_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        if "://" not in link:
            assert (ROOT / link).exists(), link
