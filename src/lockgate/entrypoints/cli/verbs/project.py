"""init."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import runpy
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from lockgate.entrypoints.cli.session import Session, verb
from lockgate.kernel.errors import Conflict, MissingExtra, NotFound

FOLDERS = Path(__file__).resolve().parent.parent / "templates"
COLUMNS = ("radius", "texture", "smoothness", "compactness", "concavity", "symmetry")


@dataclass(frozen=True)
class Template:
    """data: the file that is written for it. table: gives its content, or says which library is missing."""

    says: str
    data: Path
    table: Callable[[], str]


@verb(epilog="The templates are described by: lockgate init --templates")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--template", default="tabular-classification", show_default=True, metavar="NAME", help="Or online: it goes on learning."
)
@click.option("--templates", "listed", is_flag=True, help="List the kinds of projects and make none.")
def init(session: Session, folder: Path, template: str, listed: bool) -> None:  # noqa: FBT001 - as click gives it
    """Make a project in DIR that runs at once: project file, pipeline, contract, test, data, under git."""
    if listed:
        _list(session)
        return
    made = _named(template)
    _check_free(folder, FOLDERS / template, made.data)
    table = made.table()
    shutil.copytree(FOLDERS / template, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "gitignore").replace(folder / ".gitignore")
    (folder / made.data).parent.mkdir(exist_ok=True)
    (folder / made.data).write_text(table)
    notes = _under_git(folder)
    session.answer({"folder": str(folder.absolute()), "notes": notes}, lambda: _show(folder, notes))


def _list(session: Session) -> None:
    told = {name: one.says for name, one in TEMPLATES.items()}
    session.answer(told, lambda: session.table("Templates", ("name", "what it is"), list(told.items())))


def _named(template: str) -> Template:
    if template not in TEMPLATES:
        near = difflib.get_close_matches(template, TEMPLATES, 1)
        meant = f"Did you mean {near[0]!r}? " if near else ""
        found = f"there is no template {template!r}; {' and '.join(TEMPLATES)} expected"
        raise NotFound(found, hint=f"{meant}What each is: lockgate init --templates")
    return TEMPLATES[template]


def _show(folder: Path, notes: list[str]) -> None:
    for note in notes:
        click.echo(note, err=True)
    click.echo(f"A project in {folder}. You work alone there: approvals need nobody else (approvals: not: [] in lockgate.yaml).")
    click.echo("Next:" + (f" cd {folder} &&" if folder != Path() else "") + " lockgate run")


def _check_free(folder: Path, template: Path, data: Path) -> None:
    """Nothing that somebody wrote is written over."""
    if (folder / "lockgate.yaml").exists():
        raise Conflict(f"there is a project in {folder} already", hint="Name another folder: lockgate init DIR")
    files = [one.relative_to(template) for one in template.rglob("*") if one.is_file() and "__pycache__" not in one.parts]
    made = [Path(".gitignore") if one == Path("gitignore") else one for one in files] + [data]
    there = sorted(str(one) for one in made if (folder / one).exists())
    if there:
        raise Conflict(
            f"{folder} holds files that init would write: {', '.join(there)}", hint="Name an empty folder: lockgate init DIR"
        )


def _cells() -> str:
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
    return str(frame.to_csv(index=False))


def _parcels() -> str:
    """By the template's own script, which makes the stream too that comes after it."""
    if importlib.util.find_spec("river") is None:
        raise MissingExtra("the template learns with River, which is not installed", hint="pip install 'lockgate[ml,river]'")
    return str(runpy.run_path(str(FOLDERS / "online" / "stream.py"))["table"]())


TEMPLATES = {
    "tabular-classification": Template(
        "Tumour cells, a random forest of scikit-learn, a canary rollout.",
        Path("data/cells.csv"),
        _cells,
    ),
    "online": Template(
        "Late parcels, a model of River that goes on learning in Production, a stream to teach it.",
        Path("data/parcels.csv"),
        _parcels,
    ),
}


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
