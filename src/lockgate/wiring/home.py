"""The home: the folder where one installation keeps its state, and where in it everything lies."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from lockgate.integrations.local.private_file import create_private

FOLDER = ".lockgate"
VARIABLE = "LOCKGATE_HOME"
DATABASE_VARIABLE = "LOCKGATE_DATABASE"


@dataclass(frozen=True, slots=True)
class Home:
    folder: Path

    @classmethod
    def find(cls, named: Path | None = None) -> Home:
        """The home that was named, else $LOCKGATE_HOME, else `.lockgate` here or in the nearest folder above that has one."""
        if named is not None:
            return cls(named.resolve())
        if from_environment := os.environ.get(VARIABLE):
            return cls(Path(from_environment).resolve())
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / FOLDER).is_dir():
                return cls(folder / FOLDER)
        return cls(here / FOLDER)

    @property
    def database(self) -> str:
        """$LOCKGATE_DATABASE where a team keeps its state in PostgreSQL, else a file in the home."""
        return os.environ.get(DATABASE_VARIABLE) or str(self.folder / "state.db")

    @property
    def exists(self) -> bool:
        """Whether its state is there: it was made before, or a database elsewhere holds it."""
        return DATABASE_VARIABLE in os.environ or (self.folder / "state.db").exists()

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def channels(self) -> Path:
        return self.folder / "channels"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def checkouts(self) -> Path:
        return self.folder / "checkouts"

    @property
    def data_plane(self) -> Path:
        return self.folder / "data-plane"

    @property
    def records(self) -> Path:
        return self.data_plane / "records"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def server(self) -> Path:
        """What runs here now: addresses and process ids, for whoever wants to talk to it."""
        return self.folder / "up.json"

    @property
    def control_token(self) -> str:
        return (self.secrets / "control.token").read_text()

    def prepare(self) -> None:
        """Make the folders and the secrets that are missing; secrets are readable by their owner only."""
        for folder in (self.folder, self.artifacts, self.cache, self.runs, self.checkouts, self.records, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self.secrets.mkdir(mode=0o700, exist_ok=True)
        _keep_once(self.secrets / "prediction.key", secrets.token_bytes(32))
        _keep_once(self.secrets / "control.token", secrets.token_urlsafe(32).encode())
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")


def _keep_once(path: Path, secret: bytes) -> None:
    """Never over what is there: several processes may prepare one home at once."""
    if not path.exists():
        create_private(path, secret)
