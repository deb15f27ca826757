"""Makes the recorded runs of this folder anew: `python -m tests.replay.record`.

Needed whenever a contract or the loop changes on purpose, because then the recorded digests are no longer what this
version asks for. Two runs of one small project, through the real command, house and sandbox:

- `fix-bug.jsonl`: a bug repaired by the search, handed over.
- `other-version.jsonl`: the same by a Podium that words its commits differently; it diverges where it first commits.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import SETTINGS, Podium
from tests.git_project import Project

HERE = Path(__file__).parent
ROOT = Path("/tmp/podium-replay")
"""Fixed, because recordings hold paths."""

GOOD, OTHER = HERE / "fix-bug.jsonl", HERE / "other-version.jsonl"

OTHER_WORDS = """
from orchestrator import words
from orchestrator.cli.main import main
plain = words.subject
words.subject = lambda text: plain("fix: " + text)
main()
"""
STOCK = "def enough(pieces, wanted):\n    return wanted < pieces\n"
TESTS = """from stock import enough


def test_the_last_one_can_be_sold():
    assert enough(1, 1)


def test_more_than_there_is_cannot_be_sold():
    assert not enough(3, 4)
"""
TEST = "tests/test_stock.py::test_the_last_one_can_be_sold"
REQUEST = "The last piece on the shelf cannot be sold."


def main() -> None:
    """Record both runs."""
    shutil.rmtree(ROOT, ignore_errors=True)
    podium = Podium(ROOT / "state")
    project = Project(ROOT / "shop")
    project.commit({"stock.py": STOCK, "tests/test_stock.py": TESTS, "pyproject.toml": SETTINGS})
    run = ("run", "fix-bug", "--repo", str(project.root), "--test", TEST, "--auto", "all", "--engine", "search")
    try:
        for start, file in (["-m", "orchestrator.cli.main"], GOOD), (["-c", OTHER_WORDS], OTHER):
            subprocess.run(
                [sys.executable, *start, *run, "--consent-weak", REQUEST],
                env={**podium.environment(), "LOGNAME": "ann", "USER": "ann"},
                stdin=subprocess.DEVNULL,
                check=True,
            )
            done = podium("audit", "export", "--run", "last", "-o", str(file), "--force")
            if done.code:
                raise SystemExit(done.err)
            print(f"{file.relative_to(Path.cwd())}: {file.stat().st_size:,} bytes")  # noqa: T201 - what it is for
    finally:
        podium("down")
        shutil.rmtree(ROOT, ignore_errors=True)


if __name__ == "__main__":
    main()
