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
    _check_free(folder, TEMPLATES / template)
    cells = _cells()
    shutil.copytree(TEMPLATES / template, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "gitignore").replace(folder / ".gitignore")
    (folder / "data").mkdir(exist_ok=True)
    cells.to_csv(folder / "data" / "cells.csv", index=False)
    notes = _under_git(folder)
    session.answer({"folder": str(folder.absolute()), "notes": notes}, lambda: _show(folder, notes))


def _show(folder: Path, notes: list[str]) -> None:
    for note in notes:
        click.echo(note, err=True)
    click.echo(f"A project in {folder}. You work alone there: approvals need nobody else (approvals: not: [] in lockgate.yaml).")
    click.echo("Next:" + (f" cd {folder} &&" if folder != Path() else "") + " lockgate run")


def _check_free(folder: Path, template: Path) -> None:
    """Nothing that somebody wrote is written over."""
    if (folder / "lockgate.yaml").exists():
        raise Conflict(f"there is a project in {folder} already", hint="Name another folder: lockgate init DIR")
    files = [one.relative_to(template) for one in template.rglob("*") if one.is_file() and "__pycache__" not in one.parts]
    made = [Path(".gitignore") if one == Path("gitignore") else one for one in files] + [Path("data/cells.csv")]
    there = sorted(str(one) for one in made if (folder / one).exists())
    if there:
        raise Conflict(
            f"{folder} holds files that init would write: {', '.join(there)}", hint="Name an empty folder: lockgate init DIR"
        )


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


def _under_git(folder: Path) -> list[str]:
    """A first commit, so that what is built can be built again; what is left to the owner is told."""
    if shutil.which("git") is None:
        return ["There is no git on the PATH: versions made here cannot name the commit that they come from."]
    if _git(folder, "rev-parse", "--git-dir").returncode == 0:
        return ["This folder is under git already: commit the new files before you run, or the version will count as dirty."]
    for words in (["init", "--quiet"], ["add", "--all"]):
        done = _git(folder, *words)
        if done.returncode != 0:
            return [f"git {words[0]} failed ({_last_line(done)}): put the files under git yourself."]
    done = _git(folder, "commit", "--quiet", "--message", "A project for Lockgate")
    if done.returncode == 0:
        return []
    who = "git config --global user.name NAME; git config --global user.email ADDRESS"
    return [
        f"git commit failed ({_last_line(done)}). If git does not know you yet: {who}. Then, in the folder: git commit -m first"
    ]


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
