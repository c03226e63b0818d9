"""init."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click

from lockgate.entrypoints.cli.session import Session, verb
from lockgate.kernel.errors import Conflict, MissingExtra

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
COLUMNS = ("radius", "texture", "smoothness", "compactness", "concavity", "symmetry")


@verb()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--template", type=click.Choice(["tabular-classification"]), default="tabular-classification", show_default=True)
def init(session: Session, folder: Path, template: str) -> None:
    """Make a project in DIR that runs at once: project file, pipeline, contract, test, data, under git."""
    del session
    if (folder / "lockgate.yaml").exists():
        raise Conflict(f"there is a project in {folder} already", hint="Name another folder: lockgate init DIR")
    cells = _cells()
    shutil.copytree(TEMPLATES / template, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "gitignore").replace(folder / ".gitignore")
    (folder / "data").mkdir(exist_ok=True)
    cells.to_csv(folder / "data" / "cells.csv", index=False)
    _under_git(folder)
    click.echo(f"A project in {folder}. You work alone there: approvals need nobody else (approvals: not: [] in lockgate.yaml).")
    click.echo("Next:" + (f" cd {folder} &&" if folder != Path() else "") + " lockgate run")


def _cells() -> Any:
    """Cells of breast tumours, measured in images (Wisconsin, 1995; scikit-learn carries them)."""
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "the template learns with scikit-learn, which is not installed", hint="pip install 'lockgate[ml]'"
        ) from error
    loaded = datasets.load_breast_cancer(as_frame=True)
    frame = loaded.data[[f"mean {name}" for name in COLUMNS]].set_axis(list(COLUMNS), axis=1)
    frame["malignant"] = (loaded.target == 0).astype(int)
    return frame


def _under_git(folder: Path) -> None:
    """A first commit, so that what is built can be built again. A folder that is under git already is left to its owner."""
    inside = subprocess.run(["git", "-C", str(folder), "rev-parse", "--git-dir"], capture_output=True, check=False)
    if inside.returncode == 0:
        click.echo("This folder is under git: commit the new files before you run, or the version will count as dirty.")
        return
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "A project for Lockgate"]):
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            click.echo(f"git {words[0]} failed ({done.stderr.strip().splitlines()[-1]}): commit the files yourself.")
            return
