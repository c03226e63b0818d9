"""Read a project's folder: `lockgate.yaml` and the contracts that it names. One answer holds everything that is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from lockgate.boundary.routes import LabelEvent
from lockgate.domain.projects import Deployment, ProjectRecord
from lockgate.kernel.digest import digest_json
from lockgate.kernel.errors import Fault, InvalidInput, NotFound
from lockgate.project.document import Document, read_document, spell
from lockgate.project.faults import read_spec, suggestion
from lockgate.stages.build.spec import BuildSpec, ContractSpec
from lockgate.stages.decide.spec import GatesSpec
from lockgate.stages.deliver.environment_spec import deployment_named
from lockgate.stages.deliver.spec import DeliverySpec
from lockgate.stages.watch.spec import WatchSpec

FILE = "lockgate.yaml"


@dataclass(frozen=True, slots=True)
class Project:
    """What one team declares, in one file. `contracts` holds the rules of each data that names a contract."""

    folder: Path
    build: BuildSpec
    gates: GatesSpec
    delivery: DeliverySpec
    deployment: Deployment
    watch: WatchSpec
    contracts: dict[str, ContractSpec] = field(default_factory=dict)

    @property
    def model(self) -> str:
        return self.build.model

    @property
    def label_event(self) -> LabelEvent | None:
        """The event that production is judged by when labels come: gates and watching go by the same."""
        return self.delivery.production.judge.event

    def record(self) -> ProjectRecord:
        """What the server goes by until the project is read again."""
        return ProjectRecord(
            model=self.model,
            folder=str(self.folder),
            deployment=self.deployment,
            environments=self.delivery.environments(),
            watch=self.watch.model_dump(mode="json"),
            gates=digest_json(self.gates.model_dump(mode="json")),
        )


class ProjectFile(BuildSpec):
    """All keys of the project file: what is built, and the specs of the other stages."""

    gates: GatesSpec = GatesSpec()
    environments: DeliverySpec = DeliverySpec()
    deployment: Annotated[Deployment, BeforeValidator(deployment_named)] = Deployment.MANUAL
    watch: WatchSpec = WatchSpec()


def load(folder: Path) -> Project:
    """The project in `folder`.

    Raises:
        NotFound: there is no project file. InvalidInput: it, or a contract that it names, has faults: all of them.
    """
    folder = folder.absolute()
    if not (folder / FILE).is_file():
        raise NotFound(f"there is no {FILE} in {folder}", hint="Name the project's folder, or write a project file there.")
    document = read_document(folder / FILE, FILE)
    parsed, faults = read_spec(document, ProjectFile)
    faults += _contradictions(document, folder)
    contracts: dict[str, ContractSpec] = {}
    for name, file in _contract_files(document, folder).items():
        contract, of_contract = read_spec(read_document(folder / file, file), ContractSpec)
        faults += of_contract
        if contract is not None:
            contracts[name] = contract
    if parsed is None or faults:
        raise InvalidInput(FILE, sorted(set(faults), key=_place), hint=f"Change {folder / FILE} and try again.")
    build = BuildSpec.model_construct(**{name: getattr(parsed, name) for name in BuildSpec.model_fields})
    return Project(folder, build, parsed.gates, parsed.environments, parsed.deployment, parsed.watch, contracts)


def _place(fault: Fault) -> tuple[str, int, str, str]:
    return fault.file or "", fault.line or 0, fault.path, fault.message


def _contradictions(document: Document, folder: Path) -> list[Fault]:
    """What no part of the file can see by itself. Looks at what could be read, so that these come with all the others."""
    whole = _mapping(document.value)
    found = [*_names_used_twice(whole), *_events_not_declared(whole), *_watched_and_redacted(whole)]
    faults = [Fault(spell(path), message, document.file, document.line(path)) for path, message in found]
    for path, file in _missing_files(whole, folder):
        beside = [one.relative_to(folder).as_posix() for one in (folder / file).parent.glob(f"*{Path(file).suffix}")]
        message, meant = f"there is no file {file}", suggestion(file, beside)
        faults.append(Fault(spell(path), message, document.file, document.line(path), meant))
    return faults


_Found = list[tuple[tuple[str | int, ...], str]]


def _missing_files(whole: dict[str, Any], folder: Path) -> _Found:
    named: list[tuple[tuple[str | int, ...], Any]] = [(("pipeline",), whole.get("pipeline"))]
    named += [(("data", name, "contract"), _mapping(one).get("contract")) for name, one in _mapping(whole.get("data")).items()]
    return [(path, file) for path, file in named if isinstance(file, str) and not _is_file(folder, file)]


def _names_used_twice(whole: dict[str, Any]) -> _Found:
    both = [name for name in _mapping(whole.get("params")) if name in _mapping(whole.get("data"))]
    return [(("params", name), "is the name of data too; steps ask for both by name") for name in both]


def _events_not_declared(whole: dict[str, Any]) -> _Found:
    """Rules and reactions that speak of the judged event need to know which it is."""
    judge = _mapping(_mapping(_mapping(whole.get("environments")).get("production")).get("judge"))
    if "labels" in judge:
        return []
    needed = "needs the event that is judged: `labels: {event: …, threshold: …}` in environments.production.judge expected"
    found: _Found = []
    rules = _mapping(whole.get("gates")).get("quality")
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        if isinstance(rule, str) and rule.split()[:1] == ["event_rate"]:
            found.append((("gates", "quality", index), needed))
    if "performance_drop" in _mapping(_mapping(whole.get("watch")).get("on")):
        found.append((("watch", "on", "performance_drop"), needed))
    return found


def _watched_and_redacted(whole: dict[str, Any]) -> _Found:
    redacted = _mapping(_mapping(whole.get("environments")).get("production")).get("redact")
    watched = _mapping(_mapping(whole.get("watch")).get("drift")).get("features")
    if not isinstance(redacted, list) or not isinstance(watched, list):
        return []
    message = "is redacted in environments.production.redact: what no record keeps cannot be watched"
    return [(("watch", "drift", "features", index), message) for index, name in enumerate(watched) if name in redacted]


def _contract_files(document: Document, folder: Path) -> dict[str, str]:
    files = {name: _mapping(one).get("contract") for name, one in _mapping(_mapping(document.value).get("data")).items()}
    return {name: file for name, file in files.items() if isinstance(file, str) and _is_file(folder, file)}


def _is_file(folder: Path, file: str) -> bool:
    return "\0" not in file and (folder / file).is_file()


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
