"""Write what is generated from the commands themselves: `docs/cli.md` and the ready text of `podium --help`."""

from __future__ import annotations

from pathlib import Path

from orchestrator.cli.reference import help_text, reference

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write both files."""
    (ROOT / "orchestrator/cli/help.txt").write_text(help_text(), encoding="utf-8")
    (ROOT / "docs/cli.md").write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
