"""serve."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from lockgate.boundary.exposure import is_loopback
from lockgate.boundary.manifest import Manifest
from lockgate.boundary.trust import spelled
from lockgate.boundary.unpacking import manifest_in, opened_all
from lockgate.entrypoints.cli.session import Session, verb
from lockgate.entrypoints.cli.verbs.server import FILE, PORT
from lockgate.kernel.digest import short
from lockgate.kernel.errors import LockgateError

_PATH = click.Path(path_type=Path)
_VALUED = ("host", "port", "workers", "grpc_port", "keys", "records", "memory", "tls_cert", "tls_key")
_FLAGS = ("unsigned", "public", "plain_http", "verbose")
_LONGEST_ROW = 2000  # characters of an example that anybody would copy


@verb()
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=_PATH)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; the default: this machine only.")
@click.option("--port", default=7080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--workers", default="1", show_default=True, help="Processes that answer; 1-4: as many as are needed.")
@click.option("--grpc-port", type=PORT, help="Speak the Open Inference Protocol over gRPC here too (lockgate[grpc]).")
@click.option("--key", multiple=True, metavar="KEY|FILE", help="The files must be signed by this key, or one in this file.")
@click.option("--trusted-type", multiple=True, metavar="CLASS", help="Packages may be made of package.module.Class too.")
@click.option("--unsigned", is_flag=True, help="Beyond this machine too, nobody need have signed them.")
@click.option("--keys", type=_PATH, help="Who may ask: a file of `lockgate token create`.")
@click.option("--records", type=_PATH, help="Keep prediction records in this folder.")
@click.option("--memory", help="For all models together, as 2GB.")
@click.option("--public", is_flag=True, help="Anybody may ask for predictions; all else needs a key.")
@click.option("--plain-http", is_flag=True, help="No TLS beyond this machine: it ends at a proxy, or the network is trusted.")
@click.option("--tls-cert", type=FILE, help="A certificate, with its chain (PEM).")
@click.option("--tls-key", type=FILE, help="Its private key (PEM, not encrypted).")
def serve(session: Session, paths: Sequence[Path], **given: Any) -> int:
    """Serve packaged models, those of each FILE, without a home and without a control plane; Ctrl-C stops.

    FILE is what `lockgate package` made: a data file (*.lockgate), a wheel, an image (*.oci.tar), or a folder as in one.
    """
    plane = _Plane(_words(paths, given), given)
    signal.signal(signal.SIGTERM, plane.stop)
    signal.signal(signal.SIGINT, plane.stop)
    for event in plane.events():
        if event.get("event") == "package taken":
            plane.taken.append(event)
        elif event.get("event") == "listening":
            plane.address = _address(given, event["port"])
        elif event.get("event") == "worker serves" and not plane.told:
            plane.told = True
            _tell(session, plane, paths)
        elif event.get("level") in ("warning", "error"):
            click.echo(_sentence(event), err=True)
    return plane.ended()


@dataclass
class _Plane:
    """The data plane, a process that ends with this one, however this one ends."""

    words: Sequence[str]
    given: Mapping[str, Any]
    taken: list[dict[str, Any]] = field(default_factory=list)
    address: str = ""
    told: bool = False

    def __post_init__(self) -> None:
        from lockgate.integrations.local.environment import own_environment

        self._process = subprocess.Popen(
            self.words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=own_environment(), start_new_session=True
        )

    def stop(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)

    def events(self) -> Iterator[dict[str, Any]]:
        """What it logs, until it ends; what is no event is said to who started us."""
        assert self._process.stderr is not None  # noqa: S101 - it was started so
        with self._process.stderr as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                except ValueError:
                    click.echo(line.decode(errors="replace").rstrip(), err=True)
                    continue
                yield event if isinstance(event, dict) else {}

    def ended(self) -> int:
        assert self._process.stdin is not None  # noqa: S101 - as above
        self._process.stdin.close()
        return self._process.wait()


def _words(paths: Sequence[Path], given: Mapping[str, Any]) -> list[str]:
    words = [sys.executable, "-P", "-m", "lockgate.serving", "--watch-stdin"]
    for path in paths:
        words += ["--package", str(path)]
    for line in _keys(given["key"]):
        words += ["--key", line]
    for name in given["trusted_type"]:
        words += ["--trusted-type", name]
    for name in _VALUED:
        if given[name] is not None:
            words += [f"--{name.replace('_', '-')}", str(given[name])]
    return words + [f"--{name.replace('_', '-')}" for name in _FLAGS if given.get(name)]


def _keys(said: Sequence[str]) -> list[str]:
    """Line by line.

    Raises:
        Invalid: what was said is no key and no file of keys, or there is none in it.
    """
    from lockgate.wiring.verification import named_keys

    return spelled(named_keys(said)).splitlines()


def _address(given: Mapping[str, Any], port: int) -> str:
    host = given["host"] if is_loopback(given["host"]) or given["host"] not in ("", "0.0.0.0", "::") else "127.0.0.1"  # noqa: S104
    scheme = "https" if given["tls_cert"] else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _tell(session: Session, plane: _Plane, paths: Sequence[Path]) -> None:
    models = [{name: one[name] for name in ("model", "version", "package", "signed_by")} for one in plane.taken]

    def show() -> None:
        examples = dict(_examples(plane.address, paths))
        for one in models:
            signer = f"signed by {one['signed_by']}" if one["signed_by"] else "signature not checked: --key says whose it must be"
            click.echo(f"  {one['model']} {one['version']}   package {one['package']}, {signer}")
            click.echo(f"  {plane.address}/v2/models/{one['model']}/infer")
            for line in examples.get(one["model"], ()):
                click.echo(f"    {line}")
        click.echo("Ctrl-C stops it.")

    session.answer({"url": plane.address, "models": models}, show)
    sys.stdout.flush()


def _examples(address: str, paths: Sequence[Path]) -> Iterator[tuple[str, list[str]]]:
    """By model."""
    for path in paths:
        with suppress(LockgateError), opened_all(path, canonical=False) as sources:  # it may be gone since
            for manifest in [manifest_in(one)[1] for one in sources]:
                yield manifest.model, list(_example(address, manifest))


def _example(address: str, manifest: Manifest) -> Iterator[str]:
    """A request that can be copied, of a row whose answer is known."""
    body = shlex.quote(json.dumps({"instances": [_first_row(manifest)]}, ensure_ascii=False))
    if len(body) <= _LONGEST_ROW:
        yield f"curl -s {address}/v2/models/{manifest.model}/infer -H 'content-type: application/json' -d {body}"
        yield f"answers {manifest.golden.scores[0]:g} within {manifest.golden.tolerance:g}, as the original model did"


def _first_row(manifest: Manifest) -> dict[str, Any]:
    return {name: column[0] for name, column in manifest.golden.inputs.items()}


def _sentence(event: Mapping[str, Any]) -> str:
    said = [str(event[name]) for name in ("event", "reason", "hint") if event.get(name)]
    about = f"package {short(str(event['package']))}: " if event.get("package") else ""
    return f"{event['level']}: {about}{': '.join(said)}"
