"""`podium completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a shell's completion script.

    \b
    Examples:
      podium completion bash > ~/.local/share/bash-completion/completions/podium
      podium completion zsh > ~/.zfunc/_podium
      podium completion fish > ~/.config/fish/completions/podium.fish
    """
    from orchestrator.cli.commands import podium

    completer = get_completion_class(shell)
    assert completer is not None
    click.echo(completer(podium, {}, "podium", "_PODIUM_COMPLETE").source())
