"""The list of commands, each in a module of its own that is imported when it is called."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "run": ("orchestrator.cli.run:run", "Give the crew a task in your repository."),
    "runs": ("orchestrator.cli.runs:runs", "List runs, newest first."),
    "show": ("orchestrator.cli.runs:show", "Show one run: steps, gates, result."),
    "watch": ("orchestrator.cli.watch:watch", "Follow a run live."),
    "approve": ("orchestrator.cli.decide:approve", "Answer the gate a run waits at: go on."),
    "reject": ("orchestrator.cli.decide:reject", "Answer it: not this, because …"),
    "abort": ("orchestrator.cli.decide:abort", "End a run."),
    "resume": ("orchestrator.cli.resume:resume", "Go on with a run that was interrupted or waits."),
    "bundle": ("orchestrator.cli.bundle:bundle", "Copy a run's result: patch, evidence, summary."),
    "replay": ("orchestrator.cli.replay:replay", "Run a run again from the ledger, for nothing."),
    "stats": ("orchestrator.cli.stats:stats", "Show what runs came to: calls, tokens, cost, times."),
    "rework": ("orchestrator.cli.rework:rework", "Say how much people changed before they merged."),
    "agents": ("orchestrator.cli.agents:agents", "Show the crew: tools, scopes, liveness."),
    "new-agent": ("orchestrator.cli.new_agent:new_agent", "Begin an agent of your own: one file, and its test."),
    "mcp": ("orchestrator.cli.mcp:mcp", "Offer the crew's tools to an MCP host."),
    "serve": ("orchestrator.cli.serve:serve", "Have an agent, or any MCP server, in the crew; or serve one alone."),
    "audit": ("orchestrator.cli.audit:audit", "Read the ledger: who called what, with what result."),
    "trace": ("orchestrator.cli.trace:trace", "Export a run's trace to an OpenTelemetry collector."),
    "gc": ("orchestrator.cli.gc:gc", "Remove what is kept of old runs beside the ledger."),
    "up": ("orchestrator.cli.up:up", "Keep broker and crew running between commands."),
    "down": ("orchestrator.cli.up:down", "Stop broker and crew."),
    "status": ("orchestrator.cli.up:status", "Say whether broker and crew are running."),
    "broker-config": (
        "orchestrator.cli.broker_config:broker_config",
        "Print users and permissions for a NATS server of your own.",
    ),
    "doctor": ("orchestrator.cli.doctor:doctor", "Check this machine, and say what to do."),
    "demo": ("orchestrator.cli.demo:demo", "Watch a real bug being repaired, without an API key."),
    "completion": ("orchestrator.cli.completion:completion", "Print a shell's completion script."),
}
"""Command name to where it lives and what it does, in the order of `podium --help`."""

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(click.Group):
    """A group that knows its commands' names and summaries without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands for `--help`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a suggestion for a misspelt name."""
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f"Did you mean `podium {near[0]}`?" if near else "`podium --help` lists the commands."
            raise click.UsageError(f"There is no command `{args[0]}`. {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    context_settings=SETTINGS,
    epilog="Start with `podium demo`. "
    "Exit codes: 0 done, 1 could not, 2 usage, 3 a gate waits, 4 aborted or rejected, 5 over budget, "
    "130 interrupted.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="podium", message="podium %(version)s")
def podium(debug: bool) -> None:
    """Podium hands a coding task to a crew of narrow specialists and stops for you to decide.

    Your checkout is never touched: the result is a branch and a bundle of evidence.
    """
