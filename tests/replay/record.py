"""Makes the recorded runs of this folder anew: `python -m tests.replay.record`.

Needed whenever a contract, a prompt or the loop changes on purpose, because then the recorded digests are no longer
what this version asks for. Real runs, through the real command, house and sandbox; models are scripted, over HTTP:

- `fix-bug.jsonl`: a bug repaired by the search, handed over.
- `other-version.jsonl`: the same by a Podium that words its commits differently; it diverges where it first commits.
- `by-model.jsonl`: the same bug by a model whose first answer is wrong.
- `add-endpoint.jsonl`: the ticket of `examples/lendery`, planned, written and handed over.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.cli.conftest import SETTINGS, Podium
from tests.e2e.endpoint import Endpoint, endpoint, rules
from tests.e2e.lendery_replies import RETURN_A_BOOK
from tests.e2e.tickets import lendery, told
from tests.git_project import Project

HERE = Path(__file__).parent
ROOT = Path("/tmp/podium-replay")
"""Fixed, because recordings hold paths."""

GOOD, OTHER = HERE / "fix-bug.jsonl", HERE / "other-version.jsonl"
BY_MODEL, ENDPOINT = HERE / "by-model.jsonl", HERE / "add-endpoint.jsonl"

PLAIN = ("-m", "orchestrator.cli.main")
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


def change(line: str) -> dict[str, object]:
    """A model's reply that puts `line` in the place of the one that is wrong."""
    block = {"search": "    return wanted < pieces\n", "replace": f"    {line}\n"}
    return {"reply": {"summary": "Count the last piece", "blocks": [block]}}


class Recorder:
    """A house, and runs that are written down."""

    def __init__(self) -> None:
        self.podium = Podium(ROOT / "state")

    def record(
        self, file: Path, *words: str, start: tuple[str, ...] = PLAIN, env: Mapping[str, str] | None = None
    ) -> None:
        """Run `podium run` with `words` to its end, and export it to `file`."""
        subprocess.run(
            [sys.executable, *start, "run", *words, "--auto", "all", "--consent-weak"],
            env={**self.podium.environment(), "LOGNAME": "ann", "USER": "ann", "ANTHROPIC_API_KEY": "", **(env or {})},
            stdin=subprocess.DEVNULL,
            check=True,
        )
        done = self.podium("audit", "export", "--run", "last", "-o", str(file), "--force")
        if done.code:
            raise SystemExit(done.err)
        print(f"{file.relative_to(Path.cwd())}: {file.stat().st_size:,} bytes")  # noqa: T201 - what it is for

    def by_model(self, script: object, file: Path, *words: str) -> None:
        """The same, with a scripted model."""
        with endpoint(ROOT, script) as model:
            self.record(file, *words, env=_with(model))


def _with(model: Endpoint) -> dict[str, str]:
    return {**model.env, "PODIUM_MODELS": ""}


def main() -> None:
    """Record every run."""
    shutil.rmtree(ROOT, ignore_errors=True)
    project = Project(ROOT / "shop")
    project.commit({"stock.py": STOCK, "tests/test_stock.py": TESTS, "pyproject.toml": SETTINGS})
    service = lendery(ROOT / "lendery")
    recorder = Recorder()
    bug = ("fix-bug", "--repo", str(project.root), "--test", TEST, REQUEST)
    ticket = ("--ticket", str(RETURN_A_BOOK.text), "--criteria", str(RETURN_A_BOOK.criteria))
    try:
        recorder.record(GOOD, *bug, "--engine", "search")
        recorder.record(OTHER, *bug, "--engine", "search", start=("-c", OTHER_WORDS))
        wrong, right = change("return wanted != pieces"), change("return wanted <= pieces")
        recorder.by_model(rules(change=[wrong, right]), BY_MODEL, *bug, "--engine", "model")
        recorder.by_model(told(RETURN_A_BOOK), ENDPOINT, "add-endpoint", "--repo", str(service.root), *ticket)
    finally:
        recorder.podium("down")
        shutil.rmtree(ROOT, ignore_errors=True)


if __name__ == "__main__":
    main()
