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
    "up": ("server:up", "Start the control plane, the data plane, the runner, the learner and the controller."),
    "status": ("server:status", "Say what is live, with whom, since when."),
    "models": ("registry:models", "List the registered models."),
    "versions": ("registry:versions", "List a model's versions."),
    "scan": ("scan:scan", "Look up what is known against a version, or take in another scanner's report."),
    "card": ("card:card", "Write a version's model card."),
    "package": ("package:package", "Build a version as a wheel, a data file or a container image that answers as it did."),
    "serve": ("serve:serve", "Serve packaged models from files, without a home and without a control plane."),
    "verify": ("verify:verify", "Check a built form from its file and a public key alone."),
    "key": ("key:key", "See the key that signs releases here, and whose signatures count."),
    "sign": ("sign:sign", "Sign a version that was registered before versions were signed."),
    "compose": ("compose:compose", "Make a version that is a graph of registered models."),
    "rehearse": ("rehearse:rehearse_plan", "Say what the rollout plan would do, before it does."),
    "policy": ("policy:policy", "Show, check or set the platform's policy: who may let a version go where."),
    "break-glass": ("glass:glass", "Bring a version in alone for a while, where nobody else can be asked."),
    "waive": ("waivers:waive", "Let a gate count as passed for a time, although it did not pass."),
    "waivers": ("waivers:waivers", "List the waivers of gates, or withdraw one."),
    "request": ("registry:request", "Ask for a version to be moved to a stage."),
    "requests": ("requests:requests", "List the requests that wait for people, or show one."),
    "approve": ("registry:approve", "Approve a request."),
    "reject": ("registry:reject", "Reject a request."),
    "cancel": ("registry:cancel", "Take back your own request."),
    "alias": ("aliases:alias", "Give a version a name, or take the name away."),
    "comment": ("registry:comment", "Say something about a version."),
    "rollout": ("rollout:rollout", "Start, see, approve, pause, resume, promote, abort, kill, release or replay a rollout."),
    "learning": ("learning:learning", "See, stop, resume or replay the online learning of a model."),
    "rollback": ("rollout:rollback", "Go back to the version that served before."),
    "channel": ("channel:channel", "See what running programs follow, and lay it down where they can fetch it."),
    "watch": ("watch:watch", "Show what watching knows of a model: windows, findings, triggers."),
    "token": ("token:token", "Make, list or revoke the keys with which callers may ask the data plane."),
    "user": ("user:user", "Make, list or disable the users of the control plane, and their tokens."),
    "webhook": ("webhook:webhook", "Say who is told of what happens: over HTTP, in Slack, by e-mail."),
    "audit": ("audit:audit", "Read the audit log, verify and sign it, or ask what was in Production at a time."),
}


class Sentences(click.Group):
    """A group whose `--help` gives the first sentence of each command in full."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_sentence(one.help or "")) for name, one in found if one is not None])


def _first_sentence(text: str) -> str:
    return " ".join(text.split("\n\n", maxsplit=1)[0].split()).partition(". ")[0].rstrip(".") + "."


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


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, subcommand_metavar="VERB [ARGS]...")
@click.version_option(__version__, message="lockgate %(version)s")
def lockgate() -> None:
    """Continuous delivery for machine-learning models: every change by one road, each step proven, each step reversible.

    With every verb: --home DIR, --as NAME (before `package`), --json, -v. Exit codes: 0 done, 1 failed, 2 usage,
    3 a gate or verdict said no, 4 inconclusive.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and return its exit code: 0 done, 1 failed, 2 usage, 3 a gate or verdict said no, 4 inconclusive."""
    given = _verb_first(list(sys.argv[1:] if arguments is None else arguments))
    try:
        result = lockgate.main(given, prog_name="lockgate", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.Abort:
        click.echo("stopped", err=True)
        return FAILED
    except LockgateError as error:
        _say(error, error.message, error.hint, given)
        return SAID_NO if isinstance(error, Refused) else FAILED
    except OSError as error:
        if error.filename is None:
            raise
        hint = "See that the folder is there, that it may be written by you, and that the disk is not full. -v shows where."
        _say(error, f"{error.filename}: {error.strerror}", hint, given)
        return FAILED
    return result if isinstance(result, int) else DONE


def _verb_first(given: list[str]) -> list[str]:
    """The options that every verb takes may stand before it too."""
    moved, rest = list[list[str]](), given
    while rest and rest[0] in _EVERYWHERE:
        taken = _EVERYWHERE[rest[0]]
        moved, rest = [*moved, rest[:taken]], rest[taken:]
    if not rest:
        return given
    return rest + [word for option, *value in moved for word in (_WHO.get((rest[0], option), option), *value)]


_EVERYWHERE = {"--json": 1, "-v": 1, "--verbose": 1, "--as": 2, "--home": 2}  # words that each takes up
_WHO = {("package", "--as"): "--actor"}  # behind this verb, --as says something else


def _say(error: Exception, message: str, hint: str | None, given: Sequence[str]) -> None:
    if "-v" in given or "--verbose" in given:
        import traceback

        traceback.print_exception(error)
    click.echo(f"{click.style('error', fg='red', bold=True)}: {message}", err=True)
    if hint:
        click.echo(f"{click.style('next', fg='cyan')}: {hint}", err=True)
