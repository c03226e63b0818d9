"""The same image for those who build it themselves: a Dockerfile, and the folder that it is built from."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp

from lockgate.domain.forms import Contents
from lockgate.integrations.oci import bases, native
from lockgate.integrations.oci.blobs import Blobs
from lockgate.integrations.oci.contained import Plan, Trusted, none_trusted, parts, planned
from lockgate.integrations.oci.documents import PORT, USER, entrypoint, environment, health
from lockgate.integrations.oci.layers import Member
from lockgate.integrations.oci.needed import Needs
from lockgate.integrations.oci.references import usual_base
from lockgate.kernel.errors import Conflict, Unavailable
from lockgate.ports.signer import Signer

NAME = "Dockerfile"
_SECOND = 10**9


def export(
    contents: Sequence[Contents],
    folder: Path,
    *,
    signer: Signer,
    cache: Path,
    needs: Needs,
    base: str | None = None,
    trusted: Trusted = none_trusted,
) -> Path:
    """Everything that the image is made of, in a new folder. Returns its Dockerfile, whose base may be given when it is built.

    base: a name of an image that the engine knows or fetches. signer, cache, needs, trusted: as of ImageBuilder.

    Raises:
        Conflict: the folder is there already. Unavailable: it cannot be written. Others: as contained.planned.
    """
    if folder.exists():
        raise Conflict(f"{folder} is there already", hint="Name a new folder, or remove that one.")
    plan = planned(contents, needs, signer, cache, trusted)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            draft.chmod(0o755)
            for number, part in enumerate(parts(plan), 1):
                for name, member in part.members().items():
                    _put(draft / str(number) / name, member)
            (draft / NAME).write_text(_text(base or usual_base(), contents, plan, native.asked_of_base(plan, Blobs(cache))))
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be written: {error.strerror or error}", hint="Check its space and rights.") from error
    return folder / NAME


def _put(path: Path, member: Member) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(member.content, bytes):
        path.write_bytes(member.content)
    else:
        shutil.copyfile(member.content, path)
    path.chmod(0o755 if member.program else 0o644)
    os.utime(path, (0, 0))


def _text(base: str, contents: Sequence[Contents], plan: Plan, asked: Mapping[str, str]) -> str:
    """Without RUN: nothing is downloaded or executed while it is built."""
    python = f"python{bases.version()}"
    probe = health(python)
    times = {"interval": probe["Interval"], "timeout": probe["Timeout"], "start-period": probe["StartPeriod"]}
    options = " ".join(f"--{name}={value // _SECOND}s" for name, value in times.items())
    libraries = [f"# It must have {name}, which {who} needs." for name, who in sorted(asked.items())]
    lines = [
        f"# {', '.join(str(one.release) for one in contents)}. Another base needs the same Python, by this name on its PATH.",
        *libraries,
        f"ARG BASE={base}",
        "FROM ${BASE}",
        *(f"COPY {number}/ /" for number in range(1, len(parts(plan)) + 1)),
        *(f"ENV {name}={json.dumps(value)}" for name, value in sorted(environment().items())),
        f"USER {USER}",
        "WORKDIR /",
        f"EXPOSE {PORT}",
        f"HEALTHCHECK {options} --retries={probe['Retries']} CMD {json.dumps(probe['Test'][1:])}",
        f"ENTRYPOINT {json.dumps(entrypoint(python, contents, plan.types))}",
    ]
    return "\n".join(lines) + "\n"
