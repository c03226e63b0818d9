"""What an approval speaks of, in one digest: who says yes to a version does not say yes to another, nor under other rules."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.domain.models import ModelVersion, Stage
from lockgate.domain.projects import ApprovalPolicy
from lockgate.kernel.digest import digest_json
from lockgate.kernel.errors import Conflict


def binding(
    version: ModelVersion,
    to_stage: Stage,
    data: Mapping[str, str],
    platform: str,
    project: ApprovalPolicy | None,
    rules: str = "",
) -> str:
    """data: digest of each data that the version was made of. platform: digest of the policy in force, "" without one. project:
    what the project file asks of people, None where it has no say. rules: digest of the gates as the project file has them now.
    """
    return digest_json(
        {
            "to": to_stage.value,
            "package": version.digest,
            "data": dict(data),
            "evidence": version.evidence,
            "gates": [[gate.gate, gate.rule, gate.verdict.value] for gate in version.gates],
            "rules": rules,
            "platform": platform,
            "project": [project.need, list(project.excluded), list(project.roles)] if project else None,
        }
    )


def check_seen(version: ModelVersion, bound: str, seen: str | None) -> None:
    """Let pass or raise. seen: digest of the version, or of all that an answer goes by, when the caller looked; None: whatever.

    Raises:
        Conflict: it is another one now.
    """
    if seen is None or seen in (version.digest, bound):
        return
    raise Conflict(
        f"{version.model} {version.version} is not what was seen: {seen} expected, {version.digest} found, under {bound}",
        hint="Look at it again, and say it again.",
    )
