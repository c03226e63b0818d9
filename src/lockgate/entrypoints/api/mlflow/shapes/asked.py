"""What the calls take."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from lockgate.domain.models import Stage
from lockgate.entrypoints.api.mlflow.sent import sent

MOST = 1000  # items of a page, whatever is asked for

_STAGES = {stage.value.lower(): stage for stage in Stage}


def _stage(value: Any) -> Any:
    """MLflow takes stages in any letter case."""
    found = _STAGES.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"stage {value!r} found, one of {', '.join(stage.value for stage in Stage)} expected")
    return found


def _list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Number = Annotated[int, Field(ge=1, le=2**53)]
Text = Annotated[str, StringConstraints(max_length=65_535)]
AStage = Annotated[Stage, BeforeValidator(_stage)]


class OfModel(BaseModel):
    name: str


class OfVersion(OfModel):
    version: Number


class OfStage(OfVersion):
    stage: AStage
    comment: Text = ""


class Deciding(OfStage):
    """request_id: of the open requests; else the newest for the stage is meant. if_version_digest: only if it still is this."""

    request_id: str | None = None
    if_version_digest: str | None = None


class Approving(Deciding):
    archive_existing_versions: bool = True


class Moving(OfStage):
    archive_existing_versions: bool = False
    if_version_digest: str | None = None


class Cancelling(OfStage):
    creator: str


class NewComment(OfVersion):
    comment: Text


class OfComment(BaseModel):
    id: str


class CommentEdit(OfComment):
    comment: Text


class Tag(BaseModel):
    key: str
    value: str = ""


class NewModel(OfModel):
    description: str | None = None
    tags: list[Tag] = Field(default_factory=list)


class Renaming(OfModel):
    new_name: str = ""


class Describing(OfModel):
    description: str | None = None


class DescribingVersion(OfVersion):
    description: str | None = None


class ModelTag(OfModel, Tag):
    pass


class VersionTag(OfVersion, Tag):
    pass


class OfAlias(OfModel):
    alias: str


class NewAlias(OfAlias):
    version: Number


class Latest(OfModel):
    stages: Annotated[list[AStage], BeforeValidator(_list)] = Field(default_factory=list)


class Listing(BaseModel):
    """page_token: as an answer gave it."""

    max_results: int = Field(100, ge=0, le=200_000)
    page_token: str = ""


class Search(Listing):
    filter: str = ""
    order_by: Annotated[list[str], BeforeValidator(_list)] = Field(default_factory=list)


class History(Listing):
    """since, until: Unix milliseconds."""

    name: str
    version: Number | None = None
    activity_type: str = ""
    since: int = 0
    until: int = 2**53


class OfRun(BaseModel):
    run_id: str = ""
    run_uuid: str = ""  # what it was called before MLflow 1


class RunSearch(Search):
    experiment_ids: Annotated[list[str], BeforeValidator(_list)] = Field(default_factory=list)


class OfExperiment(BaseModel):
    experiment_id: str


class ExperimentNamed(BaseModel):
    experiment_name: str


class OfFolder(BaseModel):
    path: str = ""


OfModelSent = Annotated[OfModel, sent(OfModel)]
OfVersionSent = Annotated[OfVersion, sent(OfVersion)]
OfStageSent = Annotated[OfStage, sent(OfStage)]
DecidingSent = Annotated[Deciding, sent(Deciding)]
ApprovingSent = Annotated[Approving, sent(Approving)]
MovingSent = Annotated[Moving, sent(Moving)]
CancellingSent = Annotated[Cancelling, sent(Cancelling)]
NewCommentSent = Annotated[NewComment, sent(NewComment)]
OfCommentSent = Annotated[OfComment, sent(OfComment)]
CommentEditSent = Annotated[CommentEdit, sent(CommentEdit)]
NewModelSent = Annotated[NewModel, sent(NewModel)]
RenamingSent = Annotated[Renaming, sent(Renaming)]
DescribingSent = Annotated[Describing, sent(Describing)]
DescribingVersionSent = Annotated[DescribingVersion, sent(DescribingVersion)]
ModelTagSent = Annotated[ModelTag, sent(ModelTag)]
VersionTagSent = Annotated[VersionTag, sent(VersionTag)]
OfAliasSent = Annotated[OfAlias, sent(OfAlias)]
NewAliasSent = Annotated[NewAlias, sent(NewAlias)]
LatestSent = Annotated[Latest, sent(Latest)]
ListingSent = Annotated[Listing, sent(Listing)]
SearchSent = Annotated[Search, sent(Search)]
HistorySent = Annotated[History, sent(History)]
OfRunSent = Annotated[OfRun, sent(OfRun)]
RunSearchSent = Annotated[RunSearch, sent(RunSearch)]
OfExperimentSent = Annotated[OfExperiment, sent(OfExperiment)]
ExperimentNamedSent = Annotated[ExperimentNamed, sent(ExperimentNamed)]
OfFolderSent = Annotated[OfFolder, sent(OfFolder)]
