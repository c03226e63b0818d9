"""A route as one call sees it: the same arms, tallies and models, with answers in protobuf, and no more time than the caller has.

Who runs what, what is counted and what is recorded is the core's, and the same for every protocol: only the packages' encoders
are others. The plan is made for the call and goes with it, so that none keeps a package in memory which the table has let go of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar
from weakref import WeakKeyDictionary

from lockgate.serving.gateway.package import Package
from lockgate.serving.gateway.plan import ReadyArm, RoutePlan
from lockgate.serving.grpc.answers import MessageEncoder
from lockgate.serving.protocol.answers import Encoder

K = TypeVar("K")
V = TypeVar("V")


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
                found = made[id(arm)] = replace(arm, package=self._package(arm.package))
            return found

        def seen(one: RoutePlan) -> RoutePlan:
            return replace(
                one,
                arms=tuple(arm_of(arm) if arm is not None else None for arm in one.arms),
                champion=arm_of(one.champion) if one.champion is not None else None,
                by_version=_Seen(one.by_version, arm_of),
                rules=tuple(replace(rule, arm=arm_of(rule.arm) if rule.arm is not None else None) for rule in one.rules),
                timeout=min(one.timeout, seconds),
                parts=_Seen(one.parts, seen) if one.parts is not None else None,
            )

        return seen(plan)

    def _package(self, package: Package) -> Package:
        encoder = self._encoders.get(package.encoder)
        if encoder is None:
            encoder = self._encoders[package.encoder] = MessageEncoder(package.manifest.signature)
        return Package(package.digest, package.manifest, package.decoder, encoder, package.scorer, package.engine)


class _Seen(Mapping[K, V]):
    """What is looked up is seen so; all else is not touched: a call belongs to one segment of many."""

    def __init__(self, all_of_them: Mapping[K, V], see: Callable[[V], V]) -> None:
        self._all = all_of_them
        self._see = see

    def __getitem__(self, key: K) -> V:
        return self._see(self._all[key])

    def __iter__(self) -> Iterator[K]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)
