"""`docs/scopes.md` says what the enforcers do, and about everything that is granted."""

from __future__ import annotations

from pathlib import Path

from scripts.scopes_page import scopes_page
from servers.crew import CREW_FILE, read_crew
from servers.crew_member import load_own

PAGE = Path(__file__).resolve().parents[2] / "docs/scopes.md"


def test_the_page_is_what_the_enforcers_go_by() -> None:
    """`make docs` writes it."""
    assert PAGE.read_text(encoding="utf-8") == scopes_page()


def test_every_scope_and_call_of_every_manifest_has_its_row() -> None:
    """A server that needs more gets more rows by itself."""
    rows = {
        tuple(row.split(" | ")[:2]) for row in PAGE.read_text(encoding="utf-8").splitlines() if row.startswith("| ")
    }
    manifests = [load_own(member.name).manifest for member in read_crew(CREW_FILE).members]
    for manifest in manifests:
        for needed in (*manifest.scopes, *manifest.calls):
            assert (f"| {manifest.name}", f"`{needed}`") in rows
    assert len(manifests) == 7
