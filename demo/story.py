"""The five acts. Each says what is expected, does it with the tools that a user has, and looks whether it was so."""

from __future__ import annotations

import math
import os
from datetime import UTC, datetime
from typing import Any

from demo.flights import days_flown, export, export_day, load
from demo.machinery import Stage, Traffic, wait_until
from demo.report import Act, Unexpected

MODEL = "flight-delay"
DECEMBER = 12
AFTERWARDS = 1500  # flights that a new champion answers before the curtain falls


class Story:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.report = stage.report
        self.flights = load()
        self.moments: list[tuple[datetime, int]] = []  # when, and which version was in Production then

    def tell(self) -> None:
        self.stage.set_up()
        export(self.flights, self.stage.project / "data", (1, 2, 3))
        self.stage.start_server()
        self.report.facts["processes"] = {"demo": os.getpid(), **self.stage.pids}
        self.a_commit_becomes_version_1()
        self.version_2_is_proven()
        self.version_3_is_sent_home()
        self.december_comes()
        self.back_by_hand()

    def a_commit_becomes_version_1(self) -> None:
        expected = (
            "checks, data contract, training, gates, package, registry; one person asks, another approves; version 1 serves"
        )
        with self.report.act("A commit becomes version 1", expected) as act:
            edits = ("lockgate.yaml", "learner: trees", "learner: logistic"), ("lockgate.yaml", "[1, 2, 3]", "[1, 2]")
            self.stage.commit("ada", "Predict late flights from January and February", *edits)
            run = self._run("ada", act)
            request = self.stage.lockgate("request", MODEL, "1", "--to", "Production", who="ada")["id"]
            self.stage.lockgate("approve", request, who="ada", expect=3)  # the four-eyes rule: not her own
            self.stage.lockgate("approve", request, who="ben")
            wait_until(lambda: self._champion() == 1, 30, "version 1 is in Production")
            version = wait_until(self._answering_version, 10, "version 1 answers")
            act.figures["processes"] = self.stage.pids
            if version != 1:
                raise Unexpected(f"version {version} answered")
            self._note(1)
            act.observed = (
                f"version 1 (AUC {run['metrics']['auc']:.3f}) answers; ada could not approve her own request, ben could"
            )

    def version_2_is_proven(self) -> None:
        expected = "a better learner rides April and May as a canary, 10 → 25 → 50 %: proven safe on every metric, promoted"
        with self.report.act("Version 2 is proven", expected) as act:
            edits = ("lockgate.yaml", "learner: logistic", "learner: trees"), ("lockgate.yaml", "[1, 2]", "[1, 2, 3]")
            self.stage.commit("ben", "Learn trees, from January to March", *edits)
            self._run("ben", act)
            self._ask_and_approve(2, by="ben", approver="ada")
            rollout = self._ride(act, 4, 5)
            if rollout["phase"] != "promoted" or self._champion() != 2:  # noqa: PLR2004
                raise Unexpected(f"rollout {rollout['id']} is {rollout['phase']}: {(rollout['outcome'] or {}).get('detail')}")
            self._note(2)
            act.observed = f"SAFE after {rollout['outcome']['requests']} flights, promoted: version 2 is the champion"

    def version_3_is_sent_home(self) -> None:
        expected = "trained on delays in seconds, production sends minutes: right offline, harmful live; HARM, back within 1 s"
        with self.report.act("Version 3 is right offline and wrong in production", expected) as act:
            export(self.flights, self.stage.project / "data", (4, 5))
            before = 'frame["late"] = '
            self.stage.commit("eve", "Delays in seconds, as in the new feed", ("pipeline.py", before, SECONDS + before))
            self._run("eve", act)
            self._ask_and_approve(3, by="eve", approver="ada")
            rollout = self._ride(act, 6, 7)
            outcome = rollout["outcome"] or {}
            if rollout["phase"] != "aborted" or outcome["verdict"] != "HARM" or self._champion() != 2:  # noqa: PLR2004
                raise Unexpected(f"rollout {rollout['id']} is {rollout['phase']}, the judge says {outcome.get('verdict')}")
            self._note(2)
            back = _seconds_back(outcome)
            if back is None or back > 1.0:
                raise Unexpected(f"the way back took {back} s, a second was promised")
            act.figures["seconds_back"] = back
            act.observed = (
                f"HARM on {', '.join(outcome['metrics'])} after {outcome['requests']} flights, version 3 answered "
                f"{outcome['exposed_requests']}; from the deciding observation to the last new route {back:.2f} s"
            )

    def december_comes(self) -> None:
        expected = (
            "drift is found, labels show the drop, a retraining starts by itself; version 4 comes by the same road, by no person"
        )
        with self.report.act("December comes", expected) as act:
            edits = ("pipeline.py", SECONDS, ""), ("lockgate.yaml", "deployment: manual", "deployment: automatic")
            months = ("lockgate.yaml", "months: [1, 2, 3]", "months: []")
            self.stage.commit("ada", "Back to minutes; learn from all months; deploy what passes its gates", *edits, months)
            export(self.flights, self.stage.project / "data", range(6, DECEMBER))
            began = datetime.now(UTC).isoformat()  # noqa: TID251 - findings of now, not of the spring
            traffic = Traffic.begin(self.stage, DECEMBER)
            finding = traffic.until(lambda: self._look_nightly(traffic), "a drop in performance is found")
            asked = traffic.end()["sent"]
            if finding is None:
                raise Unexpected("December went by and no drop in performance was found")
            self.report.say(finding["detail"])
            trigger = wait_until(self._fired, 5, "the retraining is triggered")
            self.report.say(f"retraining: {trigger['reason']}")
            wait_until(lambda: self._rollout_of(4), 240, "version 4 is registered, requested and approved by the policy")
            act.figures |= {"finding": finding, "trigger": trigger}
            rollout = self._ride(act, DECEMBER, skip=asked)
            if rollout["phase"] != "promoted" or self._champion() != 4:  # noqa: PLR2004
                raise Unexpected(f"rollout {rollout['id']} is {rollout['phase']}: {(rollout['outcome'] or {}).get('detail')}")
            act.figures["drift"] = [one for one in self._findings("drift") if one["at"] >= began]
            for drift in act.figures["drift"]:
                self.report.say(drift["detail"])
            if not act.figures["drift"]:
                raise Unexpected("no drift was found in December")
            self._note(4)
            act.observed = (
                f"found, retrained, proven after {rollout['outcome']['requests']} flights, promoted: version 4, by no person"
            )

    def back_by_hand(self) -> None:
        expected = "a roll-back under load without a failed request; the audit log is whole and knows what was in Production when"
        with self.report.act("Back by hand, and the books are right", expected) as act:
            traffic = Traffic.begin(self.stage, DECEMBER)
            traffic.more(AFTERWARDS)
            self.stage.lockgate("rollback", MODEL, "--reason", "a second opinion", who="ada")
            traffic.more(AFTERWARDS)
            told = traffic.end()
            if self._champion() != 2 or "2" not in told["versions"]:  # noqa: PLR2004
                raise Unexpected(f"champion {self._champion()} after the roll-back, answers by {told['versions']}")
            self._note(2)
            checked = self.stage.lockgate("audit", "verify")
            for moment, version in self.moments:
                standing = self.stage.lockgate("audit", "at", moment.isoformat())
                was = [one["version"] for one in standing["stages"] if one["stage"] == "Production"]
                if was != [version]:
                    raise Unexpected(f"`audit at {moment}` says {was}, version {version} was in Production")
            act.figures["traffic"] = told
            act.observed = (
                f"{told['sent']} requests, none failed, p99 {told['p99_ms']} ms; {checked['events']} events, chain whole"
            )

    def _run(self, who: str, act: Act) -> dict[str, Any]:
        run: dict[str, Any] = self.stage.lockgate("run", who=who)
        for gate in run["gates"]:
            self.report.say(f"{gate['verdict']}  {gate['rule']}: {gate['detail']}")
        act.figures["run"] = {"id": run["id"], "metrics": run["metrics"], "gates": run["gates"]}
        return run

    def _ask_and_approve(self, version: int, by: str, approver: str) -> None:
        request = self.stage.lockgate("request", MODEL, str(version), "--to", "Production", who=by)["id"]
        self.stage.lockgate("approve", request, who=approver)

    def _look_nightly(self, traffic: Traffic) -> dict[str, Any] | None:
        """Each day that is flown is exported; then: was a drop found?"""
        data = self.stage.project / "data"
        for day in range(1, days_flown(self.flights, DECEMBER, traffic.last["sent"]) + 1):
            if not (data / f"flights-2013-{DECEMBER}-{day:02}.parquet").exists():
                export_day(self.flights, data, DECEMBER, day)
        return self._finding("performance_drop")

    def _ride(self, act: Act, *months: int, skip: int = 0) -> dict[str, Any]:
        """Replay flights until the rollout under way has ended, and some more; the rollout as it ended."""
        rollout_id = self.stage.get(f"/api/v1/rollouts?model={MODEL}&limit=1")["items"][0]["id"]
        wait_until(lambda: self._phase(rollout_id) != "preparing", 30, "every worker has loaded the version")
        traffic = Traffic.begin(self.stage, *months, skip=skip)
        seen: list[tuple[str, int]] = []
        if traffic.until(lambda: self._ended(rollout_id, seen), "the judge's verdict") is None:
            raise Unexpected(f"the flights of months {months} ended before the judge had a verdict on {rollout_id}")
        traffic.more(AFTERWARDS)
        told = traffic.end()
        rollout: dict[str, Any] = wait_until(lambda: self._settled(rollout_id), 10, "the rollout has ended")
        evidence = {name: math.exp(min(value, 700.0)) for name, value in _last_evidence(rollout).items()}
        deciding = {name: value for name, value in evidence.items() if "@" not in name}
        self.report.say("e-values: " + ", ".join(f"{name} {value:.3g}" for name, value in deciding.items()))
        act.figures |= {"traffic": told, "rollout": rollout_id, "outcome": rollout["outcome"], "e_values": evidence}
        return rollout

    def _ended(self, rollout_id: str, seen: list[tuple[str, int]]) -> str | None:
        rollout = self.stage.get(f"/api/v1/rollouts?model={MODEL}&limit=1")["items"][0]
        if rollout["id"] == rollout_id and (state := (rollout["phase"], rollout["step"])) not in seen:
            seen.append(state)
            if rollout["phase"] == "progressing":
                self.report.say(f"version {rollout['version']} takes {rollout['steps'][rollout['step']]:.0%} of the flights")
        return rollout["phase"] if rollout["phase"] in ("promoted", "aborted", "holding") else None

    def _settled(self, rollout_id: str) -> dict[str, Any] | None:
        rollout: dict[str, Any] = self.stage.get(f"/api/v1/rollouts/{rollout_id}")
        return rollout if rollout["outcome"] and rollout["outcome"]["enforced_at"] else None

    def _phase(self, rollout_id: str) -> str:
        return str(self.stage.get(f"/api/v1/rollouts/{rollout_id}")["phase"])

    def _champion(self) -> int | None:
        version: int | None = self.stage.get(f"/api/v1/models/{MODEL}")["aliases"].get("champion")
        return version

    def _answering_version(self) -> int | None:
        versions = self.stage.served_versions(MODEL)
        return int(versions[0]) if versions else None

    def _findings(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.stage.get(f"/api/v1/findings?model={MODEL}")["items"] if one["kind"] == kind]

    def _finding(self, kind: str) -> dict[str, Any] | None:
        found = self._findings(kind)
        return found[0] if found else None

    def _fired(self) -> dict[str, Any] | None:
        triggers = self.stage.get(f"/api/v1/triggers?model={MODEL}")["items"]
        return next((one for one in triggers if one["action"] == "retrain" and one["decision"] == "fired"), None)

    def _rollout_of(self, version: int) -> dict[str, Any] | None:
        rollouts = self.stage.get(f"/api/v1/rollouts?model={MODEL}&limit=1")["items"]
        return next((one for one in rollouts if one["version"] == version), None)

    def _note(self, version: int) -> None:
        self.moments.append((datetime.now(UTC), version))  # noqa: TID251 - the audit log is asked about this very moment


SECONDS = 'frame["recent_delay"] *= 60\n    '


def _last_evidence(rollout: dict[str, Any]) -> dict[str, float]:
    series = rollout["series"]
    columns = {f"harm/{name}": values for name, values in series["harm"].items()}
    columns |= {f"safe/{name}": values for name, values in series["safe"].items()}
    return {name: values[-1] for name, values in columns.items() if values and values[-1] is not None}


def _seconds_back(outcome: dict[str, Any]) -> float | None:
    if not outcome["crossed_at"] or not outcome["enforced_at"]:
        return None
    crossed, enforced = (datetime.fromisoformat(outcome[name]) for name in ("crossed_at", "enforced_at"))
    return (enforced - crossed).total_seconds()
