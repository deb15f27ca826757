"""Write what is generated from the code itself.

From the commands: `docs/cli.md` and the ready text of `podium --help`. From the manifests: `configs/servers/`. From
what enforces them: `docs/scopes.md`.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.cli.reference import help_text, reference
from scripts.scopes_page import scopes_page
from servers.descriptions import descriptions

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write all files."""
    (ROOT / "orchestrator/cli/help.txt").write_text(help_text(), encoding="utf-8")
    (ROOT / "docs/cli.md").write_text(reference(), encoding="utf-8")
    (ROOT / "docs/scopes.md").write_text(scopes_page(), encoding="utf-8")
    for name, description in descriptions().items():
        (ROOT / f"configs/servers/{name}.json").write_text(description.text(), encoding="utf-8")


if __name__ == "__main__":
    main()
