"""What can be asked for is written down: every key of the project file, every verb, every event."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from lockgate.entrypoints.cli import VERBS, lockgate
from lockgate.project.load import ProjectFile

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = (ROOT / "docs" / "reference" / "project-file.md").read_text()


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
    import click

    context = click.Context(lockgate)
    for name in VERBS:
        command = lockgate.get_command(context, name)
        assert command is not None, name
        assert command.help, name


def test_the_readme_links_lead_somewhere() -> None:
    import re

    for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        if "://" not in link:
            assert (ROOT / link).exists(), link
