"""The command line. A verb's module is imported when the verb is run, so that `--help` answers at once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from lockgate import __version__
from lockgate.kernel.errors import LockgateError, Refused

DONE, FAILED, USAGE, SAID_NO, INCONCLUSIVE = 0, 1, 2, 3, 4

# verb → (module:command, what `--help` says of it), in the order of the journey
VERBS = {
    "init": ("project:init", "Make a project that runs at once."),
    "plan": ("pipeline:plan", "Say what would run, and why."),
    "run": ("pipeline:run", "Take the project from its commit through all gates to a registered version."),
    "why": ("pipeline:why", "Say why a pipeline step would run again."),
    "contract": ("pipeline:contract", "Learn a data contract from data."),
    "runs": ("pipeline:runs", "List the runs, or show one."),
    "up": ("server:up", "Start the control plane, the data plane, the runner and the controller."),
    "status": ("server:status", "Say what is live, with whom, since when."),
    "models": ("registry:models", "List the registered models."),
    "versions": ("registry:versions", "List a model's versions."),
    "request": ("registry:request", "Ask for a version to be moved to a stage."),
    "approve": ("registry:approve", "Approve a request."),
    "reject": ("registry:reject", "Reject a request."),
    "cancel": ("registry:cancel", "Take back your own request."),
    "comment": ("registry:comment", "Say something about a version."),
    "rollout": ("rollout:rollout", "Start, see, pause, resume, promote, abort or replay a rollout."),
    "rollback": ("rollout:rollback", "Go back to the version that served before."),
    "watch": ("watch:watch", "Show what watching knows of a model: windows, findings, triggers."),
    "audit": ("audit:audit", "Read the audit log, verify its chain, or ask what was in Production at a time."),
}


class Verbs(click.Group):
    """The verbs by name, without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"lockgate.entrypoints.cli.verbs.{module}"), name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, 1)
            meant = f" Did you mean {near[0]!r}?" if near else " See lockgate --help."
            raise click.UsageError(f"There is no verb {args[0]!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="lockgate %(version)s")
def lockgate() -> None:
    """Continuous delivery for machine-learning models: every change by one road, each step proven, each step reversible."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and return its exit code: 0 done, 1 failed, 2 usage, 3 a gate or verdict said no, 4 inconclusive."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = lockgate.main(given, prog_name="lockgate", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.Abort:
        click.echo("stopped", err=True)
        return FAILED
    except LockgateError as error:
        if "-v" in given or "--verbose" in given:
            import traceback

            traceback.print_exc()
        click.echo(f"{click.style('error', fg='red', bold=True)}: {error.message}", err=True)
        if error.hint:
            click.echo(f"{click.style('next', fg='cyan')}: {error.hint}", err=True)
        return SAID_NO if isinstance(error, Refused) else FAILED
    return result if isinstance(result, int) else DONE
