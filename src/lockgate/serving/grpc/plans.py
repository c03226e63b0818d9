"""A route as one call sees it: the same arms, tallies and models, with answers in protobuf, and no more time than the caller has.

Who runs what, what is counted and what is recorded is the core's, and the same for every protocol: only the packages' encoders
are others. The plan is made for the call and goes with it, so that none keeps a package in memory which the table has let go of.
"""

from __future__ import annotations

from dataclasses import replace
from weakref import WeakKeyDictionary

from lockgate.serving.gateway.package import Package
from lockgate.serving.gateway.plan import ReadyArm, RoutePlan
from lockgate.serving.grpc.answers import MessageEncoder
from lockgate.serving.protocol.answers import Encoder


class Plans:
    """Used by the event loop only."""

    def __init__(self) -> None:
        self._encoders: WeakKeyDictionary[Encoder, MessageEncoder] = WeakKeyDictionary()

    def seen_by(self, plan: RoutePlan, seconds: float) -> RoutePlan:
        """The plan for one call. seconds: that its caller will wait."""
        made: dict[int, ReadyArm] = {}  # by identity: the core asks whether two arms are the same one

        def arm_of(arm: ReadyArm) -> ReadyArm:
            found = made.get(id(arm))
            if found is None:
                package = self._package(arm.package)
                found = made[id(arm)] = ReadyArm(arm.version, package, arm.tally, arm.aside, arm.by_segment)
            return found

        return replace(
            plan,
            arms=tuple(arm_of(arm) if arm is not None else None for arm in plan.arms),
            champion=arm_of(plan.champion) if plan.champion is not None else None,
            by_version={version: arm_of(arm) for version, arm in plan.by_version.items()},
            rules=tuple(replace(rule, arm=arm_of(rule.arm) if rule.arm is not None else None) for rule in plan.rules),
            timeout=min(plan.timeout, seconds),
        )

    def _package(self, package: Package) -> Package:
        encoder = self._encoders.get(package.encoder)
        if encoder is None:
            encoder = self._encoders[package.encoder] = MessageEncoder(package.manifest.signature)
        return Package(package.digest, package.manifest, package.decoder, encoder, package.scorer, package.engine)
