"""What a project file says of answers, through a real run, a real home, and the verbs that tell of it."""

from __future__ import annotations

from lockgate.boundary.routes import OnFailure, Route, Rule
from lockgate.usecases.publish_routes import route_table
from lockgate.wiring.home import Home
from lockgate.wiring.world import open_world
from tests.integration.cli.command import CommandLine, change


def published(lockgate: CommandLine) -> Route:
    with open_world(Home(lockgate.home)).state.read() as tx:
        found = route_table(tx).route("tumour")
    assert found is not None
    return found


def say(lockgate: CommandLine, keys: str) -> None:
    change(lockgate.folder / "lockgate.yaml", "    strategy: canary\n", f"    strategy: canary\n{keys}")


def test_from_the_project_file_to_the_table_and_the_status(lockgate: CommandLine) -> None:
    lockgate.home = lockgate.folder / ".lockgate"
    assert lockgate("run").code == 0
    assert lockgate("rollout", "start", "tumour", "1").code == 0
    assert published(lockgate) == Route("tumour", published(lockgate).arms)
    assert "timeout" not in lockgate("status").out

    say(
        lockgate,
        "    on_failure: error\n    timeout: 2s\n    redact: [radius]\n"
        "    rules: [{header: x-preview, is: [yes], to: staging}, {field: texture, is: [1], to: 1}]\n",
    )
    assert lockgate("run").code == 0
    route = published(lockgate)
    assert (route.on_failure, route.timeout, route.redacted) == (OnFailure.ERROR, 2.0, ("radius",))
    assert route.rules == (Rule(1, ("1",), field="texture"),)

    told = lockgate("status").out
    assert "tumour: on failure error, timeout 2s, redacts radius" in told
    assert "x-preview is yes → the version in Staging, which is not served: the rule is left out" in told
    assert "texture is 1 → version 1" in told
    [live] = lockgate("status", "--json").json["models"]
    assert (live["answers"]["on_failure"], [one["leads_to"] for one in live["rules"]]) == ("error", [None, 1])


def test_a_misspelt_name_stops_the_run_before_anything_is_registered(lockgate: CommandLine) -> None:
    change(lockgate.folder / "lockgate.yaml", "model: tumour", "model: misspelt")
    say(lockgate, "    redact: [radus]\n")
    said = lockgate("run")
    assert said.code == 1
    assert "environments.production.redact[0]: 'radus' is no input" in said.err + said.out
    assert "did you mean 'radius'?" in said.err + said.out
    assert "misspelt" not in [one["name"] for one in lockgate("models", "--json").json]
