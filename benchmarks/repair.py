"""How many small bugs the search engine repairs, and how many of its first proposals are right.

Each file of `repair_bugs/` is one bug: a program whose lines say what is written instead (`# wrong: …`), the
tests, and expressions held out. Right means: the program with the first proposal gives what the reference gives
for every held-out expression. Everything that runs a program does so in the sandbox.

`repair_bugs/` was there when the edit templates were written; `repair_held_out/` was written afterwards, and no
template was changed for it.

    python -m benchmarks.repair [--held-out] [NAME …]
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import anyio

from contracts import diff
from contracts.code_writer import ProposeResult
from tests.search.together import Together, together

HERE = Path(__file__).parent
BUDGET_S = 60.0

HELD_OUT = """\
import reference
import subject

EXPRESSIONS = {expressions!r}


def values(module):
    found = []
    for text in EXPRESSIONS:
        try:
            found.append(repr(eval(text, vars(module))))
        except Exception as error:
            found.append(type(error).__name__)
    return found


def test_held_out():
    assert values(subject) == values(reference)
"""


@dataclass(frozen=True)
class Bug:
    """A program, right and wrong, its tests, and expressions no test has."""

    name: str
    right: str
    wrong: str
    tests: str
    held_out: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """How one bug went. `rights` says for each proposal, best first, whether it is right."""

    result: ProposeResult
    rights: tuple[bool, ...]
    elapsed_s: float


def load(path: Path) -> Bug:
    """Read one bug; `# wrong:` without text means that the wrong program lacks the line."""
    code, rest = path.read_text().split("\n# --- tests\n")
    tests, held_out = rest.split("\n# --- held out\n")
    right: list[str] = []
    wrong: list[str] = []
    for line in code.splitlines():
        text, mark, other = line.partition("  # wrong:")
        right.append(text)
        if not mark:
            wrong.append(line)
        elif other.strip():
            indent = text[: len(text) - len(text.lstrip())]
            wrong.append(other[1:] if other.startswith("  ") else indent + other[1:])
    return Bug(path.stem, "\n".join(right) + "\n", "\n".join(wrong) + "\n", tests, tuple(held_out.strip().splitlines()))


async def is_right(crew: Together, bug: Bug, subject: str) -> bool:
    """Whether `subject` answers the held-out expressions as the reference does."""
    test = HELD_OUT.format(expressions=bug.held_out)
    crew.write({"subject.py": subject, "reference.py": bug.right, "test_held_out.py": test})
    return (await crew.tests()).outcome == "passed"


async def attempt(crew: Together, bug: Bug) -> Outcome:
    """Search for a repair of one bug and judge the proposals."""
    if await is_right(crew, bug, bug.wrong) or not await is_right(crew, bug, bug.right):
        raise SystemExit(f"{bug.name}: the held-out expressions do not tell right from wrong")
    crew.write({"subject.py": bug.wrong, "test_subject.py": f"from subject import *\n\n{bug.tests}\n"})
    failing = tuple(case.id for case in (await crew.tests()).cases if case.outcome in ("failed", "error"))
    started = time.perf_counter()
    result = await crew.propose(failing, BUDGET_S)
    elapsed_s = time.perf_counter() - started
    rights: list[bool] = []
    for proposal in result.proposals:
        (change,) = diff.parse(proposal.patch.diff)
        rights.append(await is_right(crew, bug, diff.apply(change, bug.wrong)))
    return Outcome(result, tuple(rights), elapsed_s)


async def main(names: list[str]) -> None:
    """Print a line per bug and the sum."""
    folder = "repair_held_out" if "--held-out" in names else "repair_bugs"
    names = [name for name in names if name != "--held-out"]
    bugs = [load(path) for path in sorted((HERE / folder).glob("*.txt")) if not names or path.stem in names]
    outcomes: list[Outcome] = []
    print(f"{'bug':18}{'seconds':>9}{'tried':>8}{'per s':>8}{'plausible':>11}  proposals, best first")
    async with together() as crew:
        for bug in bugs:
            outcome = await attempt(crew, bug)
            outcomes.append(outcome)
            tried = outcome.result.tried
            words = " ".join("right" if right else "wrong" for right in outcome.rights) or f"none ({tried.ended})"
            print(
                f"{bug.name:18}{outcome.elapsed_s:9.1f}{tried.candidates:8}{tried.per_s:8.0f}{tried.plausible:11}"
                f"  {words}",
                flush=True,
            )
    found = [outcome for outcome in outcomes if outcome.rights]
    seconds = statistics.median(outcome.elapsed_s for outcome in outcomes)
    candidates = statistics.median(outcome.result.tried.candidates for outcome in outcomes)
    per_s = statistics.median(outcome.result.tried.per_s for outcome in outcomes)
    print(
        f"\n{len(bugs)} bugs: {len(found)} found, {sum(outcome.rights[0] for outcome in found)} right, "
        f"{sum(any(outcome.rights) for outcome in found)} right among the proposals; "
        f"median {seconds:.1f} s, {candidates:.0f} candidates, {per_s:.0f} candidates/s (starting workers included)"
    )


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
